"""Does the discriminator recognise artifacts? The D-value of an image (Tousi 2021, sec. 3, fig. 3).

The paper calls the discriminator's output so and finds that it does not: the histograms of normal
and artifact generations overlap. Beyond the paper: the areas under the ROC curve.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax.analysis.detection_summary import tell
from ganfail_jax.latents import generate, latents
from ganfail_jax.runtime import in_batches
from ganfail_jax.types import Discriminator, Generator, Params

Values = Float[np.ndarray, " n"]


def of_samples(
    generator: Generator,
    generator_params: Params,
    discriminator: Discriminator,
    discriminator_params: Params,
    indices: Int[np.ndarray, " n"],
    *,
    seed: int,
    batch_size: int,
) -> Values:
    """D-values [n] of samples."""

    @jax.jit
    def score(params: tuple[Params, Params], indices: Array) -> Array:
        images, _ = generate(generator, params[0], seed, indices)
        one_hot = latents(generator, seed, indices).one_hot
        return discriminator.score(params[1], images, one_hot)

    params = generator_params, discriminator_params
    return in_batches(partial(score, params), batch_size, np.asarray(indices, np.int32))


def of_images(
    discriminator: Discriminator,
    params: Params,
    take: Callable[[Int[np.ndarray, " b"]], Float[np.ndarray, "b h w c"]],
    labels: Int[np.ndarray, " n"],
    *,
    batch_size: int,
) -> Values:
    """D-values [n] of real images.

    Args:
        take: images in [-1, 1] by their numbers, from 0 on.
        labels: their classes; of no account where the discriminator has none.
    """
    classes = discriminator.num_classes

    @jax.jit
    def score(params: Params, images: Array, labels: Array) -> Array:
        one_hot = jax.nn.one_hot(labels, classes, dtype=jnp.float32) if classes else None
        return discriminator.score(params, images, one_hot)

    judge = lambda numbers, labels: score(params, take(numbers), labels)  # noqa: E731
    return in_batches(judge, batch_size, np.arange(len(labels)), labels)


def areas(
    values: Values,
    artifact: Bool[np.ndarray, " n"],
    classes: Int[np.ndarray, " n"] | None,
    real: Float[np.ndarray, " r"],
) -> dict[str, Any]:
    """How well a low D-value separates artifacts from normal generations, either from real images.

    The area under the ROC curve is the chance that the first has the lower D-value, ties half.
    """
    table = {"artifact from normal": tell({"d_value": -values}, artifact, classes)}
    for name, kind in (("normal", ~artifact), ("artifact", artifact)) if len(real) else ():
        both = np.concatenate([values[kind], real])
        first = np.arange(len(both)) < kind.sum()
        table[f"{name} from real"] = tell({"d_value": -both}, first, None)
    return table


def spread(values: Values, artifact: Bool[np.ndarray, " n"], most: int) -> Int[np.ndarray, " m"]:
    """Up to `most` artifacts and as many normals, evenly by rank, all in the order of D-values."""
    rows = []
    for kind in (artifact, ~artifact):
        order = np.flatnonzero(kind)[np.argsort(values[kind], kind="stable")]
        ranks = np.linspace(0, len(order) - 1, min(most, len(order)))
        rows.append(order[ranks.round().astype(int)])
    chosen = np.concatenate(rows)
    return chosen[np.argsort(values[chosen], kind="stable")]
