"""PyTorch's files as numpy arrays, without torch and without running what is in them.

The zip format of `torch.save` (since 1.6), the legacy format before it, and the legacy blobs that
NVIDIA's pickles hold. A tensor is a view of the file's own bytes: nothing is copied here.
"""

import io
import math
import zipfile
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax.weights import numpy_pickles, pickles
from ganfail_jax.weights.errors import WeightsError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
NESTING = 4  # blobs within blobs


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
        self.data = np.frombuffer(raw, self.dtype)


class Tensor(NamedTuple):
    """A view of a storage, not yet looked at."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    def array(self) -> np.ndarray:
        """The view, without a copy.

        Raises:
            WeightsError: it reaches beyond its storage or repeats elements, as no saved tensor.
        """
        data, shape = self.storage.data, self.shape
        if data is None:
            raise WeightsError("a tensor whose storage is not in the file")
        elements = math.prod(shape)
        reach = sum((n - 1) * step for n, step in zip(shape, self.strides, strict=True))
        fits = self.offset + reach < data.size and elements <= data.size
        if elements and (min((self.offset, *shape, *self.strides)) < 0 or not fits):
            raise WeightsError(f"a tensor of shape {shape} does not lie within its storage")
        if not elements:
            return np.zeros(shape, data.dtype)
        strides = [step * data.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], shape, strides, writeable=False)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(shape, tuple) or not isinstance(strides, tuple) or len(shape) > 8:
        raise ValueError("a tensor without a proper shape")
    whole = [offset, *shape, *strides]
    if not isinstance(storage, Storage) or not all(isinstance(n, int) for n in whole):
        raise ValueError("a tensor that is not made of a storage and whole numbers")
    if len(shape) != len(strides):
        raise ValueError(f"a tensor with {len(shape)} sizes and {len(strides)} strides")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


class _Budget:
    """Work that a file may ask for: a small file could name one large part many times."""

    def __init__(self, size: int):
        self.left = size

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise ValueError("the same part of the file again and again")


def table(size: int, depth: int = 0) -> dict[str, pickles.Make | None]:
    """The names that tensors are pickled with.

    Args:
        size: of the file in bytes; parts within it cannot be larger in all.
        depth: of the blob within blobs that is being read.
    """
    budget = _Budget(size)

    def ordered(pairs: Any = ()) -> dict[Any, Any]:
        budget.spend(len(pairs))
        return {pickles.key(name): value for name, value in pairs}

    def blob(raw: Any) -> Any:
        budget.spend(len(raw))
        return read(raw, depth + 1)

    storages = [f"{module}.{name}" for module in ("torch", "torch.storage") for name in DTYPES]
    return {
        **dict.fromkeys(storages),
        **numpy_pickles.TABLE,
        "collections.OrderedDict": ordered,
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": lambda data, *_: data,
        "torch.storage._load_from_bytes": blob,
        "torch.Size": lambda values=(): tuple(values),
        "torch.device": lambda *_: None,
        "argparse.Namespace": lambda *_: pickles.Opaque("argparse.Namespace"),
    }


def _storage(identity: Any, known: dict[str, Storage]) -> Storage:
    """The storage of a persistent id ("storage", type, key, location, size, ...)."""
    tag, kind, key, _, size, *_ = identity
    dtype = DTYPES.get(kind.name.rpartition(".")[2]) if isinstance(kind, pickles.Name) else None
    if tag != "storage" or dtype is None or not isinstance(size, int) or size < 0:
        raise ValueError("a persistent id that is no storage")
    if not isinstance(key, str):
        raise ValueError("a storage without a name")
    return known.setdefault(key, Storage(dtype, size))


def _read_zip(raw: bytes, depth: int) -> Any:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        if any(info.compress_type != zipfile.ZIP_STORED for info in entries.values()):
            raise WeightsError("a zip archive with compressed entries, which torch does not write")
        if sum(info.file_size for info in entries.values()) > len(raw):
            raise WeightsError("a zip archive whose entries claim more bytes than it has")
        roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise WeightsError("a zip archive that torch.save did not write: no single data.pkl")
        (root,) = roots
        order = entries.get(f"{root}byteorder")
        if order is not None and archive.read(order) != b"little":
            raise WeightsError("a big-endian file; save it again on a little-endian machine")
        known: dict[str, Storage] = {}
        found = pickles.read(
            io.BytesIO(archive.read(entries[f"{root}data.pkl"])),
            table(len(raw), depth),
            lambda identity: _storage(identity, known),
        )
        for key, storage in known.items():
            if f"{root}data/{key}" not in entries:
                raise WeightsError(f"a zip archive without its entry data/{key}")
            storage.fill(memoryview(archive.read(entries[f"{root}data/{key}"])))
        return found


def _read_legacy(raw: bytes, depth: int) -> Any:
    file, known = io.BytesIO(raw), dict[str, Storage]()
    plain = lambda: pickles.read(file, {})  # noqa: E731
    if plain() != LEGACY_MAGIC:
        raise WeightsError("this is no file of torch.save")
    plain()  # protocol version
    system = plain()
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise WeightsError("a big-endian file; save it again on a little-endian machine")
    found = pickles.read(file, table(len(raw), depth), lambda identity: _storage(identity, known))
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


def read(raw: Any, depth: int = 0) -> Any:
    """What `torch.save` wrote, tensors as `Tensor`.

    Raises:
        WeightsError: damaged, or something that is not the weights of a network.
    """
    if not isinstance(raw, bytes):
        raise WeightsError("a blob that is no bytes")
    if depth > NESTING:
        raise WeightsError(f"more than {NESTING} blobs within blobs")
    try:
        return _read_zip(raw, depth) if raw[:4] == b"PK\3\4" else _read_legacy(raw, depth)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged archive leads to: no file is trusted
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"damaged: {reason}") from error
