"""The names that numpy arrays are pickled with, built without calling numpy's own."""

import math
import re
from typing import Any

import numpy as np

from ganfail_jax.weights import pickles

PLAIN = re.compile(r"[<>=|]?(b1|\?|[iu][1248]|f[248])")  # no objects, texts or records


class _Dtype:
    """numpy.dtype("f4", align, copy), whose byte order comes as a state."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not PLAIN.fullmatch(code):
            raise ValueError(
                f"an array of {str(code)[:20] if isinstance(code, str) else 'objects'}"
            )
        self.dtype = np.dtype(code)

    def set_state(self, state: Any) -> None:
        _, order, *_ = state
        if order not in ("<", ">", "=", "|"):
            raise ValueError("an unknown byte order")
        self.dtype = self.dtype.newbyteorder(order)


def _view(raw: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    raw = raw.encode("latin1") if isinstance(raw, str) else raw  # Python 2's byte strings
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes | bytearray):
        raise ValueError("an array that is not made of bytes")
    shape = tuple(shape) if isinstance(shape, tuple) and len(shape) <= 8 else (-1,)
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("an array without a proper shape")
    if math.prod(shape) * dtype.dtype.itemsize != len(raw):
        raise ValueError(f"an array of {len(raw)} bytes cannot have the shape {shape}")
    return np.frombuffer(raw, dtype.dtype).reshape(shape, order=order)  # pyright: ignore


class Array:
    """An array under construction: numpy gives its contents as a state."""

    def __init__(self, *_: Any):
        self.values = np.zeros(0)

    def set_state(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        self.values = _view(raw, dtype, shape, "F" if fortran else "C")


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> Array:
    array = Array()
    array.values = _view(raw, dtype, shape, "F" if order == "F" else "C")
    return array


def _scalar(dtype: Any, raw: Any) -> Any:
    return _view(raw, dtype, (), "C").item()


TABLE: dict[str, pickles.Make | None] = {
    "numpy.ndarray": None,
    "numpy.dtype": _Dtype,
    "_codecs.encode": lambda text, _="latin1": text.encode("latin1"),
    **{
        f"numpy.{core}.{name}": make
        for core in ("core", "_core")
        for name, make in (
            ("multiarray._reconstruct", Array),
            ("multiarray.scalar", _scalar),
            ("numeric._frombuffer", _from_buffer),
        )
    },
}
