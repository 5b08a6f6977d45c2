"""Which images activate the most rarely activated neurons? (Choi 2022, sec. 4.1, fig. 2)

The score of an image is the number of its activated LR neurons, summed over the early layers.
Beyond the paper: a score to which every layer contributes alike. As each layer has four times the
neurons of the one before, the last one supplies most of the paper's sum.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Bool, Float, Int, Real

from ganfail_jax import runtime
from ganfail_jax.errors import InputError
from ganfail_jax.latents import activations
from ganfail_jax.runtime import Sweep
from ganfail_jax.tally import CHUNK
from ganfail_jax.types import Activations, Generator, Params

Neurons = Mapping[str, Bool[Array | np.ndarray, "_ _ _"]]  # of each layer: `rates.low_rate`


class Detected(NamedTuple):
    """n samples, l layers; from `detect`."""

    layers: tuple[str, ...]
    activated: Int[np.ndarray, "n l"]  # number of the given neurons that a sample activates

    @property
    def score(self) -> Int[np.ndarray, " n"]:
        """The paper's: summed over the layers."""
        return self.activated.sum(axis=1)

    @property
    def balanced_score(self) -> Float[np.ndarray, " n"]:
        """Each layer's number over its mean, averaged over the layers; 1 is an average sample."""
        return balance(self.activated, self.activated.mean(axis=0))


def balance(
    activated: Int[np.ndarray, "n l"], mean: Float[np.ndarray, " l"]
) -> Float[np.ndarray, " n"]:
    """Each layer's number over a mean of that layer, averaged over the layers."""
    return np.divide(activated, mean, out=np.zeros(activated.shape), where=mean > 0).mean(axis=1)


def numbers_in(taps: Activations, neurons: Neurons) -> Int[Array, "b l"]:
    """How many of the neurons of each layer samples activate, by what the layers computed."""
    numbers = [
        jnp.sum((taps[name] > 0) & own, axis=(1, 2, 3), dtype=jnp.int32)
        for name, own in neurons.items()
    ]
    return jnp.stack(numbers, axis=1)


def activated_numbers(
    generator: Generator, params: Params, neurons: Neurons, seed: int, indices: Int[Array, " b"]
) -> Int[Array, "b l"]:
    """How many of the neurons of each layer a sample activates; images are not rendered."""
    return numbers_in(activations(generator, params, seed, indices), neurons)


def detect(
    generator: Generator,
    params: Params,
    neurons: Neurons,
    num_samples: int,
    sweep: Sweep,
    *,
    seed: int = 0,
    first_index: int = 0,
) -> Detected:
    """Count each sample's activated neurons; images are not rendered.

    Every device computes chunks of `tally.CHUNK` images, as for the rates, so that the numbers do
    not depend on devices.

    Args:
        neurons: masks of the layers to count in.
        first_index: of the samples.
    """
    layers, batch = tuple(neurons), CHUNK * sweep.mesh.size

    @jax.jit
    def step(args: Any, indices: Array) -> Int[Array, "b l"]:
        params, masks = args
        masks = {name: masks[name] for name in layers}  # jit sorts them
        return activated_numbers(generator, params, masks, seed, first_index + indices)

    rows = runtime.gather(
        partial(step, runtime.replicate(sweep.mesh, (params, dict(neurons)))),
        -(-num_samples // batch) * batch,  # whole chunks
        sweep._replace(batch_size=batch),
        {"seed": seed, "first_index": first_index},
    )
    return Detected(layers, rows[:num_samples])


def check_scores(score: Int[np.ndarray, " n"]) -> None:
    """
    Raises:
        InputError: all samples have the same score.
    """
    if not np.ptp(score):
        raise InputError(
            f"every sample activates {score[0]:,} LR neurons; give another --threshold"
        )


def check_ends(num_samples: int, size: int) -> None:
    """
    Raises:
        InputError: Top and Bottom of this size would overlap.
    """
    if not 0 < size <= num_samples // 2:
        raise InputError(
            f"{size:,} at each end of {num_samples:,} samples overlap; give more samples"
        )


def ends(
    score: Real[np.ndarray, " n"], size: int
) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " s"]]:
    """Samples with the largest (Top) and the smallest (Bottom) scores, extremes first.

    Raises:
        InputError: the two would overlap.
    """
    check_ends(len(score), size)
    order = np.argsort(score, kind="stable")
    return order[::-1][:size], order[:size]


def rank_within(
    score: Float[np.ndarray, " n"] | Int[np.ndarray, " n"], classes: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """The share of its own class that a sample's score is above, between 0 and 1.

    By this score Top and Bottom have all classes alike: differences between classes, of which some
    activate many more LR neurons than others, play no part.
    """
    shares = np.zeros(len(score))
    for each in np.unique(classes):
        own = classes == each
        shares[own] = (scipy.stats.rankdata(score[own]) - 0.5) / own.sum()
    return shares
