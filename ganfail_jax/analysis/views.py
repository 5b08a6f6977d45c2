"""What samples and any points of StyleSpace look like: compiled once, in batches of one size."""

from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy
from jaxtyping import Array, Float, Int

from ganfail_jax.analysis.outputs import Models, Sampling, render, sample_styles, sampling
from ganfail_jax.latents import noise_keys
from ganfail_jax.runtime import in_batches


class Views(NamedTuple):
    """Compiled functions of any number of samples and of points of StyleSpace.

    A point is drawn with the noise of a sample, whose index is given beside it; without one a
    generator that draws noise raises ValueError. Logits and images come from one program: compiling
    a second one takes longer than to compute both always.
    """

    models: Models
    batch_size: int
    seed: int  # of the samples
    styles: Callable[[Int[np.ndarray, " n"], float], Float[np.ndarray, "n s"]]  # and truncation_psi
    logits: Callable[..., Float[np.ndarray, "n k"]]  # (styles [n,s], samples [n] | None)
    images: Callable[..., Float[np.ndarray, "n h w c"]]  # likewise
    both: Callable[..., dict[str, np.ndarray]]  # likewise: {"images": , "logits": } in one pass


def views_of(models: Models, batch_size: int, seed: int = 0) -> Views:
    """Compile the views of a generator by its classifier."""

    generator, key = models.generator, np.uint32(seed)

    @jax.jit
    def draw(params: Any, samples: Sampling, indices: Array) -> Array:
        here = models.with_params(params)
        return sample_styles(here, samples.seed, indices, samples.truncation_psi)[0]

    @jax.jit
    def view(params: Any, seed: Array, styles: Array, samples: Any = None) -> dict[str, Array]:
        here = models.with_params(params)
        keys = None if samples is None else noise_keys(generator, seed, samples)
        images = render(here, styles, keys)
        return {"images": images, "logits": here.classifier.logits(params[1], images)}

    def styles(samples: np.ndarray, truncation_psi: float) -> np.ndarray:
        batch = partial(draw, models.params, sampling(generator, seed, truncation_psi))
        return in_batches(batch, batch_size, samples.astype(np.int32))

    def viewing(part: Callable[[dict[str, Array]], Any]) -> Callable[..., Any]:
        def of_points(styles: np.ndarray, samples: np.ndarray | None = None) -> Any:
            noise = () if samples is None else (samples.astype(np.int32),)
            batch = lambda *rows: part(view(models.params, key, *rows))  # noqa: E731
            return in_batches(batch, batch_size, styles.astype(np.float32), *noise)

        return of_points

    logits, images = (viewing(itemgetter(name)) for name in ("logits", "images"))
    return Views(models, batch_size, seed, styles, logits, images, viewing(lambda seen: seen))


def target_softmax(
    logits: Float[np.ndarray, "n k"], target: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The softmax output of each row's target class."""
    return scipy.special.softmax(logits, axis=1)[np.arange(len(target)), target]
