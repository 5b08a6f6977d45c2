"""ONNX operators that act on every element by itself."""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ganfail_jax.nn.onnx_operators.context import (
    Context,
    Operator,
    Tensor,
    backend,
    bounded,
    known,
    limit,
)
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.onnx_files import DTYPES


def _unary(name: str) -> Operator:
    return Operator(lambda _, x: getattr(backend(x), name)(x))


def _broadcast(xs: tuple[Tensor, ...]) -> None:
    bounded(np.broadcast_shapes(*(x.shape for x in xs)), limit(*xs))


def _binary(name: str) -> Operator:
    def function(_: Context, a: Tensor, b: Tensor) -> Tensor:
        _broadcast((a, b))
        return getattr(backend(a, b), name)(a, b)

    return Operator(function)


def _variadic(name: str) -> Operator:
    def function(_: Context, *xs: Tensor) -> Tensor:
        _broadcast(xs)
        return reduce(getattr(backend(*xs), name), xs)

    return Operator(function)


def _activation(function: Callable[[Any], Any]) -> Operator:
    return Operator(lambda _, x: function(jnp.asarray(x)))


def _mean(_: Context, *xs: Tensor) -> Tensor:
    _broadcast(xs)
    return reduce(backend(*xs).add, xs) / np.float32(len(xs))


def _divide(_: Context, a: Tensor, b: Tensor) -> Tensor:
    """Whole numbers are divided towards zero."""
    _broadcast((a, b))
    if not jnp.issubdtype(a.dtype, jnp.integer):
        return a / b
    quotient = a // b
    return quotient + ((a % b != 0) & ((a < 0) != (b < 0)))


def _power(_: Context, x: Tensor, y: Tensor) -> Tensor:
    """Squares and roots by what has a derivative everywhere; the type is that of x."""
    _broadcast((x, y))
    if isinstance(y, np.ndarray | np.generic) and y.size == 1 and y.ndim <= x.ndim:
        simple = {2.0: jnp.square, 0.5: jnp.sqrt, 1.0: jnp.asarray}.get(float(y.reshape(-1)[0]))
        if simple is not None and backend(x) is jnp and jnp.issubdtype(x.dtype, jnp.floating):
            return simple(x)
    return backend(x, y).power(x, y).astype(x.dtype)


def _modulo(node: Context, a: Tensor, b: Tensor) -> Tensor:
    _broadcast((a, b))
    xp = backend(a, b)
    return xp.fmod(a, b) if node.integer("fmod", 0) else xp.mod(a, b)


def _clip(node: Context, x: Tensor, low: Tensor = None, high: Tensor = None) -> Tensor:
    """Limits are attributes before opset 11; the derivative at a limit is that of x."""
    if node.opset < 11:
        low, high = (
            np.array(node.number(name, default), np.float32)
            for name, default in (("min", -math.inf), ("max", math.inf))
        )
    xp = backend(*(a for a in (x, low, high) if a is not None))
    if low is not None:
        x = xp.where(x < low, low.reshape(()).astype(x.dtype), x)
    if high is not None:
        x = xp.where(x > high, high.reshape(()).astype(x.dtype), x)
    return x


def _leaky_relu(node: Context, x: Tensor) -> Tensor:
    return jnp.where(x >= 0, x, node.number("alpha", 0.01) * x)


def _prelu(_: Context, x: Tensor, slope: Tensor) -> Tensor:
    if np.broadcast_shapes(x.shape, slope.shape) != x.shape:
        raise WeightsError(f"a slope of shape {slope.shape} for {x.shape}")
    return jnp.where(x >= 0, x, slope * x)


def _elu(node: Context, x: Tensor) -> Tensor:
    return jax.nn.elu(x, node.number("alpha", 1.0))


def _selu(node: Context, x: Tensor) -> Tensor:
    alpha = node.number("alpha", 1.67326319217681884765625)
    return node.number("gamma", 1.05070102214813232421875) * jax.nn.elu(x, alpha)


def _celu(node: Context, x: Tensor) -> Tensor:
    return jax.nn.celu(x, node.number("alpha", 1.0))


def _thresholded_relu(node: Context, x: Tensor) -> Tensor:
    return jnp.where(x > node.number("alpha", 1.0), x, 0)


def _gelu(node: Context, x: Tensor) -> Tensor:
    node.require("approximate", "none", "tanh")
    return jax.nn.gelu(x, approximate=node.text("approximate", "none") == "tanh")


def _hard_sigmoid(node: Context, x: Tensor) -> Tensor:
    slope, shift = node.number("alpha", 0.2), node.number("beta", 0.5)
    return jnp.clip(slope * x + shift, 0, 1)


def _swish(node: Context, x: Tensor) -> Tensor:
    return x * jax.nn.sigmoid(node.number("alpha", 1.0) * x)


def _where(_: Context, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    _broadcast((condition, x, y))
    return backend(condition, x, y).where(condition, x, y)


def cast(x: Tensor, dtype: np.dtype) -> Tensor:
    """Stored floats of every width become float32; computed ones keep their type."""
    floats = jnp.issubdtype(dtype, jnp.floating)
    dtype = np.dtype(np.float32) if floats else dtype
    if backend(x) is np:
        return x.astype(dtype)
    if floats and jnp.issubdtype(x.dtype, jnp.floating):
        return x
    return x.astype(jax.dtypes.canonicalize_dtype(dtype))


def _cast(node: Context, x: Tensor) -> Tensor:
    kind = node.integer("to", 0)
    if kind not in DTYPES:
        raise WeightsError(f"a cast to ONNX data type {kind}")
    return cast(x, DTYPES[kind])


def _dropout(
    _: Context, x: Tensor, ratio: Tensor = None, training: Tensor = None
) -> tuple[Tensor, ...]:
    """The identity, as in evaluation."""
    if training is not None and known(training, "the mode of Dropout").any():
        raise WeightsError("the network was exported in training mode")
    return (x,)


def _scale_features(node: Context, x: Tensor) -> Tensor:
    """ai.onnx.ml.Scaler: (x - offset) * scale."""
    offset, scale = (
        np.asarray(node.numbers(name) or (default,), np.float32)
        for name, default in (("offset", 0), ("scale", 1))
    )
    return (x - offset) * scale


NUMPY = {  # ONNX name -> numpy's, of one input
    "Abs": "abs",
    "Ceil": "ceil",
    "Cos": "cos",
    "Exp": "exp",
    "Floor": "floor",
    "Log": "log",
    "Neg": "negative",
    "Not": "logical_not",
    "Reciprocal": "reciprocal",
    "Round": "round",
    "Sign": "sign",
    "Sin": "sin",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
NUMPY_PAIRS = {  # of two inputs
    "Add": "add",
    "And": "logical_and",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Mul": "multiply",
    "Or": "logical_or",
    "Sub": "subtract",
    "Xor": "logical_xor",
}
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "Erf": lax.erf,
    "HardSwish": lambda x: x * jnp.clip(x / 6 + 0.5, 0, 1),
    "Mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "Relu": jax.nn.relu,
    "Sigmoid": jax.nn.sigmoid,
    "Softplus": jax.nn.softplus,
    "Softsign": jax.nn.soft_sign,
}
OPERATORS: dict[str, Operator] = {
    **{name: _unary(function) for name, function in NUMPY.items()},
    **{name: _binary(function) for name, function in NUMPY_PAIRS.items()},
    **{name: _activation(function) for name, function in ACTIVATIONS.items()},
    "Cast": Operator(_cast, ignored=("saturate", "round_mode")),
    "CastLike": Operator(
        lambda _, x, like: cast(x, np.dtype(like.dtype)), ignored=("saturate", "round_mode")
    ),
    "Celu": Operator(_celu),
    "Clip": Operator(_clip, known=(1, 2)),
    "Div": Operator(_divide),
    "Dropout": Operator(_dropout, known=(1, 2), ignored=("ratio", "seed")),
    "Elu": Operator(_elu),
    "Gelu": Operator(_gelu),
    "HardSigmoid": Operator(_hard_sigmoid),
    "Identity": Operator(lambda _, x: x),
    "LeakyRelu": Operator(_leaky_relu),
    "Max": _variadic("maximum"),
    "Mean": Operator(_mean),
    "Min": _variadic("minimum"),
    "Mod": Operator(_modulo),
    "PRelu": Operator(_prelu),
    "Pow": Operator(_power, known=(1,)),
    "Selu": Operator(_selu),
    "Sum": _variadic("add"),
    "Swish": Operator(_swish),
    "ThresholdedRelu": Operator(_thresholded_relu),
    "Where": Operator(_where),
    "ai.onnx.ml.Scaler": Operator(_scale_features),
}
