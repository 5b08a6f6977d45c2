"""ONNX's Resize and Upsample: every axis by a matrix of the weights of its interpolation."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from ganfail_jax.nn.onnx_operators.context import (
    LARGEST_CONSTANT,
    Context,
    Operator,
    Tensor,
    bounded,
    integers,
    known,
)
from ganfail_jax.nn.onnx_operators.shapes import axes_of
from ganfail_jax.weights.errors import WeightsError

Numbers = np.ndarray


def _half_pixel(i: Numbers, scale: np.float32, size: int, target: int) -> Numbers:
    return (i + 0.5) / scale - 0.5


def _symmetric(i: Numbers, scale: np.float32, size: int, target: int) -> Numbers:
    shift = size / 2 * (1 - target / (scale * size))
    return shift + (i + 0.5) / scale - 0.5


def _pytorch(i: Numbers, scale: np.float32, size: int, target: int) -> Numbers:
    return _half_pixel(i, scale, size, target) if target > 1 else np.zeros_like(i)


def _align_corners(i: Numbers, scale: np.float32, size: int, target: int) -> Numbers:
    return i * ((size - 1) / (target - 1)) if target > 1 else np.zeros_like(i)


COORDINATES: dict[str, Callable[[Numbers, Any, int, int], Numbers]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": _pytorch,
    "align_corners": _align_corners,
    "asymmetric": lambda i, scale, size, target: i / scale,
}
ROUNDINGS: dict[str, Callable[[Numbers], Numbers]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _triangle(distance: Numbers, _: float) -> Numbers:
    return np.maximum(0, 1 - np.abs(distance))


def _cubic(distance: Numbers, a: float) -> Numbers:
    """Keys 1981, eq. 15."""
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


KERNELS = {"linear": (_triangle, 1), "cubic": (_cubic, 2)}


def _matrix(node: Context, place: Numbers, size: int, scale: float) -> Numbers:
    """Weights [target, size] by which the input is mixed at these places."""
    mode = {"bilinear": "linear"}.get(node.text("mode", "nearest"), node.text("mode", "nearest"))
    node.require("mode", "nearest", "linear", "bilinear", "cubic")
    rows = np.arange(len(place))
    weights = np.zeros((len(place), size))
    if mode == "nearest":
        node.require("nearest_mode", *ROUNDINGS)
        default = "round_prefer_floor" if node.opset >= 11 else "floor"
        nearest = ROUNDINGS[node.text("nearest_mode", default)](place)
        weights[rows, np.clip(nearest, 0, size - 1).astype(int)] = 1
        return weights
    kernel, reach = KERNELS[mode]
    shrink = min(scale, 1.0) if node.integer("antialias", 0) else 1.0
    around = int(np.ceil(reach / shrink))
    exclude = node.integer("exclude_outside", 0)
    for offset in range(-around, around + 2):
        column = np.floor(place) + offset
        weight = kernel((place - column) * shrink, node.number("cubic_coeff_a", -0.75))
        inside = (column >= 0) & (column < size)
        weight = np.where(inside | (not exclude), weight, 0)
        np.add.at(weights, (rows, np.clip(column, 0, size - 1).astype(int)), weight)
    return weights / weights.sum(1, keepdims=True)


def _resize_axis(node: Context, x: Tensor, axis: int, target: int, scale: float) -> Tensor:
    size = x.shape[axis]
    # in float32, as exporters and runtimes do: rounding decides which pixel is the nearest
    default = "half_pixel" if node.opset >= 11 else "asymmetric"
    node.require("coordinate_transformation_mode", default, *COORDINATES)
    place = COORDINATES[node.text("coordinate_transformation_mode", default)](
        np.arange(target, dtype=np.float32), np.float32(scale), size, target
    )
    bounded((target, size), LARGEST_CONSTANT)
    weights = _matrix(node, place, size, scale)
    if target == size and np.array_equal(weights, np.eye(size)):
        return x
    if target % size == 0 and np.array_equal(
        weights, np.repeat(np.eye(size), target // size, axis=0)
    ):  # copies, which need no products
        tall = jnp.broadcast_to(
            jnp.expand_dims(x, axis + 1),
            (*x.shape[: axis + 1], target // size, *x.shape[axis + 1 :]),
        )
        return tall.reshape(*x.shape[:axis], target, *x.shape[axis + 1 :])
    y = jnp.tensordot(x, weights.astype(np.float32), ((axis,), (1,)), precision="highest")
    return jnp.moveaxis(y, -1, axis)


def _resize(
    node: Context, x: Tensor, roi: Tensor = None, scales: Tensor = None, sizes: Tensor = None
) -> Tensor:
    """Before opset 11 the second input is the scales."""
    if node.opset < 11:
        roi, scales = None, roi
    where = axes_of(node, None, x.ndim)
    where = list(range(x.ndim)) if where is None else where
    node.require("keep_aspect_ratio_policy", "stretch")
    if sizes is not None and np.size(sizes):
        targets = integers(sizes, "the sizes of Resize")
        factors = [t / x.shape[a] for t, a in zip(targets, where, strict=True)]
    elif scales is not None:
        factors = [float(s) for s in known(scales, "the scales of Resize").reshape(-1)]
        targets = [int(np.floor(x.shape[a] * f)) for f, a in zip(factors, where, strict=True)]
    else:
        raise WeightsError("neither sizes nor scales")
    if min(factors, default=1) <= 0 or min(targets, default=1) < 1:
        raise WeightsError(f"sizes of {targets}")
    shape = list(x.shape)
    for axis, target in zip(where, targets, strict=True):
        shape[axis] = target
    bounded(shape)
    for axis, target, factor in zip(where, targets, factors, strict=True):
        x = _resize_axis(node, x, axis, target, factor)
    return x


def _upsample(node: Context, x: Tensor, scales: Tensor = None) -> Tensor:
    """Resize as it was before opset 10: scales are an attribute before opset 9."""
    if scales is None:
        scales = np.asarray(node.numbers("scales") or (), np.float32)
    return _resize(node, x, scales)


# those of a mode that is not used
IGNORED = ("extrapolation_value", "cubic_coeff_a", "exclude_outside", "antialias", "nearest_mode")
OPERATORS: dict[str, Operator] = {
    "Resize": Operator(_resize, known=(1, 2, 3), ignored=IGNORED),
    "Upsample": Operator(_upsample, known=(1,)),
}
