"""Arrays of an npz file, whose claims of size are checked before anything is allocated."""

import io
import math
import zipfile

import numpy as np
from numpy.lib import format as npy

from ganfail_jax.weights import untrusted
from ganfail_jax.weights.errors import WeightsError, one_line

RATIO = 4  # by which weights may be compressed; zeros by more, but no network is all zeros
MOST_ENTRIES = 10_000
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def is_npz(raw: bytes) -> bool:
    """Whether these bytes are a zip archive of .npy files."""
    try:
        with untrusted.archive(raw) as archive:
            names = archive.namelist()
    except Exception:  # whatever a damaged archive leads to: no file is trusted
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def read(raw: bytes) -> dict[str, np.ndarray]:
    """The arrays by name.

    Raises:
        WeightsError: damaged, or not plain numbers.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > RATIO * len(raw):
                raise WeightsError(f"its entries claim more than {RATIO} times its size")
            names = {entry.filename for entry in entries}
            packed = sum(entry.compress_size for entry in entries)
            if packed > len(raw) or len(names) < len(entries):
                raise WeightsError("its entries contradict each other")
            if len(entries) > MOST_ENTRIES:
                raise WeightsError(f"more than {MOST_ENTRIES} entries")
            return {e.filename.removesuffix(".npy"): _array(_bytes(archive, e)) for e in entries}
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged archive leads to: no file is trusted
        raise WeightsError(f"damaged: {one_line(error)}") from error


def _bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The contents, never more than the entry claims."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("an entry that numpy did not compress")
    with archive.open(entry) as file:
        found = file.read(entry.file_size)
    if len(found) != entry.file_size:
        raise ValueError("an entry shorter than it claims")
    return found


def _array(raw: bytes) -> np.ndarray:
    file = io.BytesIO(raw)
    shape, fortran, dtype = HEADERS[npy.read_magic(file)](file)
    body = memoryview(raw)[file.tell() :]
    plain = dtype.kind == "f" and all(0 < n <= len(body) for n in shape) and len(shape) <= 8
    if not plain or math.prod(shape) * dtype.itemsize != len(body):
        raise WeightsError("an array of something else than as many floats as there are")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
