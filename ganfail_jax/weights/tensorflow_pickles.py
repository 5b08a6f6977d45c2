"""NVIDIA's TensorFlow `.pkl` (StyleGAN2, StyleGAN2-ADA, PGGAN): the averaged generator's arrays.

Such a file is a pickle of `Network` objects, mostly the tuple (G, D, Gs). The state of each has the
arguments of the function that built it, its variables and its parts, and that function's source
text, which is never looked at. Source: `Network.__getstate__` in dnnlib/tflib/network.py (versions
3 to 5) and tfutil.py (2); network.py of PGGAN's Theano version has none (`theano_pggan`).
"""

import io
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax.errors import one_line
from ganfail_jax.weights import averages, numpy_pickles, pickles, theano_pggan
from ganfail_jax.weights.errors import WeightsError

CLASSES = ("dnnlib.tflib.network.Network", "tfutil.Network", "network.Network")
MENTION = re.compile(  # as the opcodes GLOBAL and INST, or as the two texts of a STACK_GLOBAL
    rb"(?:[ci]|\x8c[\x06\x07\x14])(?:dnnlib\.tflib\.network|tfutil|network)(?:\n|\x94?\x8c\x07)Network"
)
HEAD = 4096  # bytes within which the first network is named
VERSIONS = (2, 3, 4, 5)
PARTS = {"mapping", "synthesis"}  # of a StyleGAN
MOST_NETWORKS, MOST_VARIABLES, LONGEST_NAME = 32, 1_000, 200


class Network(NamedTuple):
    """A generator. Its parts are "" for the whole and, in StyleGANs, "mapping" and "synthesis"."""

    functions: dict[str, str]  # part -> name of the function that computes it
    settings: dict[str, dict[str, Any]]  # part -> that function's arguments, the whole's first
    arrays: dict[str, np.ndarray]  # such as "mapping/Dense0/weight"
    remarks: tuple[str, ...] = ()  # on which network this is


def is_tensorflow(raw: bytes) -> bool:
    """Whether these bytes are a pickle, of any protocol, whose first object is a `Network`."""
    return MENTION.search(raw, 0, HEAD) is not None


def _table(budget: pickles.Budget) -> dict[str, pickles.Make | None]:
    def make_dict(pairs: Any = ()) -> dict[Any, Any]:
        budget.spend(64 * len(pairs))
        pairs = pairs.items() if isinstance(pairs, dict) else pairs
        return {pickles.key(name): value for name, value in pairs}

    def reconstruct(kind: Any, _: Any, values: Any) -> Any:
        """Python 2's and protocol 1's way to write an object, or a dict of another class."""
        if not isinstance(kind, pickles.Name) or kind.name not in (*CLASSES, *easy):
            raise ValueError("an object of an unknown class")
        return pickles.Opaque(kind.name) if kind.name in CLASSES else make_dict(values)

    easy = ("dnnlib.util.EasyDict", "dnnlib.EasyDict")
    modules, kinds = ("builtins", "__builtin__"), ("object", "dict")
    builtin = [f"{module}.{kind}" for module in modules for kind in kinds]
    return {
        **numpy_pickles.table(budget),
        **dict.fromkeys(CLASSES, lambda *_: pickles.Opaque("Network")),
        **dict.fromkeys(easy, lambda *_: {}),
        **dict.fromkeys(("copy_reg._reconstructor", "copyreg._reconstructor"), reconstruct),
        **dict.fromkeys(builtin),
        "collections.OrderedDict": make_dict,
    }


def _states(root: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The networks in nested containers in their order: a name and the state."""
    waiting, seen = [(None, root)], set[int]()
    for name, value in waiting:
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, pickles.Opaque) and isinstance(value.state, dict):
            yield name if name in averages.AVERAGED else value.state.get("name"), value.state
        elif isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list | tuple):
            waiting += [(name, inner) for inner in value]


def _field(state: Mapping[str, Any], name: str, kind: type) -> Any:
    found = state.get(name)
    if not isinstance(found, kind):
        raise WeightsError(f"a network whose {name} is no {kind.__name__}")
    return found


def _variables(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    pairs = _field(state, "variables", list)
    if len(pairs) > MOST_VARIABLES:
        raise WeightsError(f"a network of more than {MOST_VARIABLES} variables")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise WeightsError("a variable that is no pair of a name and its value")
        name, value = pair
        if not isinstance(name, str) or not name.isascii() or len(name) > LONGEST_NAME:
            raise WeightsError("a variable without a proper name")
        yield name, value


def _components(state: Mapping[str, Any]) -> dict[Any, Any]:
    found = state.get("components")  # none before version 3
    return found if isinstance(found, dict) else {}


def _is_generator(state: Mapping[str, Any]) -> bool:
    if theano_pggan.is_network(state):
        return theano_pggan.is_generator(state)
    return _components(state).keys() >= PARTS or any(
        name.startswith("ToRGB_lod") for name, _ in _variables(state)
    )


def _array(name: str, value: Any) -> np.ndarray:
    """A variable's value: numpy pickles scalars as numbers."""
    array = value.values if isinstance(value, numpy_pickles.Array) else value
    array = np.asarray(array, np.float32) if isinstance(array, float) else array
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise WeightsError(f"{name} is no array of floats")
    return array


def _network(state: dict[str, Any], size: int) -> Network:
    """A generator's state, with those of its parts, as functions, settings and arrays."""
    parts = {"": state}
    for name, part in _components(state).items():
        if name not in PARTS or not isinstance(part, pickles.Opaque):
            raise WeightsError(f"a generator with an unknown part {one_line(KeyError(name))}")
        parts[name] = part.state if isinstance(part.state, dict) else {}
    whole = _field(state, "static_kwargs", dict)
    found = Network({}, {}, {})
    for part, own in parts.items():
        if own.get("version") not in VERSIONS:
            raise WeightsError(f"a network of another version than {VERSIONS[0]} to {VERSIONS[-1]}")
        if part and own.get("components"):
            raise WeightsError(f"the part {part} has parts itself")
        found.functions[part] = _field(own, "build_func_name", str)
        found.settings[part] = {**_field(own, "static_kwargs", dict), **whole}
        for name, value in _variables(own):
            full = f"{part}/{name}" if part else name
            if full in found.arrays:
                raise WeightsError(f"two variables called {full}")
            found.arrays[full] = _array(full, value)
            size -= found.arrays[full].nbytes
            if size < 0:
                raise WeightsError("variables that share their bytes")
    return found


def check(
    network: Network,
    functions: Mapping[str, Collection[str]],
    wanted: Mapping[str, Collection[Any]],
    free: Collection[str],
) -> None:
    """That a network computes what ours does.

    Args:
        functions: part -> the functions that do.
        wanted: setting -> the values with which they do.
        free: settings that do not matter, or show in the arrays' shapes.

    Raises:
        WeightsError: another function, a setting of another value or an unknown one.
    """
    for part, names in functions.items():
        if network.functions.get(part) not in names:
            built = one_line(ValueError(network.functions.get(part)))
            raise WeightsError(
                f"a {part or 'generator'} that is built by {built}; known are {', '.join(names)}"
            )
    for settings in network.settings.values():
        for name, value in settings.items():
            if name not in wanted and name not in free:
                raise WeightsError(f"an unknown setting {one_line(ValueError(name))}")
            if name in wanted and value not in wanted[name]:
                short = (
                    value if isinstance(value, str | int | float | None) else type(value).__name__
                )
                raise WeightsError(f"{name} is {short}; ours is {next(iter(wanted[name]))}")


def read(raw: bytes) -> Network:
    """The averaged generator in a `.pkl`.

    Raises:
        WeightsError: damaged, not NVIDIA's, or without a generator.
    """
    budget = pickles.Budget(len(raw))
    root = pickles.read(io.BytesIO(raw), _table(budget), budget)
    states = list(_states(root))
    if len(states) > MOST_NETWORKS:
        raise WeightsError(f"more than {MOST_NETWORKS} networks")
    generators = [(name, state) for name, state in states if _is_generator(state)]
    if not generators:
        raise WeightsError("there is no generator of TensorFlow in it")
    averaged = [pair for pair in generators if pair[0] in averages.AVERAGED]
    # without names the order of the tuple (G, D, Gs) tells
    taken, state = averaged[0] if averaged else generators[-1]
    if theano_pggan.is_network(state):
        state = theano_pggan.as_tensorflow(state, len(raw))
    remarks = averages.remarks(taken, [name for name, _ in generators])
    return _network(state, len(raw))._replace(remarks=remarks)
