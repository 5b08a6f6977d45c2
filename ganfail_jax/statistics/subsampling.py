"""How sure is a number of several samples that no sum over samples gives, such as a recall?

Disjoint parts of the samples give independent values, whose variance shrinks in proportion to the
size of a part (subsampling; Politis and Romano 1994, "Large sample confidence regions based on
subsamples under minimal assumptions"). Unlike the bootstrap it makes no duplicates, which nearest
neighbours would find, and unlike the jackknife it is not too cautious for them.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

PARTS, ROUNDS = 4, 8  # parts of a split, and splits over which the variance is averaged


def standard_errors(
    measure: Callable[..., Float[np.ndarray, " d"]],
    sizes: Sequence[int],
    least: int = 2,
    seed: int = 0,
) -> Float[np.ndarray, " d"] | None:
    """Of the d numbers that `measure` gives of all samples; costs two measurements of them.

    Args:
        measure: d numbers of some rows of each sample, given as one array of numbers per sample.
        sizes: of the samples.
        least: samples that a part needs.

    Returns:
        None: there are too few samples for two parts.
    """
    parts = min(PARTS, min(sizes) // least)
    if parts < 2:
        return None
    rng, variances = np.random.default_rng(seed), []
    for _ in range(ROUNDS):
        orders = [rng.permutation(size)[: size // parts * parts] for size in sizes]
        splits = zip(*(np.split(order, parts) for order in orders), strict=True)
        values = np.stack([measure(*rows) for rows in splits])
        variances.append(values.var(axis=0, ddof=1) / parts)
    return np.sqrt(np.mean(variances, axis=0))
