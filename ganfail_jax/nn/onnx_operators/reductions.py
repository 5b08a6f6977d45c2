"""ONNX's sums, means and extremes over axes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ganfail_jax.nn.onnx_operators.context import Context, Operator, Tensor, axis_of, backend
from ganfail_jax.nn.onnx_operators.shapes import axes_of


def _reduction(reduce: Callable[..., Any]) -> Operator:
    """One of numpy's or jax.numpy's functions (module, x, axes, keepdims); all axes by default."""

    def function(node: Context, x: Tensor, axes: Tensor = None) -> Tensor:
        where = axes_of(node, axes, x.ndim)
        keep = bool(node.integer("keepdims", 1))
        if not where:
            if node.integer("noop_with_empty_axes", 0):
                return x
            where = range(x.ndim)
        node.require("noop_with_empty_axes", 0, 1)
        xp = backend(x)
        return xp.asarray(reduce(xp, x, tuple(where), keep)).astype(x.dtype)

    return Operator(function, known=(1,))


def _norm(xp: Any, x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    return xp.sqrt(xp.sum(xp.square(x), axis=axes, keepdims=keep))


def _log_sum_exp(_: Any, x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    return jax.nn.logsumexp(x, axes, keepdims=keep)


def _simple(name: str) -> Operator:
    return _reduction(lambda xp, x, axes, keep: getattr(xp, name)(x, axis=axes, keepdims=keep))


def _arg_extreme(name: str) -> Operator:
    def function(node: Context, x: Tensor) -> Tensor:
        axis = axis_of(node.integer("axis", 0), x.ndim)
        node.require("select_last_index", 0)
        keep = bool(node.integer("keepdims", 1))
        return getattr(backend(x), name)(x, axis=axis, keepdims=keep)

    return Operator(function)


def _cumulative_sum(node: Context, x: Tensor, axis: Tensor) -> Tensor:
    node.require("reverse", 0)
    node.require("exclusive", 0)
    return backend(x).cumsum(x, axis_of(int(np.asarray(axis).reshape(())), x.ndim))


OPERATORS: dict[str, Operator] = {
    "ArgMax": _arg_extreme("argmax"),
    "ArgMin": _arg_extreme("argmin"),
    "CumSum": Operator(_cumulative_sum, known=(1,)),
    "ReduceL1": _reduction(lambda xp, x, a, keep: xp.sum(xp.abs(x), axis=a, keepdims=keep)),
    "ReduceL2": _reduction(_norm),
    "ReduceLogSumExp": _reduction(_log_sum_exp),
    "ReduceMax": _simple("max"),
    "ReduceMean": _simple("mean"),
    "ReduceMin": _simple("min"),
    "ReduceProd": _simple("prod"),
    "ReduceSum": _simple("sum"),
    "ReduceSumSquare": _reduction(lambda xp, x, a, keep: xp.sum(x * x, axis=a, keepdims=keep)),
}
