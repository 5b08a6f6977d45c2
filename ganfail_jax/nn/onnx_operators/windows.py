"""Where the windows of a convolution or a pooling lie."""

from typing import NamedTuple

from ganfail_jax.nn.onnx_operators.context import Context, bounded
from ganfail_jax.weights.errors import WeightsError


class Windows(NamedTuple):
    """One number, or one before and one after, for every spatial axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    beyond: tuple[int, ...]  # elements after the padding that the last window needs (ceil_mode)
    counts: tuple[int, ...]  # of windows


def _one_each(node: Context, name: str, default: tuple[int, ...], least: int) -> tuple[int, ...]:
    values = node.integers(name)
    values = default if values is None else values
    if len(values) != len(default) or any(not isinstance(v, int) or v < least for v in values):
        raise WeightsError(f"{name} of {values[:8]}")
    return values


def windows(
    node: Context, sizes: tuple[int, ...], kernel: tuple[int, ...] | None = None
) -> Windows:
    """The windows that a node's attributes define on an input of these sizes.

    Args:
        kernel: sizes of the weights; None: only the attribute says them.
    """
    rank = len(sizes)
    shape = node.integers("kernel_shape")
    shape = kernel if shape is None else shape
    if shape is None or len(shape) != rank or min(shape) < 1 or kernel not in (None, shape):
        raise WeightsError(f"windows of {shape}, weights of {kernel} on {rank} axes")
    ones = (1,) * rank
    strides = _one_each(node, "strides", ones, 1)
    dilations = _one_each(node, "dilations", ones, 1)
    pads = _one_each(node, "pads", (0, 0) * rank, 0)
    mode, ceil = node.text("auto_pad", "NOTSET"), node.integer("ceil_mode", 0)
    node.require("auto_pad", "NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER")
    sides, beyond, counts = [], [], []
    for i, n in enumerate(sizes):
        reach = (shape[i] - 1) * dilations[i]
        low, high = (pads[i], pads[i + rank]) if mode in ("NOTSET", "") else (0, 0)
        if mode.startswith("SAME"):
            total = max((-(-n // strides[i]) - 1) * strides[i] + reach + 1 - n, 0)
            small, large = total // 2, total - total // 2
            low, high = (small, large) if mode == "SAME_UPPER" else (large, small)
        room = n + low + high - reach - 1
        if room < 0:
            raise WeightsError(f"windows of {reach + 1} do not fit into {n + low + high}")
        count = (-(-room // strides[i]) if ceil else room // strides[i]) + 1
        if ceil and (count - 1) * strides[i] >= n + low:  # it would begin in the padding
            count -= 1
        sides.append((low, high))
        beyond.append(max((count - 1) * strides[i] + reach + 1 - (n + low + high), 0))
        counts.append(count)
    bounded([n + low + high for n, (low, high) in zip(sizes, sides, strict=True)])
    return Windows(shape, strides, dilations, tuple(sides), tuple(beyond), tuple(counts))
