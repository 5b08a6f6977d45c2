"""How a classifier sees any points of StyleSpace: compiled once, run in batches of one size."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Shaped
from scipy.special import softmax

from ganfail_jax.analysis.outputs import Models, logits_of, render
from ganfail_jax.latents import noise_keys


class Views(NamedTuple):
    """Compiled functions of any number of points of StyleSpace and, for each, of the sample [n]
    whose noise it is drawn with; without them a generator that draws noise raises ValueError."""

    models: Models
    batch_size: int
    seed: int  # of the samples
    logits: Callable[..., Float[np.ndarray, "n k"]]  # (styles [n,s], samples [n] | None)
    images: Callable[..., Float[np.ndarray, "n h w c"]]


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


def views_of(models: Models, batch_size: int, seed: int = 0) -> Views:
    """Compile the views of a generator by its classifier."""

    def batched(view: Callable[..., Array]) -> Callable[..., np.ndarray]:
        @jax.jit
        def run(params: Any, styles: Array, samples: Array | None = None) -> Array:
            keys = None if samples is None else noise_keys(models.generator, seed, samples)
            return view(models.with_params(params), styles, keys)

        def of_rows(styles: np.ndarray, samples: np.ndarray | None = None) -> np.ndarray:
            noise = () if samples is None else (samples.astype(np.int32),)
            rows = styles.astype(np.float32), *noise
            return in_batches(partial(run, models.params), batch_size, *rows)

        return of_rows

    return Views(models, batch_size, seed, batched(logits_of), batched(render))


def target_softmax(
    logits: Float[np.ndarray, "n k"], target: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The softmax output of each row's target class."""
    return softmax(logits, axis=1)[np.arange(len(target)), target]
