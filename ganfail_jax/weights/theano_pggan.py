"""PGGAN's first version (Theano): the state of its `Network` as its TensorFlow version has it.

Source: tkarras/progressive_growing_of_gans, network.py of the branch for Theano and legacy.py. It
keeps the parameters without names, in the order of the layers: weight, scale and bias of each.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.numpy_pickles import Array
from ganfail_jax.weights.nvidia import RESOLUTIONS

FUNCTIONS = ("G_paper", "G_progressive_8")
# Setting -> the only value whose layers are those of the TensorFlow version
WANTED = {
    "label_size": 0,  # else labels are appended to z after its normalisation
    "use_wscale": True,
    "use_batchnorm": False,
    "tanh_at_end": None,
}


def _value(parameter: Any) -> np.ndarray:
    array = parameter.values if isinstance(parameter, Array) else parameter
    if not isinstance(array, np.ndarray | float):
        raise WeightsError("a parameter that is no array")
    return np.asarray(array, np.float32)


def _kernel(weight: np.ndarray, name: str) -> np.ndarray:
    """The weight as TensorFlow's: Theano's convolutions flip their kernels."""
    if name.startswith("ToRGB") and weight.ndim == 2:
        return weight[None, None]
    if weight.ndim != 4:
        raise WeightsError(f"{name} has shape {weight.shape}, which is no kernel")
    if name == "4x4/Dense":
        # a full convolution of one pixel copies the kernel as it is
        return weight.transpose(1, 0, 2, 3).reshape(weight.shape[1], -1)
    return weight.transpose(2, 3, 1, 0)[::-1, ::-1]


def _layers(resolution: int) -> Iterator[tuple[str, float]]:
    """Name and gain of each layer in the order of the parameters."""
    relu = math.sqrt(2)
    yield from (("4x4/Dense", relu / 4), ("4x4/Conv", relu))
    growing = [size for size in RESOLUTIONS[1:] if size <= resolution]
    yield from ((f"{r}x{r}/Conv{i}", relu) for r in growing for i in (0, 1))
    yield from ((f"ToRGB_lod{n}", 1.0) for n in range(len(growing) + 1))


def is_network(state: Mapping[str, Any]) -> bool:
    """Whether a `Network` is of Theano."""
    return "version" not in state and isinstance(state.get("build_func_spec"), dict)


def is_generator(state: Mapping[str, Any]) -> bool:
    return state["build_func_spec"].get("func") in FUNCTIONS


def as_tensorflow(state: Mapping[str, Any], size: int) -> dict[str, Any]:
    """A generator's state in version 2 of TensorFlow's.

    Args:
        size: of the file in bytes, which bounds all parameters together.

    Raises:
        WeightsError: a generator that the TensorFlow version cannot be.
    """
    spec, parameters = state["build_func_spec"], state.get("param_values")
    resolution = spec.get("resolution", 32)
    for name, value in WANTED.items():
        if spec.get(name, value) != value:
            raise WeightsError(f"a generator of Theano whose {name} is not {value}")
    if type(resolution) is not int or resolution not in RESOLUTIONS:
        raise WeightsError("a generator of Theano without a proper resolution")
    layers = list(_layers(resolution))
    if not isinstance(parameters, list) or len(parameters) != 3 * len(layers):
        raise WeightsError(f"a generator of Theano without {3 * len(layers)} parameters")
    top = state.get("toplevel_params")
    lod = top.get("cur_lod", 0.0) if isinstance(top, dict) else 0.0
    variables = [("lod", _value(lod))]
    for i, (name, gain) in enumerate(layers):
        weight, scale, bias = map(_value, parameters[3 * i : 3 * i + 3])
        size -= weight.nbytes + bias.nbytes
        if size < 0:
            raise WeightsError("parameters that share their bytes")
        kernel = _kernel(weight, name)
        if scale.shape != ():
            raise WeightsError(f"the scale of {name} is no single number")
        run_time = gain / math.sqrt(math.prod(kernel.shape[:-1]))
        variables += [(f"{name}/weight", kernel * (scale / run_time)), (f"{name}/bias", bias)]
    return {
        "version": 2,
        "build_func_name": "G_paper",
        "static_kwargs": {k: v for k, v in spec.items() if k != "func"},
        "variables": variables,
    }
