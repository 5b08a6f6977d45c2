"""A TensorFlow.js graph model, `model.json` and its shards: arrays by name, and the graph.

Source: the format of tfjs-converter 2 to 4. Shards are files beside `model.json`, nothing else is
opened; what is allocated follows from their real lengths.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import files
from ganfail_jax.weights.errors import WeightsError

MODEL, SUFFIX = "model.json", ".json"
MOST_SHARDS, MOST_AXES = 10_000, 8
LARGEST = 1e30  # scale and offset of quantised numbers
DTYPES = {"float32": "<f4", "int32": "<i4"}
QUANTIZED = {"float16": "<f2", "uint8": "u1", "uint16": "<u2"}


class Graph(NamedTuple):
    """A model as read."""

    output: str  # name of the node
    nodes: dict[str, Any]  # name -> {"op", "input", "attr"}
    constants: dict[str, np.ndarray]  # by the node's name


def _parse(raw: bytes) -> dict[str, Any]:
    model = files.parse_json(raw)
    if model.get("format") != "graph-model" or not isinstance(model.get("weightsManifest"), list):
        raise WeightsError("JSON, but no TensorFlow.js graph model")
    return model


def shards(raw: bytes, folder: Path) -> bytearray:
    """The bytes of all shards, one after the other.

    Args:
        raw: of `model.json`.

    Raises:
        WeightsError: a shard is missing or not a regular file in the folder.
    """
    paths = [path for group in _parse(raw)["weightsManifest"] for path in group["paths"]]
    if len(paths) > MOST_SHARDS or len(set(paths)) < len(paths):
        raise WeightsError("a shard that is named twice, or too many shards")
    home = folder.resolve()
    for path in paths:
        file = home / path
        if Path(path).name != path or file.parent != home or file.resolve() != file:
            raise WeightsError(f"its shard {path!r} is not a file in the folder itself")
        if not file.is_file():
            raise WeightsError(f"its shard {path!r} is missing")
    whole = bytearray(sum((home / path).stat().st_size for path in paths))
    view = memoryview(whole)
    for path in paths:
        with files.opened(home / path) as file:
            view = view[file.readinto(view) or 0 :]
    if view:
        raise WeightsError("a shard that changed while it was read")
    return whole


def _meant(array: np.ndarray, rule: Any) -> np.ndarray:
    """The numbers that quantised integers stand for; others are what they are."""
    if not rule or array.dtype.kind == "f":
        return array
    factors = [rule.get("scale"), rule.get("min")]
    if not all(type(x) in (int, float) and abs(x) < LARGEST for x in factors):
        raise WeightsError("an array whose scale and min are no numbers")
    scale, least = map(np.float32, factors)
    return scale * array + least


def _constants(manifest: list[Any], data: bytearray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    at = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        name, shape, rule = str(entry["name"]), entry["shape"], entry.get("quantization")
        if rule and entry["dtype"] != "float32":
            raise WeightsError(f"{name} is quantised, but of type {entry['dtype']}, not float32")
        known, code = (QUANTIZED, rule["dtype"]) if rule else (DTYPES, entry["dtype"])
        if code not in known:
            raise WeightsError(f"{name} is of type {code}; known are {', '.join(known)}")
        dtype = np.dtype(known[code])
        if len(shape) > MOST_AXES or not all(type(n) is int and 0 < n <= len(data) for n in shape):
            raise WeightsError(f"{name} has no proper shape")
        end = at + math.prod(shape) * dtype.itemsize
        if end > len(data) or name in found:
            raise WeightsError(f"{name} is named twice, or its shards are too short")
        array = np.frombuffer(memoryview(data)[at:end], dtype).reshape(shape)
        found[name] = _meant(array, rule)
        at = end
    if at != len(data):
        raise WeightsError(f"its shards have {len(data)} bytes, its arrays only {at}")
    return found


def read(raw: bytes, data: bytearray) -> Graph:
    """A graph and its arrays.

    Args:
        raw: of `model.json`.
        data: what `shards` gave.

    Raises:
        WeightsError: something else than a graph with one output and float or integer arrays.
    """
    model = _parse(raw)
    nodes = {str(node["name"]): node for node in model["modelTopology"]["node"]}
    outputs = model["signature"]["outputs"].values()
    if len(outputs) != 1:
        raise WeightsError(f"a graph with {len(outputs)} outputs, not one")
    (output,) = (str(output["name"]).removesuffix(":0") for output in outputs)
    return Graph(output, nodes, _constants(model["weightsManifest"], data))
