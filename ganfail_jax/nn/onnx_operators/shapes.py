"""ONNX operators that move, cut, join or make arrays without computing with them."""

import math

import jax.numpy as jnp
import numpy as np

from ganfail_jax.nn.onnx_operators.context import (
    LARGEST_CONSTANT,
    Context,
    Operator,
    Tensor,
    axis_of,
    backend,
    bounded,
    integers,
    known,
    limit,
)
from ganfail_jax.weights.errors import WeightsError


def axes_of(node: Context, axes: Tensor | None, rank: int) -> list[int] | None:
    """Axes from an input (newer opsets) or an attribute (older ones), checked; None: not given."""
    given = node.integers("axes") if axes is None else integers(axes, "the axes")
    if given is None:
        return None
    checked = [axis_of(int(a), rank) for a in given]
    if len({*checked}) != len(checked):
        raise WeightsError("an axis is given twice")
    return checked


def _concat(node: Context, *xs: Tensor) -> Tensor:
    axis = axis_of(node.integer("axis", 1), xs[0].ndim)
    bounded((sum(x.size for x in xs),), limit(*xs))
    return backend(*xs).concatenate(xs, axis)


def _split(node: Context, x: Tensor, sizes: Tensor = None) -> tuple[Tensor, ...]:
    axis = axis_of(node.integer("axis", 0), x.ndim)
    length = x.shape[axis]
    given = node.integers("split") if sizes is None else integers(sizes, "the sizes of Split")
    count = node.integer("num_outputs", node.outputs)
    if given is None:
        part = -(-length // count)  # the last is smaller where it does not come out even
        given = [part] * (count - 1) + [length - part * (count - 1)]
    if sum(given) != length or min(given) < 0 or len(given) != node.outputs:
        raise WeightsError(f"{length} elements cannot be split into {list(given)[:8]}")
    return tuple(backend(x).split(x, np.cumsum(given)[:-1].tolist(), axis))


def _slice(
    node: Context,
    x: Tensor,
    starts: Tensor = None,
    ends: Tensor = None,
    axes: Tensor = None,
    steps: Tensor = None,
) -> Tensor:
    """Limits are attributes before opset 10."""
    if node.opset < 10:
        first, last = node.integers("starts") or (), node.integers("ends") or ()
        step = [1] * len(first)
    else:
        first, last = integers(starts, "the starts of Slice"), integers(ends, "the ends of Slice")
        step = [1] * len(first) if steps is None else integers(steps, "the steps of Slice")
    where = axes_of(node, axes, x.ndim)
    where = list(range(len(first))) if where is None else where
    index = [slice(None)] * x.ndim
    for axis, start, end, by in zip(where, first, last, step, strict=True):
        low, high, by = slice(start, end, by).indices(x.shape[axis])
        index[axis] = slice(low, None if high < 0 else high, by)
    return x[tuple(index)]


def _gather(node: Context, x: Tensor, indices: Tensor) -> Tensor:
    axis = axis_of(node.integer("axis", 0), x.ndim)
    size = x.shape[axis]
    bounded((x.size // max(size, 1), indices.size), limit(x, indices))
    if backend(indices) is np:
        if indices.size and not (-size <= indices.min() and indices.max() < size):
            raise WeightsError(f"an index beyond {size} elements")
        indices = indices % size
        if indices.ndim == 0:
            return x[(slice(None),) * axis + (int(indices),)]
    else:
        indices = jnp.where(indices < 0, indices + size, indices)
    if backend(x, indices) is np:
        return np.take(x, indices, axis)
    return jnp.take(x, indices, axis, mode="clip")


def _places(x: Tensor, indices: Tensor) -> tuple[np.ndarray, ...]:
    """Indices [..., k] of the first k axes of x, checked and counted from the front."""
    places = known(indices, "the indices")
    depth = places.shape[-1] if places.ndim else 0
    if places.dtype.kind not in "iu" or not 1 <= depth <= x.ndim:
        raise WeightsError(f"indices of shape {places.shape} for an array of shape {x.shape}")
    sizes = np.array(x.shape[:depth])
    if ((places < -sizes) | (places >= sizes)).any():
        raise WeightsError(f"an index beyond {x.shape}")
    return tuple(np.moveaxis(places % sizes, -1, 0))


def _gather_nd(node: Context, x: Tensor, indices: Tensor) -> Tensor:
    node.require("batch_dims", 0)
    places = _places(x, indices)
    bounded((places[0].size, *x.shape[len(places) :]), limit(x))
    return x[places]


def _scatter_nd(node: Context, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    node.require("reduction", "none")
    places = _places(x, indices)
    if updates.shape != (*places[0].shape, *x.shape[len(places) :]):
        raise WeightsError(f"updates of shape {updates.shape}")
    if backend(x, updates) is jnp:
        return jnp.asarray(x).at[places].set(updates)
    changed = x.copy()
    changed[places] = updates
    return changed


def _gather_elements(node: Context, x: Tensor, indices: Tensor) -> Tensor:
    axis, places = axis_of(node.integer("axis", 0), x.ndim), known(indices, "the indices")
    size = x.shape[axis]
    if places.size and not (-size <= places.min() and places.max() < size):
        raise WeightsError(f"an index beyond {size} elements")
    rest = [slice(n) for n in places.shape]
    rest[axis] = slice(None)
    return backend(x).take_along_axis(x[tuple(rest)], places % size, axis)


def _reshape(node: Context, x: Tensor, shape: Tensor) -> Tensor:
    keep = not node.integer("allowzero", 0)
    sizes = [
        x.shape[i] if n == 0 and keep else n
        for i, n in enumerate(integers(shape, "the shape of Reshape"))
    ]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise WeightsError(f"a shape {sizes}")
    return x.reshape(sizes)


def _flatten(node: Context, x: Tensor) -> Tensor:
    axis = node.integer("axis", 1)
    axis = axis if axis == x.ndim else axis_of(axis, x.ndim)
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _transpose(node: Context, x: Tensor) -> Tensor:
    return x.transpose(node.integers("perm") or tuple(range(x.ndim))[::-1])


def _squeeze(node: Context, x: Tensor, axes: Tensor = None) -> Tensor:
    where = axes_of(node, axes, x.ndim)
    return backend(x).squeeze(x, None if where is None else tuple(where))


def _unsqueeze(node: Context, x: Tensor, axes: Tensor = None) -> Tensor:
    given = node.integers("axes") if axes is None else integers(axes, "the axes")
    if not given:
        raise WeightsError("no axes are given")
    return backend(x).expand_dims(x, tuple(given))


def _expand(_: Context, x: Tensor, shape: Tensor) -> Tensor:
    wanted = bounded(np.broadcast_shapes(x.shape, integers(shape, "the shape of Expand")), limit(x))
    return backend(x).broadcast_to(x, wanted)


def _tile(_: Context, x: Tensor, repeats: Tensor) -> Tensor:
    times = integers(repeats, "the repeats of Tile")
    bounded([n * t for n, t in zip(x.shape, times, strict=True)], limit(x))
    return backend(x).tile(x, times)


def _shape(node: Context, x: Tensor) -> np.ndarray:
    start, end = node.integer("start", 0), node.integer("end", x.ndim)
    return np.array(x.shape[start:end], np.int64)


def _constant(node: Context) -> np.ndarray:
    values = {
        "value": node.tensor("value"),
        "value_float": np.float32(node.number("value_float", 0.0)),
        "value_floats": np.array(node.numbers("value_floats") or (), np.float32),
        "value_int": np.int64(node.integer("value_int", 0)),
        "value_ints": np.array(node.integers("value_ints") or (), np.int64),
    }
    given = [value for name, value in values.items() if name in node.attributes]
    if len(given) != 1 or given[0] is None:
        raise WeightsError("a constant of a type that is not read")
    return np.asarray(given[0])


def _constant_of_shape(node: Context, shape: Tensor) -> np.ndarray:
    value = node.tensor("value")
    value = np.zeros(1, np.float32) if value is None else value
    sizes = bounded(integers(shape, "the shape of ConstantOfShape"), LARGEST_CONSTANT)
    return np.broadcast_to(value.reshape(()), sizes)


def _range(_: Context, start: Tensor, limit: Tensor, delta: Tensor) -> np.ndarray:
    first, end, step = (known(x, "a limit of Range").reshape(()) for x in (start, limit, delta))
    count = max(math.ceil((float(end) - float(first)) / float(step)), 0)
    bounded((count,), LARGEST_CONSTANT)
    return (first + np.arange(count) * step).astype(first.dtype)


def _pad(
    node: Context, x: Tensor, pads: Tensor = None, value: Tensor = None, axes: Tensor = None
) -> Tensor:
    """Widths are attributes before opset 11; negative ones cut off."""
    if node.opset < 11:
        widths, fill = node.integers("pads") or (), node.number("value", 0.0)
    else:
        widths = integers(pads, "the widths of Pad")
        fill = 0 if value is None else known(value, "the value of Pad").reshape(-1)[0]
    where = list(range(x.ndim)) if axes is None else axes_of(node, axes, x.ndim) or []
    sides = [(0, 0)] * x.ndim
    for i, axis in enumerate(where):
        sides[axis] = widths[i], widths[i + len(where)]
    if len(widths) != 2 * len(where):
        raise WeightsError(f"{len(widths)} widths for {len(where)} axes")
    mode = node.text("mode", "constant")
    node.require("mode", "constant", "edge", "reflect", "wrap")
    bounded([n + low + high for n, (low, high) in zip(x.shape, sides, strict=True)], limit(x))
    x = x[
        tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, sides, strict=True))
    ]
    sides = [(max(low, 0), max(high, 0)) for low, high in sides]
    bounded([n + low + high for n, (low, high) in zip(x.shape, sides, strict=True)], limit(x))
    if mode == "constant":
        return backend(x).pad(x, sides, constant_values=fill)
    if mode == "reflect" and any(max(s) >= n for n, s in zip(x.shape, sides, strict=True)):
        raise WeightsError("reflects more than there is")
    return backend(x).pad(x, sides, mode=mode)


def _depth_to_space(node: Context, x: Tensor) -> Tensor:
    node.require("mode", "DCR", "CRD")
    size, (n, c, h, w) = node.integer("blocksize", 1), x.shape
    if node.text("mode", "DCR") == "DCR":
        blocks = x.reshape(n, size, size, c // size**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(n, c // size**2, size, size, h, w).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, c // size**2, h * size, w * size)


def _space_to_depth(node: Context, x: Tensor) -> Tensor:
    node.require("mode", "DCR")
    size, (n, c, h, w) = node.integer("blocksize", 1), x.shape
    blocks = x.reshape(n, c, h // size, size, w // size, size).transpose(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, c * size**2, h // size, w // size)


def _trilu(node: Context, x: Tensor, k: Tensor = None) -> Tensor:
    diagonal = 0 if k is None else int(known(k, "the diagonal of Trilu").reshape(()))
    xp = backend(x)
    return (xp.triu if node.integer("upper", 1) else xp.tril)(x, diagonal)


OPERATORS: dict[str, Operator] = {
    "Concat": Operator(_concat),
    "Constant": Operator(_constant),
    "ConstantOfShape": Operator(_constant_of_shape, known=(0,)),
    "DepthToSpace": Operator(_depth_to_space),
    "Expand": Operator(_expand, known=(1,)),
    "Flatten": Operator(_flatten),
    "Gather": Operator(_gather),
    "GatherElements": Operator(_gather_elements, known=(1,)),
    "GatherND": Operator(_gather_nd, known=(1,)),
    "Pad": Operator(_pad, known=(1, 2, 3)),
    "Range": Operator(_range, known=(0, 1, 2)),
    "Reshape": Operator(_reshape, known=(1,)),
    "ScatterND": Operator(_scatter_nd, known=(1,)),
    "Shape": Operator(_shape),
    "Size": Operator(lambda _, x: np.array(x.size, np.int64)),
    "Slice": Operator(_slice, known=(1, 2, 3, 4)),
    "SpaceToDepth": Operator(_space_to_depth),
    "Split": Operator(_split, known=(1,)),
    "Squeeze": Operator(_squeeze, known=(1,)),
    "Tile": Operator(_tile, known=(1,)),
    "Transpose": Operator(_transpose),
    "Trilu": Operator(_trilu, known=(1,)),
    "Unsqueeze": Operator(_unsqueeze, known=(1,)),
}
