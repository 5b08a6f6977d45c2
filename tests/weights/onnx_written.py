"""Writes ONNX files, also wrong ones, by the schema that the reader has."""

import struct

import numpy as np

from ganfail_jax.weights.onnx_files import MODEL
from ganfail_jax.weights.protobuf import BYTES, FIXED32, VARINT

FLOAT, INT64 = 1, 7


def varint(value):
    value %= 2**64
    pieces = []
    while value > 127:
        pieces.append(value & 127 | 128)
        value >>= 7
    return bytes([*pieces, value])


def piece(number, payload):
    return varint(number << 3 | BYTES) + varint(len(payload)) + payload


def _value(number, kind, value):
    if not isinstance(kind, str):
        return piece(number, encode(value, kind))
    if kind == "int":
        return varint(number << 3 | VARINT) + varint(value)
    if kind == "float":
        return varint(number << 3 | FIXED32) + struct.pack("<f", value)
    if kind == "ints":
        return piece(number, b"".join(map(varint, value)))
    if kind in ("floats", "doubles"):
        return piece(number, np.asarray(value, "<f4" if kind == "floats" else "<f8").tobytes())
    return piece(number, value.encode() if isinstance(value, str) else value)


def encode(record, schema=MODEL):
    """A message of a record by names; lists where a field is repeated."""
    parts = []
    for number, field in schema.items():
        if field.name in record:
            values = record[field.name] if field.repeated else [record[field.name]]
            parts += [_value(number, field.kind, value) for value in values]
    return b"".join(parts)


def tensor(name, array, **changes):
    array = np.asarray(array)
    kind = {"f": FLOAT, "i": INT64}[array.dtype.kind]
    array = array.astype("<f4" if kind == FLOAT else "<i8")
    record = {"name": name, "dims": array.shape, "data_type": kind, "raw_data": array.tobytes()}
    return {**record, **changes}


def attribute(name, value):
    if isinstance(value, dict):
        return {"name": name, "type": 4, "t": value}
    if isinstance(value, str):
        return {"name": name, "type": 3, "s": value}
    if isinstance(value, list):
        floats = isinstance(value[0], float)
        kind = {"floats": value} if floats else {"ints": value}
        return {"name": name, "type": 6 if floats else 7, **kind}
    return {"name": name, "type": 2, "i": value}


def node(operator, inputs, outputs, domain="", **attributes):
    """Inputs and outputs as words of a text."""
    return {
        "op_type": operator,
        "input": inputs.split(),
        "output": outputs.split(),
        "domain": domain,
        "attribute": [attribute(name, value) for name, value in attributes.items()],
    }


def value(name, shape, kind=FLOAT):
    dims = [{"value": n} if isinstance(n, int) else {"parameter": n} for n in shape]
    return {"name": name, "type": {"tensor_type": {"elem_type": kind, "shape": {"dim": dims}}}}


def model(nodes, arrays=(), inputs=None, outputs=None, opset=18):
    """A network of `x` [1, 4] to `y`, unless it is said otherwise."""
    graph = {
        "node": list(nodes),
        "initializer": list(arrays),
        "input": inputs or [value("x", (1, 4))],
        "output": outputs or [value("y", ("n", 3))],
    }
    return {"graph": graph, "opset": [{"version": opset}]}


def dense(**changes):
    """The smallest classifier: x W."""
    weights = tensor("W", np.arange(12.0).reshape(4, 3), **changes)
    return model([node("MatMul", "x W", "y")], [weights])
