"""PyTorch's files as numpy arrays, without torch and without running what is in them.

The zip format of `torch.save` (since 1.6) and of TorchScript, the legacy format before it, and the
legacy blobs that NVIDIA's pickles hold. A tensor is a view of the file's own bytes: nothing is
copied here. A TorchScript module is a bag of attributes; its code is never looked at.
"""

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import npz
from ganfail_jax.errors import one_line
from ganfail_jax.weights import numpy_pickles, pickles
from ganfail_jax.weights.errors import WeightsError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # it as a pickle
BFLOAT16 = "<u2"  # the upper half of a float32; no other storage is of unsigned pairs of bytes
LARGEST = 2**48  # elements, and steps between them
DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
NESTING = 4  # blobs within blobs
LONGEST_NAME, MOST_TENSORS = 200, 10_000
SCRIPTED = "__torch__."  # how the classes of TorchScript begin
LOCAL_HEADER = 30  # bytes of a zip entry before its name


class Storage:
    """A flat buffer; in the legacy format its bytes come after the objects that mention it."""

    def __init__(self, dtype: str, size: int):
        self.dtype, self.size = np.dtype(dtype), size
        self.data: np.ndarray | None = None

    def fill(self, raw: memoryview) -> None:
        if len(raw) != self.size * self.dtype.itemsize:
            raise WeightsError(
                f"a storage of {len(raw)} bytes, but {self.size} x {self.dtype} are announced"
            )
        data = np.frombuffer(raw, self.dtype)
        if self.dtype == BFLOAT16:
            data = (data.astype(np.uint32) << 16).view(np.float32)
        self.data = data


class Tensor(NamedTuple):
    """A view of a storage, not yet looked at."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    def array(self) -> np.ndarray:
        """The view, without a copy.

        Raises:
            WeightsError: it is empty, or it reaches beyond its storage or repeats elements.
        """
        data, shape = self.storage.data, self.shape
        if data is None:
            raise WeightsError("a tensor whose storage is not in the file")
        elements = math.prod(shape)
        reach = sum((n - 1) * step for n, step in zip(shape, self.strides, strict=True))
        fits = self.offset + reach < data.size and elements <= data.size
        if not elements or not fits:
            raise WeightsError(f"a tensor of shape {shape} does not lie within its storage")
        strides = [step * data.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], shape, strides, writeable=False)


def named_arrays(tensors: Iterable[tuple[Any, Any]], size: int) -> dict[str, np.ndarray]:
    """Arrays by name.

    Args:
        size: of the file in bytes, which bounds all of them together.

    Raises:
        WeightsError: something else than float tensors by proper names, or more than the file has.
    """
    found: dict[str, np.ndarray] = {}
    for name, tensor in tensors:
        if len(found) == MOST_TENSORS:
            raise WeightsError(f"more than {MOST_TENSORS} tensors")
        if not isinstance(name, str) or not name.isascii() or len(name) > LONGEST_NAME:
            raise WeightsError("a tensor without a proper name")
        if not isinstance(tensor, Tensor):
            raise WeightsError(f"{name} is no tensor")
        if name in found:
            raise WeightsError(f"two tensors called {name}")
        found[name] = tensor.array()
        size -= found[name].size * tensor.storage.dtype.itemsize
        if found[name].dtype.kind != "f":
            raise WeightsError(f"{name} holds {found[name].dtype}, no floats")
        if size < 0:
            raise WeightsError("tensors that share their storage")
    return found


def unwrapped(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays by their names within a module that is around some or all of them.

    Raises:
        WeightsError: a name occurs within and without it.
    """
    found = {name.removeprefix(prefix): array for name, array in arrays.items()}
    if len(found) < len(arrays):
        raise WeightsError(f"names with and without the prefix {prefix}")
    return found


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(shape, tuple) or not isinstance(strides, tuple) or len(shape) > 8:
        raise ValueError("a tensor without a proper shape")
    whole = [offset, *shape, *strides]
    if not isinstance(storage, Storage) or not all(
        type(n) is int and 0 <= n < LARGEST for n in whole
    ):
        raise ValueError("a tensor that is not made of a storage and whole numbers")
    if len(shape) != len(strides):
        raise ValueError(f"a tensor with {len(shape)} sizes and {len(strides)} strides")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


class _Names(dict[str, pickles.Make | None]):
    """A table that also knows every class of TorchScript, as a bag of attributes."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).startswith(SCRIPTED)

    def __missing__(self, name: str) -> pickles.Make:
        return lambda: pickles.Opaque(name)


def table(budget: pickles.Budget, depth: int = 0) -> dict[str, pickles.Make | None]:
    """The names that tensors are pickled with.

    Args:
        depth: of the blob within blobs that is being read.
    """

    def members(values: Any) -> Any:
        budget.spend(64 * len(values))  # what an entry of a set or a dict needs
        return values

    def blob(raw: Any) -> Any:
        budget.spend(len(raw))
        return read(raw, budget, depth + 1)

    def make_set(values: Any = ()) -> set[Any]:
        return set(map(pickles.key, members(values)))

    def make_dict(pairs: Any = ()) -> dict[Any, Any]:
        return {pickles.key(name): value for name, value in members(pairs)}

    storages = [f"{module}.{name}" for module in ("torch", "torch.storage") for name in DTYPES]
    typed = ("intlist", "doublelist", "boollist", "tensorlist")
    known = {
        **dict.fromkeys(storages),
        **dict.fromkeys(("torch.float32", "torch.float16", "torch.bfloat16", "torch.int64")),
        **numpy_pickles.table(budget),
        **dict.fromkeys(("builtins.set", "__builtin__.set"), make_set),
        "collections.OrderedDict": make_dict,
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": lambda data, *_: data,
        "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
        "torch.storage._load_from_bytes": blob,
        "torch.Size": lambda values=(): tuple(members(values)),
        "torch.device": lambda *_: None,
        "argparse.Namespace": lambda *_: pickles.Opaque("argparse.Namespace"),
        **{f"torch.jit._pickle.build_{kind}": lambda values: values for kind in typed},
        "torch.jit._pickle.restore_type_tag": lambda value, _: value,
    }
    return _Names(known)


def _storage(identity: Any, known: dict[str, Storage]) -> Storage:
    """The storage of a persistent id ("storage", type, key, location, size, a view of it)."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6):
        raise ValueError("a persistent id that is no storage")
    tag, kind, key, _, size, view = (*identity, None)[:6]
    if view is not None:
        raise ValueError("a storage that is a part of another one")
    dtype = DTYPES.get(kind.name.rpartition(".")[2]) if isinstance(kind, pickles.Name) else None
    if tag != "storage" or dtype is None or type(size) is not int or not 0 <= size < LARGEST:
        raise ValueError("a persistent id that is no storage")
    if not isinstance(key, str):
        raise ValueError("a storage without a name")
    storage = known.setdefault(key, Storage(dtype, size))
    if (storage.dtype, storage.size) != (np.dtype(dtype), size):
        raise ValueError("two storages of one name")
    return storage


def _bytes(raw: bytes, entry: zipfile.ZipInfo) -> memoryview:
    """The contents of a stored entry where they are in the file: weights are not copied."""
    start = entry.header_offset
    if raw[start : start + 4] != b"PK\3\4":
        raise WeightsError(f"a zip archive without its entry {entry.filename}")
    name, extra = struct.unpack_from("<26xHH", raw, start)
    start += LOCAL_HEADER + name + extra
    found = memoryview(raw)[start : start + entry.file_size]
    if zlib.crc32(found) != entry.CRC:
        raise WeightsError(f"a zip archive whose entry {entry.filename} is damaged")
    return found


def _read_zip(raw: bytes, budget: pickles.Budget, depth: int) -> Any:
    with npz.archive(raw) as archive:
        listed = [info for info in archive.infolist() if "/code/" not in info.filename]
        entries = {info.filename: info for info in listed}
        if any(info.compress_type != zipfile.ZIP_STORED for info in listed):
            raise WeightsError("a zip archive with compressed entries, which torch does not write")
        sizes = [info.file_size for info in listed]
        if sizes != [info.compress_size for info in listed] or len(entries) < len(listed):
            raise WeightsError("a zip archive whose entries contradict each other")
        if sum(sizes) > len(raw):
            raise WeightsError("a zip archive whose entries claim more bytes than it has")
        roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise WeightsError("a zip archive that torch.save did not write: no single data.pkl")
        (root,) = roots
        order = entries.get(f"{root}byteorder")
        if order is not None and _bytes(raw, order) != b"little":
            raise WeightsError("a big-endian file; save it again on a little-endian machine")
        known: dict[str, Storage] = {}
        found = pickles.read(
            io.BytesIO(_bytes(raw, entries[f"{root}data.pkl"])),
            table(budget, depth),
            budget,
            lambda identity: _storage(identity, known),
        )
        for key, storage in known.items():
            if f"{root}data/{key}" not in entries:
                raise WeightsError(f"a zip archive without its entry data/{key}")
            storage.fill(_bytes(raw, entries[f"{root}data/{key}"]))
        return found


def _read_legacy(raw: bytes, budget: pickles.Budget, depth: int) -> Any:
    file, known = io.BytesIO(raw), dict[str, Storage]()
    plain = lambda: pickles.read(file, {}, budget)  # noqa: E731
    if plain() != LEGACY_MAGIC:
        raise WeightsError("this is no file of torch.save")
    plain()  # protocol version
    system = plain()
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise WeightsError("a big-endian file; save it again on a little-endian machine")
    names = table(budget, depth)
    found = pickles.read(file, names, budget, lambda identity: _storage(identity, known))
    keys, view = plain(), memoryview(raw)
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or key not in known:
            raise WeightsError("a storage that no tensor uses")
        storage, start = known[key], file.tell()
        if raw[start : start + 8] != storage.size.to_bytes(8, "little"):
            raise WeightsError(f"storage {key} is cut off or of another size than announced")
        end = start + 8 + storage.size * storage.dtype.itemsize
        storage.fill(view[start + 8 : end])
        file.seek(end)
    return found


def is_torch(raw: bytes) -> bool:
    """Whether a file begins as those of `torch.save` do."""
    return raw.startswith((b"PK\3\4", LEGACY_START))


def read(raw: Any, budget: pickles.Budget | None = None, depth: int = 0) -> Any:
    """What `torch.save` or `torch.jit.save` wrote, tensors as `Tensor`.

    Args:
        budget: of the file that this is a blob of.

    Raises:
        WeightsError: damaged, or something that is not the weights of a network.
    """
    if not isinstance(raw, bytes):
        raise WeightsError("a blob that is no bytes")
    if depth > NESTING:
        raise WeightsError(f"more than {NESTING} blobs within blobs")
    try:
        read_format = _read_zip if raw[:4] == b"PK\3\4" else _read_legacy
        return read_format(raw, budget or pickles.Budget(len(raw)), depth)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged archive leads to: no file is trusted
        raise WeightsError(f"damaged: {one_line(error)}") from error
