"""NVIDIA's stylegan2-ada-pytorch `.pkl`: the averaged generator of a snapshot.

The pickle embeds the source of its networks; here only names and arrays are looked at.
"""

import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax.nn.stylegan2 import StyleGAN2Config
from ganfail_jax.weights import averages, nvidia, pickles, torch_files
from ganfail_jax.weights.errors import WeightsError

PREFERRED = (*averages.AVERAGED, "G", "generator")
PARTS = {"mapping", "synthesis"}  # what makes a module a generator
DEEPEST, MOST_MODULES, LONGEST = 8, 1_000, 100  # nesting, number and name of modules


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


def _table(budget: pickles.Budget) -> dict[str, pickles.Make | None]:
    persistence = "torch_utils.persistence._reconstruct_persistent_obj"
    easy = {"dnnlib.util.EasyDict": lambda *_: {}, "dnnlib.EasyDict": lambda *_: {}}
    return {**torch_files.table(budget), **easy, persistence: _module}


def _find_generators(root: Any) -> Iterator[tuple[Any, Module]]:
    """Generators in nested dictionaries, by name."""
    waiting, seen = [("", root)], set[int]()
    while waiting:
        name, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Module) and value.part("_modules").keys() >= PARTS:
            yield name, value
        elif isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list | tuple):
            waiting += [(name, inner) for inner in value]


def _submodules(root: Module) -> Iterator[tuple[str, Module]]:
    """A module and those in it by torch's dotted prefix, each once.

    Raises:
        WeightsError: more or deeper modules than a generator has.
    """
    waiting, seen = [("", root, 0)], {id(root)}
    while waiting:
        prefix, module, depth = waiting.pop()
        yield prefix, module
        for name, inner in module.part("_modules").items():
            if not isinstance(inner, Module) or id(inner) in seen:
                continue
            if depth == DEEPEST or len(seen) == MOST_MODULES or len(str(name)) > LONGEST:
                raise WeightsError("more, deeper or longer named modules than a generator has")
            seen.add(id(inner))
            waiting.append((f"{prefix}{name}.", inner, depth + 1))


def _named_tensors(root: Module) -> Iterator[tuple[str, Any]]:
    for prefix, module in _submodules(root):
        for part in ("_parameters", "_buffers"):
            for name, tensor in module.part(part).items():
                if tensor is not None:
                    yield f"{prefix}{str(name)[:LONGEST]}", tensor


def _settings(root: Module, name: str, within: str = "") -> set[Any]:
    """The values that the modules of a prefix have for one of their attributes."""
    found = [m.state.get(name) for prefix, m in _submodules(root) if prefix.startswith(within)]
    return {value for value in found if isinstance(value, str | int | float)}


def _conv_clamp(generator: Module) -> float | None:
    """The limit of every layer's output.

    Raises:
        WeightsError: the layers compute something else than StyleGAN2's.
    """
    if not _settings(generator, "architecture") <= {"skip"}:
        raise WeightsError("a generator of another architecture than skip")
    if not _settings(generator, "activation") <= {"lrelu", "linear"}:
        raise WeightsError("layers with another activation than lrelu")
    if False in _settings(generator, "use_noise"):
        raise WeightsError("layers without noise")
    if not _settings(generator, "bias_gain", "mapping.fc") <= {0.01}:
        raise WeightsError("a mapping network whose learning rate multiplier is not 0.01")
    clamps = _settings(generator, "conv_clamp")
    if len(clamps) > 1 or not all(isinstance(x, int | float) and 0 < x < 1e6 for x in clamps):
        raise WeightsError("layers whose conv_clamp is not one number")
    return float(clamps.pop()) if clamps else None


def read(raw: bytes) -> tuple[StyleGAN2Config, dict[str, np.ndarray], tuple[str, ...]]:
    """The averaged generator in a `.pkl`: its architecture, its arrays by NVIDIA's names, remarks.

    Raises:
        WeightsError: damaged, not NVIDIA's, or without a StyleGAN2 generator.
    """
    budget = pickles.Budget(len(raw))
    root = pickles.read(io.BytesIO(raw), _table(budget), budget)
    generators = list(_find_generators(root))
    if not generators:
        raise WeightsError("there is no StyleGAN2 generator of PyTorch in it")
    names = [name for name, _ in generators]
    taken = next((name for name in PREFERRED if name in names), names[0])
    generator = generators[names.index(taken)][1]
    arrays = torch_files.named_arrays(_named_tensors(generator), len(raw))
    config = nvidia.infer_config(arrays, _conv_clamp(generator))
    return config, arrays, averages.remarks(taken, names)
