"""How images of this project enter a network of an ONNX file: by the shape of its input."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float

from ganfail_jax.nn.onnx_graph import Images, Network
from ganfail_jax.types import Params
from ganfail_jax.weights.errors import WeightsError

CHANNELS = (1, 3)  # grey and colour


class Entry(NamedTuple):
    """What images a network takes, and the network as a function of them."""

    function: Callable[[Params, Images], Float[Array, "b k"]]
    layout: str  # "NCHW" or "NHWC"
    size: tuple[int, int] | None  # rows and columns; None: any
    channels: int | None  # None: any


def entry_of(network: Network) -> Entry:
    """Channels come first where the first size is 1 or 3 (or open), else last.

    Two sizes are a grey image. One is all pixels in a row, as scikit-learn has it: row by row, the
    channels of a pixel side by side, of a square image.

    Raises:
        WeightsError: the network does not take grey or colour images.
    """
    shape: tuple[Any, ...] = network.input_shape
    function = network.function

    def plane(params: Params, x: Images) -> Array:
        return function(params, x[..., 0])

    def row(params: Params, x: Images) -> Array:
        return function(params, x.reshape(len(x), -1))

    if len(shape) == 3 and shape[0] in (None, *CHANNELS):
        return Entry(function, "NCHW", _size(*shape[1:]), shape[0])
    if len(shape) == 3 and shape[2] in (None, *CHANNELS):
        return Entry(function, "NHWC", _size(*shape[:2]), shape[2])
    if len(shape) == 2:
        return Entry(plane, "NHWC", _size(*shape), 1)
    if len(shape) == 1 and shape[0] is None:
        return Entry(row, "NHWC", None, None)
    for channels in CHANNELS:
        side = math.isqrt(shape[0] // channels)
        if len(shape) == 1 and channels * side**2 == shape[0]:
            return Entry(row, "NHWC", (side, side), channels)
    raise WeightsError(f"a network of inputs of shape {shape}, which are not grey or colour images")


def _size(height: int | None, width: int | None) -> tuple[int, int] | None:
    return None if height is None or width is None else (height, width)
