"""The names that numpy arrays are pickled with, built without calling numpy's own."""

import math
import re
from typing import Any

import numpy as np

from ganfail_jax.weights import pickles

MOST_FIELDS = 16  # of a dtype's state
PLAIN = re.compile(r"[<>=|]?(b1|\?|[iu][1248]|f[248])")  # no objects, texts or records


class _Dtype:
    """numpy.dtype("f4", align, copy), whose byte order comes as a state."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not PLAIN.fullmatch(code):
            raise ValueError("an array of something else than numbers")
        self.dtype = np.dtype(code)

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or not 2 <= len(state) <= MOST_FIELDS:
            raise ValueError("a dtype without a proper state")
        order = state[1]
        if order not in ("<", ">", "=", "|"):
            raise ValueError("an unknown byte order")
        self.dtype = self.dtype.newbyteorder(order)


def _view(raw: Any, dtype: Any, shape: Any, order: str, budget: pickles.Budget) -> np.ndarray:
    if isinstance(raw, str):  # Python 2's byte strings
        budget.spend(len(raw))
        raw = raw.encode("latin1")
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes | bytearray):
        raise ValueError("an array that is not made of bytes")
    if not isinstance(shape, tuple) or len(shape) > 8:
        raise ValueError("an array without a proper shape")
    if not all(type(n) is int and 0 <= n <= len(raw) for n in shape):
        raise ValueError("an array larger than its bytes")
    if math.prod(shape) * dtype.dtype.itemsize != len(raw):
        raise ValueError(f"an array of {len(raw)} bytes cannot have the shape {shape}")
    return np.frombuffer(raw, dtype.dtype).reshape(shape, order=order)  # pyright: ignore


class Array:
    """An array under construction: numpy gives its contents as a state."""

    def __init__(self, budget: pickles.Budget):
        self.budget, self.values = budget, np.zeros(0)

    def set_state(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        self.values = _view(raw, dtype, shape, "F" if fortran else "C", self.budget)


def table(budget: pickles.Budget) -> dict[str, pickles.Make | None]:
    """The names by what they make."""

    def from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> Array:
        array = Array(budget)
        array.values = _view(raw, dtype, shape, "F" if order == "F" else "C", budget)
        return array

    def encode(text: Any, _: Any = "latin1") -> bytes:
        budget.spend(len(text))
        return text.encode("latin1")

    makers = {
        "multiarray._reconstruct": lambda *_: Array(budget),
        "multiarray.scalar": lambda dtype, raw: _view(raw, dtype, (), "C", budget).item(),
        "numeric._frombuffer": from_buffer,
    }
    cores = ("core", "_core")  # before and since numpy 2
    return {
        "numpy.ndarray": None,
        "numpy.dtype": _Dtype,
        "_codecs.encode": encode,
        **{f"numpy.{core}.{name}": make for core in cores for name, make in makers.items()},
    }
