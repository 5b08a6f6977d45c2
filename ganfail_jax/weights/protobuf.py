"""The wire format of Protocol Buffers, decoded by a schema and bounded by the file.

Numbers and lengths are checked before anything is made of them; payloads are views of the file's
bytes. Nothing recurses deeper than the schema. Source: protobuf.dev, "Encoding".
"""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax.weights.errors import WeightsError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; groups (3, 4) are long deprecated
SIZES = {FIXED64: 8, FIXED32: 4}
WIDEST = 64  # bits of a number
MOST_FIELDS = 200_000  # of a file; a vision transformer of twelve layers has 6,500


class Field(NamedTuple):
    """What a field number stands for."""

    name: str
    kind: "str | Schema"  # int, float, bytes, text; ints, floats, doubles (arrays); or a message
    repeated: bool = False  # a list; arrays repeat without it


Schema = Mapping[int, Field]
ARRAYS = {"ints": (VARINT, "<i8"), "floats": (FIXED32, "<f4"), "doubles": (FIXED64, "<f8")}
WIRES = {"int": VARINT, "float": FIXED32, "bytes": BYTES, "text": BYTES}


class Decoder:
    """Messages of one file, which share the number of fields that they may have."""

    def __init__(self) -> None:
        self.fields_left = MOST_FIELDS

    def message(self, data: memoryview, schema: Schema) -> dict[str, Any]:
        """Values by name; unknown fields are skipped, absent ones are absent.

        Raises:
            WeightsError: truncated, of another wire type than the schema's, a value that comes
                twice, or too many fields.
        """
        values: dict[str, Any] = {}
        position = 0
        while position < len(data):
            self.fields_left -= 1
            if self.fields_left < 0:
                raise WeightsError("more fields than a network has")
            key, position = _varint(data, position)
            wire = key & 7
            value, position = _payload(data, position, wire)
            field = schema.get(key >> 3)
            if field is not None:
                self._add(values, field, wire, value)
        for field in schema.values():
            if isinstance(field.kind, str) and field.kind in ARRAYS and field.name in values:
                values[field.name] = np.concatenate(values[field.name])
        return values

    def _add(self, values: dict[str, Any], field: Field, wire: int, value: Any) -> None:
        """Convert one payload and put it where it belongs."""
        kind = field.kind
        if isinstance(kind, str) and kind in ARRAYS:
            values.setdefault(field.name, []).append(_array(kind, wire, value))
            return
        if wire != (WIRES[kind] if isinstance(kind, str) else BYTES):
            raise WeightsError(f"{field.name} has wire type {wire}")
        if not isinstance(kind, str):
            value = self.message(value, kind)
        elif kind == "int":
            value = _signed(value)
        elif kind == "float":
            value = struct.unpack("<f", value)[0]
        elif kind == "text":
            value = bytes(value).decode()
        if field.repeated:
            values.setdefault(field.name, []).append(value)
        elif field.name in values:
            raise WeightsError(f"two values of {field.name}")
        else:
            values[field.name] = value


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """An unsigned number and the position after it."""
    value = shift = 0
    while position < len(data) and shift < WIDEST:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**WIDEST - 1), position
        shift += 7
    raise WeightsError("truncated or damaged: a number does not end")


def _payload(data: memoryview, position: int, wire: int) -> tuple[Any, int]:
    if wire == VARINT:
        return _varint(data, position)
    if wire == BYTES:
        size, position = _varint(data, position)
    elif wire in SIZES:
        size = SIZES[wire]
    else:
        raise WeightsError(f"damaged: a field of wire type {wire}")
    if size > len(data) - position:
        raise WeightsError(f"truncated: {size} bytes announced, {len(data) - position} left")
    return data[position : position + size], position + size


def _signed(value: int) -> int:
    return value - 2**WIDEST if value >= 2 ** (WIDEST - 1) else value


def _array(kind: str, wire: int, value: Any) -> np.ndarray:
    """The numbers of one field: one, or many that are packed."""
    single, dtype = ARRAYS[kind]
    if wire == VARINT == single:
        return np.array([_signed(value)], dtype)
    if wire not in (single, BYTES):
        raise WeightsError(f"an array of {kind} has wire type {wire}")
    if single == VARINT:
        return _packed_varints(np.frombuffer(value, np.uint8))
    if len(value) % SIZES[single]:
        raise WeightsError(f"an array of {kind} has {len(value)} bytes")
    return np.frombuffer(value, dtype)


def _packed_varints(data: np.ndarray) -> np.ndarray:
    ends = np.flatnonzero(data < 128)
    if data.size and (not ends.size or ends[-1] != data.size - 1):
        raise WeightsError("truncated or damaged: a number does not end")
    starts = np.concatenate([np.zeros(1, ends.dtype), ends[:-1] + 1])[: ends.size]
    lengths = ends - starts + 1
    if lengths.size and lengths.max() > -(-WIDEST // 7):
        raise WeightsError("truncated or damaged: a number does not end")
    values = np.zeros(ends.size, np.uint64)
    for i in range(int(lengths.max(initial=0))):
        longer = lengths > i
        values[longer] |= (data[starts[longer] + i] & 127).astype(np.uint64) << np.uint64(7 * i)
    return values.view("<i8")
