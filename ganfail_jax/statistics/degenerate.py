"""When do numbers say nothing? Lines on classifiers at chance and on values that do not vary.

Every function takes counts or rows that a study has anyway. One line each, for a person; none where
there is nothing to warn of.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int, Num

from ganfail_jax.statistics.intervals import Z95
from ganfail_jax.statistics.proportions import wilson

TINY = 1e-5  # of the largest value: what the place in a batch may change in float32


def at_chance(
    name: str,
    right: int,
    classes: Int[np.ndarray, " k"],
    predicted: Int[np.ndarray, " k"] | None = None,
) -> list[str]:
    """A classifier whose answers have nothing to do with the images.

    By chance, answers as frequent as its own agree with the true classes in the share of Cohen
    (1960); the accuracy is above that if its 95 % interval is.

    Args:
        name: of the classifier.
        classes: how many samples there are of each.
        predicted: how often it predicts each; None: unknown, and the most frequent is assumed.
    """
    n = int(classes.sum())
    if not n:
        return []
    chance = classes.max() / n if predicted is None else (classes / n) @ (predicted / n)
    low, high = wilson(np.asarray(right), np.asarray(n))
    if low > chance:
        return []
    where = "at" if high >= chance else "below"
    order = "" if high >= chance else "; are its classes in the generator's order?"
    return [
        f"the accuracy of {name} is {where} chance: {right / n:.1%} [{low:.1%}, {high:.1%}] of "
        f"{n:,} samples, by chance {chance:.1%}{order}"
    ]


def one_prediction(name: str, predicted: Int[np.ndarray, " n"], names: Sequence[str]) -> list[str]:
    """A classifier that predicts the same class for all samples."""
    if len(predicted) < 2 or np.ptp(predicted):
        return []
    return [f"{name} predicts {names[predicted[0]]} for all {len(predicted):,} samples"]


def one_outcome(right: int, wrong: int, what: str, names: tuple[str, str]) -> list[str]:
    """All samples have one outcome, so that there is nothing to compare it with.

    Args:
        what: the samples are of, such as a classifier.
        names: of the two outcomes.
    """
    if (right and wrong) or not right + wrong:
        return []
    return [
        f"all {right + wrong:,} samples are {names[0] if right else names[1]} ({what}): nothing to "
        "compare them with"
    ]


def vary(values: Num[np.ndarray, "n ..."], groups: Int[np.ndarray, " n"] | None = None) -> bool:
    """Whether the rows of any group differ by more than rounding; of one row each they may.

    Args:
        groups: of the rows; None: one.
    """
    rows = values.reshape(len(values), -1)
    groups = np.zeros(len(rows), int) if groups is None else groups
    limit = TINY * np.abs(rows).max(initial=0)
    several = [g for g, n in zip(*np.unique(groups, return_counts=True), strict=True) if n > 1]
    if not several:
        return True
    return any((np.ptp(rows[groups == g], axis=0) > limit).any() for g in several)


def all_zero(scores: Mapping[str, Float[np.ndarray, " s"]], what: str) -> list[str]:
    """Scores of dimensions or units that are all 0, whose order is that of their numbers alone.

    Args:
        scores: of each population.
        what: they are, in the plural.
    """
    zero = [name for name, values in scores.items() if values.size and not np.any(values)]
    if not zero:
        return []
    of = "" if len(zero) == len(scores) else f" of {', '.join(zero)}"
    return [f"all {what}{of} are 0: their order means nothing"]


def no_more_often(a: int, n: int, b: int, m: int) -> bool:
    """Whether a of n may be as small a share as b of m: the 95 % interval of the difference.

    It is that of Agresti and Caffo (2000).
    """
    share_a, share_b = (a + 1) / (n + 2), (b + 1) / (m + 2)
    variance = share_a * (1 - share_a) / (n + 2) + share_b * (1 - share_b) / (m + 2)
    return bool(share_a - share_b <= Z95 * np.sqrt(variance))
