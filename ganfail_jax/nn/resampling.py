"""StyleGAN2's filter and its resampling, linear maps whose derivatives are maps of the same kind.

The filter is symmetric: its transpose is the filter again, with other padding; up-sampling is four
times the transpose of down-sampling. Automatic differentiation would scatter instead of filter.
Only reverse-mode differentiation is defined. Layout NHWC.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

FIR = (1 / 8, 3 / 8, 3 / 8, 1 / 8)  # separable resampling filter, unit sum


def _filter_axis(x: Array, axis: int, padding: tuple[int, int], gain: float, step: int) -> Array:
    """Filter one axis after padding it with zeros, keeping every `step`-th result.

    Sums of shifted slices fuse into one pass; a depthwise convolution is fifty times slower on CPU.
    """
    pads = [(0, 0)] * x.ndim
    pads[axis] = padding
    padded = jnp.pad(x, pads)
    end = padded.shape[axis] - len(FIR) + 1
    slices = (lax.slice_in_dim(padded, k, k + end, step, axis) for k in range(len(FIR)))
    first, *others = (part * (tap * gain) for part, tap in zip(slices, FIR, strict=True))
    return sum(others, first)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def fir_filter(
    x: Float[Array, "b h w c"], padding: tuple[int, int], gain: float = 1.0
) -> Float[Array, "b _ _ c"]:
    """Pad rows and columns with zeros, then filter both with FIR times `gain`."""
    for axis in (1, 2):
        x = _filter_axis(x, axis, padding, math.sqrt(gain), 1)
    return x


def _fir_transpose(padding: tuple[int, int], gain: float, _: None, y: Array) -> tuple[Array]:
    before, after = (len(FIR) - 1 - side for side in padding)
    return (fir_filter(y, (before, after), gain),)


fir_filter.defvjp(lambda x, padding, gain: (fir_filter(x, padding, gain), None), _fir_transpose)


def _interleave(even: Array, odd: Array, axis: int) -> Array:
    """Two arrays of n entries along `axis` -> one of 2n, alternating."""
    shape = list(even.shape)
    shape[axis] *= 2
    return jnp.stack([even, odd], axis + 1).reshape(shape)


@jax.custom_vjp
def upsample2d(x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w c"]:
    """Insert zeros, then filter: evaluated phase by phase, so that no zero is multiplied."""
    for axis in (1, 2):
        pads = [(0, 0)] * 4
        pads[axis] = (1, 1)
        padded, n = jnp.pad(x, pads), x.shape[axis]
        before = lax.slice_in_dim(padded, 0, n, axis=axis)
        after = lax.slice_in_dim(padded, 2, n + 2, axis=axis)
        inner, outer = 2 * FIR[1], 2 * FIR[0]
        x = _interleave(outer * before + inner * x, inner * x + outer * after, axis)
    return x


@jax.custom_vjp
def downsample2d(x: Float[Array, "b h w c"]) -> Float[Array, "b h//2 w//2 c"]:
    """Filter, keeping every second row and column.

    Raises:
        ValueError: an odd number of rows or columns.
    """
    if x.shape[1] % 2 or x.shape[2] % 2:
        raise ValueError(f"cannot halve {x.shape[1]}x{x.shape[2]} pixels")
    for axis in (1, 2):
        x = _filter_axis(x, axis, (1, 1), 1.0, 2)
    return x


upsample2d.defvjp(lambda x: (upsample2d(x), None), lambda _, y: (4 * downsample2d(y),))
downsample2d.defvjp(lambda x: (downsample2d(x), None), lambda _, y: (upsample2d(y) / 4,))
