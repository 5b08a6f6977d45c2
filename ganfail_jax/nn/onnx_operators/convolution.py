"""ONNX's convolutions and matrix products, in full float32 everywhere (`precision="highest"`)."""

import jax.numpy as jnp
from jax import lax

from ganfail_jax.nn.onnx_operators.context import Context, Operator, Tensor, bounded, per_channel
from ganfail_jax.nn.onnx_operators.windows import windows
from ganfail_jax.weights.errors import WeightsError


def _add_bias(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + per_channel(bias, y.ndim)


def _conv(node: Context, x: Tensor, kernel: Tensor, bias: Tensor = None) -> Tensor:
    """Cross-correlation of [n, c, ...] with [o, c / groups, ...]."""
    groups = node.integer("group", 1)
    window = windows(node, x.shape[2:], kernel.shape[2:])
    y = lax.conv_general_dilated(
        jnp.asarray(x),
        jnp.asarray(kernel),
        window.strides,
        window.pads,
        rhs_dilation=window.dilations,
        feature_group_count=groups,
        precision="highest",
    )
    return _add_bias(y, bias)


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
    return y if c is None else y + (c if beta == 1 else beta * c)


def _einsum(node: Context, *xs: Tensor) -> Tensor:
    return jnp.einsum(node.text("equation", ""), *xs, precision="highest")


OPERATORS: dict[str, Operator] = {
    "Conv": Operator(_conv),
    "ConvTranspose": Operator(_conv_transpose),
    "Einsum": Operator(_einsum),
    "Gemm": Operator(_gemm),
    "MatMul": Operator(_matmul),
}
