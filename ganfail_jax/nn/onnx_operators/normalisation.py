"""ONNX's normalisations and softmax."""

import jax
import jax.numpy as jnp
from jax import lax

from ganfail_jax.nn.onnx_operators.context import Context, Operator, Tensor, axis_of, per_channel
from ganfail_jax.weights.errors import WeightsError

PER_CHANNEL = 21  # opset from which GroupNormalization scales channels; before, groups
ONE_AXIS = 13  # opset from which softmax is over one axis; before, over all from it


def _normalise(x: Tensor, axes: tuple[int, ...], epsilon: float) -> Tensor:
    """Zero mean and unit variance over the axes."""
    centred = x - jnp.mean(x, axes, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axes, keepdims=True)
    return centred * lax.rsqrt(variance + epsilon)


def _batch_norm(
    node: Context, x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor
) -> tuple[Tensor, ...]:
    """With fixed moments, as in evaluation."""
    node.require("training_mode", 0)
    node.require("spatial", 1)
    scale, shift, mean, variance = (per_channel(v, x) for v in (scale, shift, mean, variance))
    gain = scale * lax.rsqrt(variance + node.number("epsilon", 1e-5))
    return (x * gain + (shift - mean * gain),)


def _instance_norm(node: Context, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    y = _normalise(x, tuple(range(2, x.ndim)), node.number("epsilon", 1e-5))
    return y * per_channel(scale, x) + per_channel(shift, x)


def _group_norm(node: Context, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    groups = node.integer("num_groups", 1)
    grouped = x.reshape(x.shape[0], groups, -1)
    y = _normalise(grouped, (2,), node.number("epsilon", 1e-5))
    if node.opset < PER_CHANNEL:
        return (y * scale[:, None] + shift[:, None]).reshape(x.shape)
    y = y.reshape(x.shape)
    return y * per_channel(scale, x) + per_channel(shift, x)


def _layer_norm(
    node: Context, x: Tensor, scale: Tensor, shift: Tensor = None
) -> tuple[Tensor, ...]:
    axis = axis_of(node.integer("axis", -1), x.ndim)
    y = _normalise(x, tuple(range(axis, x.ndim)), node.number("epsilon", 1e-5)) * scale
    return (y if shift is None else y + shift,)


def _rms_norm(node: Context, x: Tensor, scale: Tensor) -> Tensor:
    axes = tuple(range(axis_of(node.integer("axis", -1), x.ndim), x.ndim))
    power = jnp.mean(jnp.square(x), axes, keepdims=True)
    return x * lax.rsqrt(power + node.number("epsilon", 1e-5)) * scale


def _moments_norm(node: Context, x: Tensor) -> Tensor:
    axes = tuple(node.integers("axes") or (0, 2, 3))
    return _normalise(x, axes, 1e-9)


def _local_response(node: Context, x: Tensor) -> Tensor:
    """Krizhevsky et al. 2012, sec. 3.3, with alpha over the size."""
    size = node.integer("size", 0)
    if not 1 <= size <= 2 * x.shape[1]:
        raise WeightsError(f"a size of {size} for {x.shape[1]} channels")
    sides = [(0, 0)] * x.ndim
    sides[1] = ((size - 1) // 2, size // 2)
    sums = jnp.cumsum(jnp.pad(jnp.square(x), sides), 1)
    sums = jnp.pad(sums, [(0, 0), (1, 0), *[(0, 0)] * (x.ndim - 2)])
    near = sums[:, size:] - sums[:, :-size]
    power = node.number("bias", 1.0) + node.number("alpha", 1e-4) / size * near
    return x * power ** -node.number("beta", 0.75)


def _softmax_axes(node: Context, x: Tensor) -> tuple[int, ...]:
    if node.opset >= ONE_AXIS:
        return (axis_of(node.integer("axis", -1), x.ndim),)
    return tuple(range(axis_of(node.integer("axis", 1), x.ndim), x.ndim))


def _softmax(node: Context, x: Tensor) -> Tensor:
    return jax.nn.softmax(x, _softmax_axes(node, x))


def _log_softmax(node: Context, x: Tensor) -> Tensor:
    return jax.nn.log_softmax(x, _softmax_axes(node, x))


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": Operator(_batch_norm, ignored=("momentum",)),
    "GroupNormalization": Operator(_group_norm, ignored=("stash_type",)),
    "InstanceNormalization": Operator(_instance_norm),
    "LRN": Operator(_local_response),
    "LayerNormalization": Operator(_layer_norm, ignored=("stash_type",)),
    "LogSoftmax": Operator(_log_softmax),
    "MeanVarianceNormalization": Operator(_moments_norm),
    "RMSNormalization": Operator(_rms_norm, ignored=("stash_type",)),
    "Softmax": Operator(_softmax),
}
