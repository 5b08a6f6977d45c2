"""NVIDIA's stylegan2-ada-pytorch `.pkl`: the averaged generator of a snapshot.

The pickle embeds the source of its networks; here only names and arrays are looked at.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax.nn.stylegan2 import StyleGAN2Config
from ganfail_jax.weights import nvidia, pickles, torch_files
from ganfail_jax.weights.errors import WeightsError

PREFERRED = ("G_ema", "g_ema", "Gs", "G", "generator")  # averaged networks first
PARTS = {"mapping", "synthesis"}  # what makes a module a generator


class Module(NamedTuple):
    """A pickled torch module."""

    class_name: str
    state: Mapping[str, Any]

    def part(self, name: str) -> Mapping[str, Any]:
        """Its `_modules`, `_parameters` or `_buffers`."""
        found = self.state.get(name, {})
        return found if isinstance(found, Mapping) else {}


def _module(meta: Any) -> Module:
    name, state = meta["class_name"], meta["state"]
    if not isinstance(name, str) or not isinstance(state, dict):
        raise ValueError("a persistent object without a class name or a state")
    return Module(name, state)


def _table(size: int) -> dict[str, pickles.Make | None]:
    persistence = "torch_utils.persistence._reconstruct_persistent_obj"
    easy = {"dnnlib.util.EasyDict": lambda *_: {}, "dnnlib.EasyDict": lambda *_: {}}
    return {**torch_files.table(size), **easy, persistence: _module}


def _find_generators(root: Any) -> Iterator[tuple[int, Module]]:
    """Generators in nested dictionaries, with their place in PREFERRED."""
    waiting, seen = [("", root)], set[int]()
    while waiting:
        name, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Module) and value.part("_modules").keys() >= PARTS:
            yield PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), value
        elif isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list | tuple):
            waiting += [(name, inner) for inner in value]


def _submodules(root: Module) -> Iterator[tuple[str, Module]]:
    """A module and those in it by torch's dotted prefix, each once."""
    waiting, seen = [("", root)], set[int]()
    while waiting:
        prefix, module = waiting.pop()
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield prefix, module
        inner = module.part("_modules").items()
        waiting += [(f"{prefix}{name}.", m) for name, m in inner if isinstance(m, Module)]


def named_arrays(root: Module) -> dict[str, np.ndarray]:
    """Parameters and buffers by torch's dotted names.

    Raises:
        WeightsError: one of them is no tensor.
    """
    found: dict[str, np.ndarray] = {}
    for prefix, module in _submodules(root):
        for part in ("_parameters", "_buffers"):
            for name, tensor in module.part(part).items():
                if isinstance(tensor, torch_files.Tensor):
                    found[f"{prefix}{name}"] = tensor.array()
                elif tensor is not None:
                    raise WeightsError(f"{prefix}{name} is no tensor")
    return found


def _settings(root: Module, name: str) -> set[Any]:
    """The values that the modules have for one of their attributes."""
    values = [m.state[name] for _, m in _submodules(root) if name in m.state]
    return {value for value in values if isinstance(value, pickles.KEYS)}


def read(raw: bytes) -> tuple[StyleGAN2Config, dict[str, np.ndarray]]:
    """The averaged generator in a `.pkl`: its architecture and its arrays by NVIDIA's names.

    Raises:
        WeightsError: damaged, not NVIDIA's, or without a StyleGAN2 generator.
    """
    root = pickles.read(io.BytesIO(raw), _table(len(raw)))
    generators = sorted(_find_generators(root), key=lambda found: found[0])
    if not generators:
        raise WeightsError("there is no StyleGAN2 generator of PyTorch in it")
    generator = generators[0][1]
    architectures = _settings(generator, "architecture") - {"skip"}
    if architectures:
        raise WeightsError(f"a generator of architecture {architectures.pop()}; skip is supported")
    clamps = _settings(generator, "conv_clamp")
    if len(clamps) > 1:
        raise WeightsError("layers with different conv_clamp")
    arrays = named_arrays(generator)
    return nvidia.infer_config(arrays, clamps.pop() if clamps else None), arrays
