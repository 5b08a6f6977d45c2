"""ONNX's pooling: maxima, means and norms of windows.

Windows are taken axis by axis as strided slices, which XLA on CPU fuses and whose gradient needs no
scatter. The gradient of a maximum goes to the first one, as in torch.
"""

from collections.abc import Callable
from functools import reduce

import jax.numpy as jnp
import numpy as np
from jax import lax

from ganfail_jax.nn.onnx_operators.context import Context, Operator, Tensor
from ganfail_jax.nn.onnx_operators.windows import Windows, windows
from ganfail_jax.weights.errors import WeightsError

WIDEST = 64  # elements along an axis of a window


def _first_maximum(a: Tensor, b: Tensor) -> Tensor:
    return jnp.where(b > a, b, a)


def _fold(
    x: Tensor, window: Windows, fill: float, combine: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Combine the elements of every window, the last axis first; the padding holds `fill`."""
    if max(window.kernel) > WIDEST:
        raise WeightsError(f"windows of {window.kernel}")
    sides = [(low, high + b) for (low, high), b in zip(window.pads, window.beyond, strict=True)]
    if any(map(any, sides)):
        x = jnp.pad(x, [(0, 0), (0, 0), *sides], constant_values=fill)
    for i in reversed(range(len(window.kernel))):
        steps, count, stride = window.dilations[i], window.counts[i], window.strides[i]
        starts = [k * steps for k in range(window.kernel[i])]
        ends = [start + (count - 1) * stride + 1 for start in starts]
        parts = [
            lax.slice_in_dim(x, start, end, stride, axis=i + 2)
            for start, end in zip(starts, ends, strict=True)
        ]
        x = reduce(combine, parts)
    return x


def _max_pool(node: Context, x: Tensor) -> tuple[Tensor, ...]:
    window = windows(node, x.shape[2:])
    return (_fold(jnp.asarray(x), window, -np.inf, _first_maximum),)


def _average_pool(node: Context, x: Tensor) -> Tensor:
    """What is padded counts only with `count_include_pad`, what lies beyond it never."""
    window = windows(node, x.shape[2:])
    sums = _fold(jnp.asarray(x), window, 0.0, jnp.add)
    include = node.integer("count_include_pad", 0)
    counts = np.ones((1,) * x.ndim, np.float32)
    for i, n in enumerate(x.shape[2:]):
        low, high = window.pads[i]
        counted = np.zeros(n + low + high + window.beyond[i], np.float32)
        counted[0 if include else low : n + low + (high if include else 0)] = 1
        starts = np.arange(window.counts[i])[:, None] * window.strides[i]
        each = counted[starts + np.arange(window.kernel[i]) * window.dilations[i]].sum(1)
        shape = [1] * x.ndim
        shape[i + 2] = -1
        counts = counts * each.reshape(shape)
    return sums / counts.astype(np.float32)


def _norm_pool(node: Context, x: Tensor) -> Tensor:
    order = node.integer("p", 2)
    window = windows(node, x.shape[2:])
    return _fold(jnp.abs(x) ** order, window, 0.0, jnp.add) ** (1 / order)


def _spatial(x: Tensor) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


OPERATORS: dict[str, Operator] = {
    "AveragePool": Operator(_average_pool),
    "GlobalAveragePool": Operator(lambda _, x: jnp.mean(x, _spatial(x), keepdims=True)),
    "GlobalMaxPool": Operator(lambda _, x: jnp.max(x, _spatial(x), keepdims=True)),
    "LpPool": Operator(_norm_pool),
    "MaxPool": Operator(_max_pool, ignored=("storage_order",)),
}
