"""Streaming sums over samples: a batch is summed on the device, batches are merged on the host.

Batch sums are float32 (two passes for deviations); totals are float64 and counts int64, because a
one-pass float32 variance can be several per cent off and int32 counters wrap.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class Moments(NamedTuple):
    """Moments of s quantities in g groups; `merge_moments` adds them up."""

    weight: Float[Array | np.ndarray, " g"]  # number of samples
    mean: Float[Array | np.ndarray, "g s"]
    squares: Float[Array | np.ndarray, "g s"]  # sum of squared deviations from the mean


def _by_group(weights: Float[Array, "b g"], x: Float[Array, "b s"]) -> Float[Array, "g s"]:
    return jnp.einsum("bg,bs->gs", weights, x, precision="highest")


def batch_moments(x: Float[Array, "b s"], weights: Float[Array, "b g"]) -> Moments:
    """Moments of one batch, each sample in one group.

    Args:
        weights: one-hot rows; zeros for a padded sample.
    """
    weight = jnp.sum(weights, axis=0)
    mean = _by_group(weights, x) / jnp.maximum(weight, 1)[:, None]
    own = jnp.einsum("bg,gs->bs", weights, mean, precision="highest")
    return Moments(weight, mean, _by_group(weights, jnp.square(x - own)))


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Moments of the union (Chan, Golub and LeVeque 1983), in float64."""
    weight_a, weight_b = np.asarray(a.weight, np.float64), np.asarray(b.weight, np.float64)
    weight = weight_a + weight_b
    share = (weight_b / np.maximum(weight, 1))[:, None]
    delta = np.asarray(b.mean, np.float64) - a.mean
    squares = np.asarray(a.squares, np.float64) + b.squares + (weight_a[:, None] * share) * delta**2
    return Moments(weight, a.mean + share * delta, squares)


def pool_groups(moments: Moments) -> Moments:
    """All groups as one."""
    total = Moments(*(np.asarray(field[:1], np.float64) for field in moments))
    for g in range(1, len(moments.weight)):
        total = merge_moments(total, Moments(*(field[g : g + 1] for field in moments)))
    return total


def variance(moments: Moments) -> Float[np.ndarray, "g s"]:
    """Unbiased variance of samples (NaN in a group of fewer than two)."""
    weight = np.asarray(moments.weight)[:, None]
    return np.where(weight > 1, moments.squares / np.maximum(weight - 1, 1), np.nan)


def standard_error(moments: Moments) -> Float[np.ndarray, "g s"]:
    """Standard error of the mean."""
    return np.sqrt(variance(moments) / np.maximum(np.asarray(moments.weight), 1)[:, None])


class Sums(NamedTuple):
    """Sums of s quantities in g groups and the summed weights, such as bootstrap replicates."""

    weight: Float[Array | np.ndarray, " g"]
    total: Float[Array | np.ndarray, "g s"]


def batch_sums(x: Float[Array, "b s"], weights: Float[Array, "b g"]) -> Sums:
    """Weighted sums of one batch."""
    return Sums(jnp.sum(weights, axis=0), _by_group(weights, x))


def merge_sums(a: Sums, b: Sums) -> Sums:
    """Sums of the union, in float64."""
    return Sums(
        np.asarray(a.weight, np.float64) + b.weight, np.asarray(a.total, np.float64) + b.total
    )
