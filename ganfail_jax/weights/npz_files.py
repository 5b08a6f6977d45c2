"""Arrays of an npz file, whose claims of size are checked before anything is allocated."""

import io
import math
import zipfile

import numpy as np
from numpy.lib import format as npy

from ganfail_jax.weights.errors import WeightsError

RATIO = 64  # by which weights may be compressed; zeros by more, but no network is all zeros
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def is_npz(raw: bytes) -> bool:
    """Whether these bytes are a zip archive of .npy files."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError):
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
            return {e.filename.removesuffix(".npy"): _array(archive.read(e)) for e in entries}
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged archive leads to: no file is trusted
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"damaged: {reason}") from error


def _array(raw: bytes) -> np.ndarray:
    file = io.BytesIO(raw)
    shape, fortran, dtype = HEADERS[npy.read_magic(file)](file)
    body = memoryview(raw)[file.tell() :]
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(body):
        raise WeightsError(f"an array of {len(body)} bytes cannot be {shape} of {dtype}")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
