"""ONNX files as records and numpy arrays: data only, nothing of them is ever executed.

The message definitions are those of onnx.proto (github.com/onnx/onnx, IR version 13), as far as a
network without control flow needs them. Arrays are views of the file's bytes.
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ganfail_jax import files
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.protobuf import Decoder, Field

MOST_NODES, MOST_OUTPUTS = 5_000, 64
LARGEST_DIMENSION, MOST_DIMENSIONS = 2**31, 8
FLOAT, STRING, BOOL, FLOAT16, BFLOAT16 = 1, 8, 9, 10, 16
DTYPES = {  # TensorProto.DataType -> type in raw_data
    FLOAT: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    4: np.dtype("<u2"),
    5: np.dtype("<i2"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    BOOL: np.dtype("?"),
    FLOAT16: np.dtype("<f2"),
    11: np.dtype("<f8"),
    12: np.dtype("<u4"),
    13: np.dtype("<u8"),
    BFLOAT16: np.dtype(jnp.bfloat16),
}
FIELDS = {"<f4": "float_data", "<f8": "double_data", "<i8": "int64_data"}
EXTERNAL = 1  # TensorProto.DataLocation
ATTRIBUTES = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}  # by type

ENTRY = {1: Field("key", "text"), 2: Field("value", "text")}
TENSOR = {
    1: Field("dims", "ints"),
    2: Field("data_type", "int"),
    3: Field("segment", "bytes"),
    4: Field("float_data", "floats"),
    5: Field("int32_data", "ints"),
    6: Field("string_data", "bytes", True),
    7: Field("int64_data", "ints"),
    8: Field("name", "text"),
    9: Field("raw_data", "bytes"),
    10: Field("double_data", "doubles"),
    11: Field("uint64_data", "ints"),
    13: Field("external_data", ENTRY, True),
    14: Field("data_location", "int"),
}
ATTRIBUTE = {
    1: Field("name", "text"),
    2: Field("f", "float"),
    3: Field("i", "int"),
    4: Field("s", "bytes"),
    5: Field("t", TENSOR),
    7: Field("floats", "floats"),
    8: Field("ints", "ints"),
    9: Field("strings", "bytes", True),
    20: Field("type", "int"),
    21: Field("ref_attr_name", "text"),
}
NODE = {
    1: Field("input", "text", True),
    2: Field("output", "text", True),
    3: Field("name", "text"),
    4: Field("op_type", "text"),
    5: Field("attribute", ATTRIBUTE, True),
    7: Field("domain", "text"),
}
DIMENSION = {1: Field("value", "int"), 2: Field("parameter", "text")}
SHAPE = {1: Field("dim", DIMENSION, True)}
TENSOR_TYPE = {1: Field("elem_type", "int"), 2: Field("shape", SHAPE)}
VALUE = {1: Field("name", "text"), 2: Field("type", {1: Field("tensor_type", TENSOR_TYPE)})}
GRAPH = {
    1: Field("node", NODE, True),
    5: Field("initializer", TENSOR, True),
    11: Field("input", VALUE, True),
    12: Field("output", VALUE, True),
    15: Field("sparse_initializer", "bytes", True),
}
OPSET = {1: Field("domain", "text"), 2: Field("version", "int")}
MODEL = {1: Field("ir_version", "int"), 7: Field("graph", GRAPH), 8: Field("opset", OPSET, True)}


class Value(NamedTuple):
    """An input or output of a graph."""

    name: str
    dtype: np.dtype | None  # None: not a tensor of numbers
    shape: tuple[int | None, ...] | None  # None: left open


class Node(NamedTuple):
    """One application of an operator."""

    operator: str  # "Conv", or "ai.onnx.ml.Scaler": with its domain unless it is ONNX's own
    name: str
    inputs: tuple[str, ...]  # an empty name: left out
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]  # None: of a type that is not read, such as a graph

    def __str__(self) -> str:
        return f"node {self.name or ', '.join(self.outputs)!r} ({self.operator})"


class Graph(NamedTuple):
    """A network as stored."""

    nodes: tuple[Node, ...]
    initialisers: Mapping[str, np.ndarray]
    inputs: tuple[Value, ...]  # without the initialisers, which old files list too
    outputs: tuple[Value, ...]
    opset: int  # version of ONNX's own operators


class _ExternalFiles:
    """Arrays in files beside the model, which together are not larger than those files."""

    def __init__(self, folder: Path | None):
        self.folder = folder and folder.resolve()
        self.contents: dict[Path, bytes] = {}
        self.bytes_left: dict[Path, int] = {}

    def data(self, entries: Mapping[str, str]) -> memoryview:
        location = entries.get("location", "")
        if self.folder is None:
            raise WeightsError(f"external data {location}")
        path = (self.folder / location).resolve()
        if Path(location).is_absolute() or not path.is_relative_to(self.folder):
            raise WeightsError(f"external data outside of the file's folder: {location}")
        if path not in self.contents:
            try:
                self.contents[path] = files.read(path)
            except OSError as error:
                raise WeightsError(f"external data {location}: {error.strerror}") from error
            self.bytes_left[path] = len(self.contents[path])
        size = len(self.contents[path])
        start = _count(entries.get("offset", "0"))
        length = _count(entries.get("length", str(max(size - start, 0))))
        self.bytes_left[path] -= length
        if start + length > size or self.bytes_left[path] < 0:
            raise WeightsError(f"external data {location} has {size} bytes, fewer than are used")
        return memoryview(self.contents[path])[start : start + length]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise WeightsError("external data with an offset or length that is not a number")
    return int(text)


def read(path: str | os.PathLike[str]) -> Graph:
    """The graph of an ONNX file.

    Raises:
        WeightsError: one line that names the file: it is not one, damaged, refers to files outside
            of its folder, or uses what is not read.
    """
    with files.refusals(path, WeightsError):
        return parse(files.read(path), Path(path).parent)


def parse(raw: bytes, folder: Path | None = None) -> Graph:
    """The graph of an ONNX file in memory.

    Args:
        folder: where files with further arrays may lie; None: nowhere.

    Raises:
        WeightsError, ValueError: as `read`, without a name of the file.
    """
    model = Decoder().message(memoryview(raw), MODEL)
    versions = [o.get("version", 0) for o in model.get("opset", []) if not _domain(o)]
    if "graph" not in model or len(versions) != 1:
        raise WeightsError("not an ONNX model: it has no graph or no version of its operators")
    return _graph(model["graph"], versions[0], _ExternalFiles(folder))


def _domain(record: Mapping[str, Any]) -> str:
    domain = record.get("domain", "")
    return "" if domain == "ai.onnx" else domain


def _graph(record: Mapping[str, Any], opset: int, external: _ExternalFiles) -> Graph:
    nodes = record.get("node", [])
    if len(nodes) > MOST_NODES:
        raise WeightsError(f"{len(nodes)} nodes; at most {MOST_NODES} are read")
    if len(record.get("output", [])) > MOST_OUTPUTS:
        raise WeightsError(f"more than {MOST_OUTPUTS} outputs")
    if "sparse_initializer" in record:
        raise WeightsError("sparse arrays are not read")
    initialisers: dict[str, np.ndarray] = {}
    for tensor in record.get("initializer", []):
        name = tensor.get("name", "")
        if name in initialisers:
            raise WeightsError(f"two arrays called {name}")
        initialisers[name] = _tensor(tensor, name, external)
    values = [_value(v) for v in record.get("input", [])]
    return Graph(
        tuple(_node(node, external) for node in nodes),
        initialisers,
        tuple(v for v in values if v.name not in initialisers),
        tuple(_value(v) for v in record.get("output", [])),
        opset,
    )


def _value(record: Mapping[str, Any]) -> Value:
    tensor = record.get("type", {}).get("tensor_type", {})
    shape = None
    if "shape" in tensor:
        sizes = [d.get("value") for d in tensor["shape"].get("dim", [])]
        shape = tuple(n if n is not None and 0 < n < LARGEST_DIMENSION else None for n in sizes)
    return Value(record.get("name", ""), DTYPES.get(tensor.get("elem_type")), shape)


def _node(record: Mapping[str, Any], external: _ExternalFiles) -> Node:
    domain = _domain(record)
    operator = (f"{domain}." if domain else "") + record.get("op_type", "")
    name = record.get("name", "")
    attributes: dict[str, Any] = {}
    for attribute in record.get("attribute", []):
        key = attribute.get("name", "")
        if key in attributes:
            raise WeightsError(f"two attributes {key} of a node {operator}")
        attributes[key] = _attribute(attribute, f"{operator}'s {key}", external)
    return Node(
        operator, name, tuple(record.get("input", [])), tuple(record.get("output", [])), attributes
    )


def _attribute(record: Mapping[str, Any], name: str, external: _ExternalFiles) -> Any:
    kind = ATTRIBUTES.get(record.get("type", 0))
    if kind is None or "ref_attr_name" in record:
        return None
    if kind == "i":
        return record.get("i", 0)
    if kind == "f":
        return record.get("f", 0.0)
    if kind == "s":
        return bytes(record.get("s", b"")).decode(errors="replace")
    if kind == "t":
        return _tensor(record.get("t", {}), name, external)
    if kind == "strings":
        return tuple(bytes(text).decode(errors="replace") for text in record.get("strings", []))
    return tuple(record.get(kind, np.zeros(0)).tolist())


def _tensor(record: Mapping[str, Any], name: str, external: _ExternalFiles) -> np.ndarray:
    """An array, which holds as many bytes as its shape announces; texts as objects."""
    shape = tuple(record.get("dims", np.zeros(0, np.int64)).tolist())
    if len(shape) > MOST_DIMENSIONS or not all(0 <= n < LARGEST_DIMENSION for n in shape):
        raise WeightsError(f"{name} has shape {shape[: MOST_DIMENSIONS + 1]}")
    kind = record.get("data_type", 0)
    if kind == STRING:
        texts = [bytes(text).decode(errors="replace") for text in record.get("string_data", [])]
        data = np.array(texts, object)
    elif kind not in DTYPES or "segment" in record:
        raise WeightsError(f"{name} is of a type that is not read (ONNX data type {kind})")
    else:
        data = _numbers(record, DTYPES[kind], name, external)
    if data.size != math.prod(shape):
        raise WeightsError(f"{name} has {data.size} elements, but shape {shape}")
    return data.reshape(shape)


def _numbers(
    record: Mapping[str, Any], dtype: np.dtype, name: str, external: _ExternalFiles
) -> np.ndarray:
    if record.get("data_location", 0) == EXTERNAL:
        entries = {e.get("key", ""): e.get("value", "") for e in record.get("external_data", [])}
        raw = external.data(entries)
    elif "raw_data" in record:
        raw = record["raw_data"]
    else:
        return _from_fields(record, dtype)
    if len(raw) % dtype.itemsize:
        raise WeightsError(f"{name} has {len(raw)} bytes, which is not a whole number of {dtype}")
    data = np.frombuffer(raw, dtype)
    if dtype == np.bool_ and (data.view(np.uint8) > 1).any():
        raise WeightsError(f"{name} holds truth values other than 0 and 1")
    return data


def _from_fields(record: Mapping[str, Any], dtype: np.dtype) -> np.ndarray:
    """Elements in a typed field; those of narrow types are in int32_data, float16 by their bits."""
    if dtype in (np.dtype("<u4"), np.dtype("<u8")):
        field = "uint64_data"
    else:
        field = FIELDS.get(dtype.str, "int32_data")
    data = record.get(field, np.zeros(0, np.int64))
    if dtype.itemsize == 2 and dtype.kind not in "iu":
        return data.astype(np.uint16).view(dtype)
    return data.astype(dtype)
