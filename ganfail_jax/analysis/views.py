"""How a classifier sees any points of StyleSpace: compiled once, run in batches of one size."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Shaped
from scipy.special import softmax

from ganfail_jax.analysis.outputs import Models, logits_of, render


class Views(NamedTuple):
    """Compiled functions of any number of points of StyleSpace."""

    models: Models
    batch_size: int
    logits: Callable[[Float[np.ndarray, "n s"]], Float[np.ndarray, "n k"]]
    images: Callable[[Float[np.ndarray, "n s"]], Float[np.ndarray, "n h w c"]]


def in_batches(
    function: Callable[..., Array | np.ndarray],
    batch_size: int,
    *rows: Shaped[np.ndarray, "n ..."],
) -> np.ndarray:
    """A function of n rows; every batch is filled up, so that it compiles once, also for n = 0."""
    n = len(rows[0])
    parts = []
    for start in range(0, max(n, 1), batch_size):
        batch = [row[start : start + batch_size] for row in rows]
        filled = [np.resize(row, (batch_size, *row.shape[1:])) for row in batch]
        parts.append(np.asarray(function(*filled))[: len(batch[0])])
    return np.concatenate(parts)


def views_of(models: Models, batch_size: int) -> Views:
    """Compile the views of a generator by its classifier."""

    @jax.jit
    def logits(params: Any, styles: Array) -> Array:
        return logits_of(models.with_params(params), styles)

    @jax.jit
    def images(params: Any, styles: Array) -> Array:
        return render(models.with_params(params), styles)

    def batched(view: Callable[[Any, Array], Array]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda styles: in_batches(
            lambda rows: view(models.params, rows), batch_size, styles.astype(np.float32)
        )

    return Views(models, batch_size, batched(logits), batched(images))


def target_softmax(
    logits: Float[np.ndarray, "n k"], target: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The softmax output of each row's target class."""
    return softmax(logits, axis=1)[np.arange(len(target)), target]
