"""From which activation on is a unit active? (Tousi 2021, sec. 3.2: P(A_u > T_u) = tau)

A unit u is a channel of a layer; A_u are its activations at all positions of all images. They are
counted in bins that follow the bits of a float32: 2^MANTISSA to every factor of two, mirrored at
zero. So one pass is enough, its memory does not grow with the images, the counts are integers, and
the error is known before: T_u is above the exact quantile by no more than its bin's width, which is
at most 2^-MANTISSA of it, or 2^-11 near zero.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.analysis.rates import largest_count
from ganfail_jax.errors import InputError
from ganfail_jax.latents import activations
from ganfail_jax.runtime import Sweep
from ganfail_jax.tally import LARGEST, Count, compile_counter, tally
from ganfail_jax.types import Generator, Params

TAU = 0.005  # footnote 1
MANTISSA = 7  # bits of it that distinguish bins
SMALLEST, FINITE = -12, 12  # exponents: nearer to zero, and from 2^12 on, there is one bin
LOWEST_CODE = (127 + SMALLEST) << MANTISSA  # the leading bits of 2^SMALLEST
LEVELS = ((FINITE - SMALLEST) << MANTISSA) + 1  # bins on either side of the one around zero
BINS = 2 * LEVELS + 1


class Thresholds(NamedTuple):
    """T_u of c units."""

    value: Float[np.ndarray, " c"]  # float32; the largest of its bin
    error: Float[np.ndarray, " c"]  # the exact quantile is at most this below it
    share: Float[np.ndarray, " c"]  # of the activations counted that are above it: exact


def bins(x: Float[Array, "..."]) -> Int[Array, "..."]:
    """The bin of each number, in the order of the numbers."""
    bits = lax.bitcast_convert_type(x.astype(jnp.float32), jnp.int32)
    code = (bits & 0x7FFFFFFF) >> (23 - MANTISSA)
    level = jnp.clip(code - LOWEST_CODE + 1, 0, LEVELS)
    return LEVELS + jnp.where(bits < 0, -level, level)


def _edges() -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The smallest and the largest float32 of every bin."""
    code = LOWEST_CODE + np.arange(LEVELS + 1, dtype=np.int32)  # of the first beyond each level
    beyond = code << (23 - MANTISSA)
    most = (beyond - 1).view(np.float32)
    least = np.append(np.float32(0), beyond[:-1].view(np.float32))
    most[-1] = np.inf
    return np.append(-most[::-1], least[1:]), np.append(-least[:0:-1], most)


def histogram(x: Float[Array, "b h w c"], mask: Bool[Array, " b"]) -> Int[Array, "c n"]:
    """How many of each unit's activations lie in each bin, in the samples whose mask holds."""
    empty = jnp.zeros((x.shape[3], BINS), jnp.int32)
    return empty.at[jnp.arange(x.shape[3]), bins(x)].add(
        mask[:, None, None, None].astype(jnp.int32)
    )


def counter(generator: Generator, layers: Sequence[str], seed: int) -> Count:
    """The histograms of a chunk of samples; later layers are not computed."""

    def count(params: Params, indices: Array, mask: Array) -> dict[str, Array]:
        taps = activations(generator, params, seed, indices)
        return {name: histogram(taps[name], mask) for name in layers}

    return count


def count_activations(
    generator: Generator,
    params: Params,
    layers: Sequence[str],
    num_samples: int,
    sweep: Sweep,
    *,
    seed: int = 0,
) -> dict[str, Int[np.ndarray, "c n"]]:
    """The histograms of samples 0 .. num_samples - 1, the same on any devices and by any batches.

    Args:
        layers: taps; the earlier the last of them, the less is computed.
    """
    most = LARGEST // max(generator.layers[name].resolution ** 2 for name in layers)
    batch_size = min(sweep.batch_size, most)
    return tally(
        compile_counter(counter(generator, layers, seed), sweep.mesh),
        runtime.replicate(sweep.mesh, params),
        0,
        num_samples,
        sweep._replace(batch_size=batch_size),
        {"seed": seed, "layers": list(layers), "bins": BINS},
        every=max(1, min(50, most // max(batch_size, 1))),
    )


def thresholds(counts: Int[np.ndarray, "c n"], tau: float = TAU) -> Thresholds:
    """T_u of one layer: the lowest end of a bin above which at most a share tau of A_u lies.

    Raises:
        InputError: tau is not a share of less than all.
    """
    if not 0 <= tau < 1:
        raise InputError(f"tau is at least 0 and less than 1, not {tau}")
    total = int(counts[0].sum())
    above = total - np.cumsum(counts, axis=1)
    chosen = np.argmax(above <= largest_count(tau, total), axis=1)
    smallest, largest = _edges()
    return Thresholds(
        largest[chosen],
        largest[chosen].astype(np.float64) - smallest[chosen],
        np.take_along_axis(above, chosen[:, None], axis=1)[:, 0] / total,
    )
