"""ONNX's convolutions and matrix products, in full float32 everywhere (`precision="highest"`)."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from ganfail_jax.nn.onnx_operators.context import Context, Operator, Tensor, bounded, per_channel
from ganfail_jax.nn.onnx_operators.windows import Windows, windows
from ganfail_jax.weights.errors import WeightsError

MOST_TAPS = 49  # weights of a depthwise kernel that are applied one by one


def _add_bias(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + per_channel(bias, y)


def _conv(node: Context, x: Tensor, kernel: Tensor, bias: Tensor = None) -> Tensor:
    """Cross-correlation of [n, c, ...] with [o, c / groups, ...]."""
    groups = node.integer("group", 1)
    window = windows(node, x.shape[2:], kernel.shape[2:])
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    if _cuts_patches(x, window) and groups == 1:
        return _add_bias(_conv_patches(x, kernel), bias)
    if groups == x.shape[1] and kernel.shape[1] == 1 and _is_slow(groups, window):
        return _add_bias(_conv_depthwise(x, kernel, window), bias)
    y = lax.conv_general_dilated(
        x,
        kernel,
        window.strides,
        window.pads,
        rhs_dilation=window.dilations,
        feature_group_count=groups,
        precision="highest",
    )
    return _add_bias(y, bias)


def _cuts_patches(x: Array, window: Windows) -> bool:
    """Whether the windows of an image tile it."""
    plain = window.strides == window.kernel and not any(map(any, window.pads))
    sizes = zip(x.shape[2:], window.kernel, strict=True)
    return (
        x.ndim == 4 and plain and set(window.dilations) == {1} and not any(n % k for n, k in sizes)
    )


def _conv_patches(x: Array, kernel: Array) -> Array:
    """A matrix product; XLA on CPU takes 20 times longer for the derivative of the convolution."""
    (b, c, h, w), (rows, columns) = x.shape, kernel.shape[2:]
    patches = x.reshape(b, c, h // rows, rows, w // columns, columns)
    return jnp.einsum("bchkwl,ockl->bohw", patches, kernel, precision="highest")


def _is_slow(groups: int, window: Windows) -> bool:
    return groups > 1 and math.prod(window.kernel) <= MOST_TAPS and jax.default_backend() == "cpu"


def _conv_depthwise(x: Array, kernel: Array, window: Windows) -> Array:
    """Shifted images times weights, summed: 8 to 20 times faster on CPU, derivative included."""
    if kernel.shape[0] % x.shape[1]:
        raise WeightsError(f"{kernel.shape[0]} outputs of {x.shape[1]} groups")
    x = jnp.repeat(x, kernel.shape[0] // x.shape[1], axis=1)
    x = jnp.pad(x, [(0, 0), (0, 0), *window.pads])
    y = jnp.zeros((), x.dtype)
    for place in np.ndindex(*window.kernel):
        starts = [k * d for k, d in zip(place, window.dilations, strict=True)]
        steps = zip(starts, window.counts, window.strides, strict=True)
        cuts = [slice(start, start + (n - 1) * step + 1, step) for start, n, step in steps]
        y = y + x[:, :, *cuts] * per_channel(kernel[:, 0, *place], x)
    return y


def _conv_transpose(node: Context, x: Tensor, kernel: Tensor, bias: Tensor = None) -> Tensor:
    """The transpose of `_conv` in its input; the kernel is [c, o / groups, ...]."""
    groups, rank = node.integer("group", 1), x.ndim - 2
    shape = node.integers("kernel_shape") or kernel.shape[2:]
    if tuple(shape) != kernel.shape[2:] or x.shape[1] % groups:
        raise WeightsError(f"a kernel of shape {kernel.shape}")
    strides = node.integers("strides") or (1,) * rank
    dilations = node.integers("dilations") or (1,) * rank
    extra = node.integers("output_padding") or (0,) * rank
    pads = node.integers("pads") or (0,) * 2 * rank
    wanted, mode = node.integers("output_shape"), node.text("auto_pad", "NOTSET")
    node.require("auto_pad", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
    if mode.startswith("SAME") and wanted is None:
        wanted = tuple(n * s for n, s in zip(x.shape[2:], strides, strict=True))
    sides = []
    for i in range(rank):
        reach = (kernel.shape[2 + i] - 1) * dilations[i]
        low, high = pads[i], pads[i + rank]
        if wanted is not None:
            full = strides[i] * (x.shape[2 + i] - 1) + extra[i] + reach + 1
            total = max(full - wanted[len(wanted) - rank + i], 0)
            small, large = total // 2, total - total // 2
            low, high = (small, large) if mode == "SAME_UPPER" else (large, small)
        sides.append((reach - low, reach - high + extra[i]))
        bounded((strides[i] * x.shape[2 + i] + 2 * abs(reach) + extra[i],))
    grouped = kernel.reshape(groups, x.shape[1] // groups, *kernel.shape[1:])
    turned = jnp.flip(jnp.swapaxes(grouped, 1, 2), range(3, 3 + rank))
    y = lax.conv_general_dilated(
        jnp.asarray(x),
        turned.reshape(-1, x.shape[1] // groups, *kernel.shape[2:]),
        (1,) * rank,
        sides,
        lhs_dilation=strides,
        rhs_dilation=dilations,
        feature_group_count=groups,
        precision="highest",
    )
    return _add_bias(y, bias)


def _matmul(_: Context, a: Tensor, b: Tensor) -> Tensor:
    return jnp.matmul(a, b, precision="highest")


def _gemm(node: Context, a: Tensor, b: Tensor, c: Tensor = None) -> Tensor:
    """alpha a b + beta c, either factor transposed."""
    a = a.T if node.integer("transA", 0) else a
    b = b.T if node.integer("transB", 0) else b
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    y = jnp.matmul(a, b, precision="highest")
    y = y if alpha == 1 else alpha * y
    if c is None:
        return y
    if np.broadcast_shapes(c.shape, y.shape) != y.shape:
        raise WeightsError(f"a sum of shapes {y.shape} and {c.shape}")
    return y + (c if beta == 1 else beta * c)


def _einsum(node: Context, *xs: Tensor) -> Tensor:
    if len(xs) > 3:
        raise WeightsError(f"{len(xs)} factors")
    return jnp.einsum(node.text("equation", ""), *xs, precision="highest")


OPERATORS: dict[str, Operator] = {
    "Conv": Operator(_conv),
    "ConvTranspose": Operator(_conv_transpose),
    "Einsum": Operator(_einsum),
    "Gemm": Operator(_gemm),
    "MatMul": Operator(_matmul),
}
