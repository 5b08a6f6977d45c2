"""What samples and any points of StyleSpace look like: compiled once, in batches of one size."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy
from jaxtyping import Array, Float, Int, Shaped

from ganfail_jax.analysis.outputs import Models, Sampling, render, sample_styles


class Views(NamedTuple):
    """Compiled functions of any number of samples and of points of StyleSpace.

    Logits and images come from one program: compiling a second one takes longer than to compute
    both always.
    """

    models: Models
    batch_size: int
    styles: Callable[[Sampling, Int[np.ndarray, " n"]], Float[np.ndarray, "n s"]]
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
    def draw(params: Any, samples: Sampling, indices: Array) -> Array:
        here = models.with_params(params)
        return sample_styles(here, samples.seed, indices, samples.truncation_psi)[0]

    @jax.jit
    def view(params: Any, styles: Array) -> dict[str, Array]:
        here = models.with_params(params)
        images = render(here, styles)
        return {"images": images, "logits": here.classifier.logits(params[1], images)}

    def styles(samples: Sampling, indices: np.ndarray) -> np.ndarray:
        batch = lambda rows: draw(models.params, samples, rows)  # noqa: E731
        return in_batches(batch, batch_size, indices.astype(np.int32))

    def one(name: str) -> Callable[[np.ndarray], np.ndarray]:
        batch = lambda rows: view(models.params, rows)[name]  # noqa: E731
        return lambda styles: in_batches(batch, batch_size, styles.astype(np.float32))

    return Views(models, batch_size, styles, one("logits"), one("images"))


def target_softmax(
    logits: Float[np.ndarray, "n k"], target: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The softmax output of each row's target class."""
    return scipy.special.softmax(logits, axis=1)[np.arange(len(target)), target]
