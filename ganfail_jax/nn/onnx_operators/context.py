"""What an operator's function gets beside its inputs, and numbers that shapes are made of.

Inputs are numpy arrays where they are known before the network runs (weights that define shapes,
constants, the shapes themselves) and JAX arrays elsewhere. What is computed of numpy arrays alone
stays numpy, so that shapes are static under `jit`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ganfail_jax.weights.errors import WeightsError

LARGEST = 2**27  # elements of one array, for the batch that the file was exported with
LARGEST_CONSTANT = 2**22  # elements of an array that is computed before the network runs
Tensor = Any  # a numpy array (known) or a JAX array


class Operator(NamedTuple):
    """One entry of the table of operators."""

    function: Callable[..., Any]  # (Context, *inputs) -> output, or a tuple of outputs
    known: tuple[int, ...] = ()  # inputs that must be known before the network runs
    ignored: tuple[str, ...] = ()  # attributes without a meaning for what is computed here


class Context:
    """The attributes of a node; remembers which ones were read."""

    def __init__(self, attributes: Mapping[str, Any], opset: int, outputs: int):
        self.attributes, self.opset, self.outputs = attributes, opset, outputs
        self.unread = set(attributes)

    def _get(self, name: str, kind: type | tuple[type, ...], default: Any) -> Any:
        self.unread.discard(name)
        value = self.attributes.get(name, default)
        if value is not default and not isinstance(value, kind):
            raise WeightsError(f"attribute {name} is of another type")
        return value

    def integer(self, name: str, default: int) -> int:
        return self._get(name, int, default)

    def number(self, name: str, default: float) -> float:
        return self._get(name, (float, int), default)

    def text(self, name: str, default: str) -> str:
        return self._get(name, str, default)

    def integers(self, name: str) -> tuple[int, ...] | None:
        return self._get(name, tuple, None)

    def numbers(self, name: str) -> tuple[float, ...] | None:
        return self._get(name, tuple, None)

    def tensor(self, name: str) -> np.ndarray | None:
        return self._get(name, np.ndarray, None)

    def require(self, name: str, *values: Any) -> None:
        """Refuse an attribute that is there with another value than these."""
        self.unread.discard(name)
        value = self.attributes.get(name, values[0])
        if value not in values:
            raise WeightsError(f"{name}={value} is not supported")


def backend(*inputs: Tensor) -> Any:
    """numpy where all inputs are known, else jax.numpy."""
    return np if all(isinstance(x, np.ndarray | np.generic) for x in inputs) else jnp


def known(x: Tensor, what: str) -> np.ndarray:
    """An input that must not depend on the image."""
    if not isinstance(x, np.ndarray | np.generic):
        raise WeightsError(f"{what} depends on the image or on weights")
    return np.asarray(x)


def integers(x: Tensor, what: str) -> list[int]:
    """A known vector (or number) of whole numbers."""
    array = known(x, what)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise WeightsError(f"{what} must be a vector of whole numbers")
    return array.reshape(-1).tolist()


def limit(*inputs: Tensor) -> int:
    """Elements that an array computed of these inputs may have."""
    return LARGEST_CONSTANT if backend(*inputs) is np else LARGEST


def bounded(shape: Sequence[Any], largest: int = LARGEST) -> tuple[int, ...]:
    """The shape, refused where an array of it would be larger than that of any network."""
    shape = tuple(int(n) for n in shape)
    if any(n < 0 for n in shape) or math.prod(shape) > largest:
        raise WeightsError(f"an array of shape {shape}")
    return shape


def axis_of(axis: int, rank: int) -> int:
    """A possibly negative axis, checked and counted from the front."""
    if not -rank <= axis < rank:
        raise WeightsError(f"axis {axis} of an array of {rank} dimensions")
    return axis % rank


def per_channel(vector: Tensor, x: Tensor) -> Tensor:
    """One number for each channel, shaped to be applied to x [n, c, ...]."""
    if vector.shape != x.shape[1:2]:
        raise WeightsError(f"an array of shape {vector.shape} for {x.shape[1]} channels")
    return vector.reshape(-1, *[1] * (x.ndim - 2))
