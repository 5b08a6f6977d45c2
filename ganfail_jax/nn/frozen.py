"""Layers of published networks that are only applied: batch norm is folded into the convolutions.

Layout NHWC, kernels HWIO. Products are in full float32 everywhere (`precision="highest"`): features
of other precision would shift the metrics made of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Num


class Folded(NamedTuple):
    """One convolution."""

    kernel: Float[Array | np.ndarray, "kh kw i o"]
    bias: Float[Array | np.ndarray, " o"]


Layers = dict[str, Folded]


def fold_batch_norm(
    kernel: Float[np.ndarray, "kh kw i o"],
    mean: Float[np.ndarray, " o"],
    variance: Float[np.ndarray, " o"],
    scale: Float[np.ndarray, " o"] | float,
    shift: Float[np.ndarray, " o"],
    epsilon: float,
) -> Folded:
    """The convolution that equals one without bias and the batch norm after it, with fixed moments.

    Ioffe and Szegedy 2015, algorithm 2: y = scale (x - mean) / sqrt(variance + epsilon) + shift.
    """
    gain = scale / np.sqrt(variance.astype(np.float64) + epsilon)
    bias = shift - mean * gain
    return Folded((kernel * gain).astype(np.float32), bias.astype(np.float32))


def side_by_side(layers: Sequence[Folded]) -> Folded:
    """Convolutions of one input as a single one whose outputs follow each other."""
    return Folded(*(jnp.concatenate(arrays, axis=-1) for arrays in zip(*layers, strict=True)))


def conv(
    x: Float[Array, "b h w i"], layer: Folded, stride: int = 1, padded: bool = True
) -> Float[Array, "b _ _ o"]:
    """Cross-correlation and bias.

    Args:
        padded: by half the (odd) kernel on every side, as in torch; else not at all.
    """
    rows, columns = layer.kernel.shape[:2]
    y = lax.conv_general_dilated(
        x,
        jnp.asarray(layer.kernel),
        (stride, stride),
        # XLA on CPU is 2 to 4 times faster where there is any padding; what it adds is cut off
        [(rows // 2, rows // 2), (columns // 2, columns // 2)] if padded else [(0, 1), (0, 1)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    if not padded:
        y = y[:, : (x.shape[1] - rows) // stride + 1, : (x.shape[2] - columns) // stride + 1]
    return y + layer.bias


def dense(x: Float[Array, "b h w i"], layer: Folded) -> Float[Array, "b o"]:
    """A fully connected layer on a whole map: the one place of a convolution of its size."""
    return jnp.einsum("bhwi,hwio->bo", x, layer.kernel, precision="highest") + layer.bias


def max_pool(
    x: Float[Array, "b h w c"], size: int, stride: int, padding: int = 0
) -> Float[Array, "b _ _ c"]:
    """Maxima of squares of `size` pixels; what is padded never wins."""
    pads = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), pads)


def mean_pool3(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Means of 3x3 pixels, fewer at the borders: what is padded does not count."""
    for axis in (1, 2):
        n = x.shape[axis]
        pads = [(0, 0)] * 4
        pads[axis] = (1, 1)
        padded = jnp.pad(x, pads)
        before, here, after = (lax.slice_in_dim(padded, k, k + n, axis=axis) for k in range(3))
        members = np.minimum(np.arange(n), 1) + 1 + np.minimum(np.arange(n)[::-1], 1)
        shape = [n if i == axis else 1 for i in range(4)]
        x = (before + here + after) / members.astype(np.float32).reshape(shape)
    return x


def _bilinear(size: int, target: int, half_pixel: bool) -> Float[np.ndarray, "target size"]:
    """Rows of weights by which `target` samples are mixed of `size`."""
    shift = 0.5 if half_pixel else 0.0
    place = np.clip((np.arange(target) + shift) * (size / target) - shift, 0, size - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(size))).astype(np.float32)


def resize_bilinear(
    x: Num[Array | np.ndarray, "b h w c"], shape: tuple[int, int], *, half_pixel: bool
) -> Float[Array, "b _ _ c"]:
    """Bilinear resizing without antialiasing, as two matrix products.

    Args:
        half_pixel: output pixel i lies at (i + 1/2) size / target - 1/2 of the input, as in torch
            (`align_corners=False`); else at i size / target, as in TensorFlow 1.
    """
    pairs = zip(x.shape[1:3], shape, strict=True)
    rows, columns = (_bilinear(size, target, half_pixel) for size, target in pairs)
    x = jnp.asarray(x, jnp.float32)
    return jnp.einsum("rh,bhwc,sw->brsc", rows, x, columns, precision="highest")


def grey_to_rgb(x: Num[Array, "b h w c"]) -> Num[Array, "b h w 3"]:
    """One channel three times; three stay."""
    return jnp.broadcast_to(x, (*x.shape[:3], 3))
