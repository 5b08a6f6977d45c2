"""Arrays in npy and npz files: what they claim is checked before anything is allocated.

Source of the format: numpy.lib.format. Its headers are Python's, so they are matched, not parsed:
only plain numbers and text are known, nothing pickled and nothing structured.
"""

import io
import math
import os
import re
import zipfile
from typing import IO

import numpy as np

from ganfail_jax import files
from ganfail_jax.errors import one_line
from ganfail_jax.files import FileError

LARGEST_DIRECTORY = 2**21  # bytes; one of 10,000 tensors has about half of it
MOST_ENTRIES = 10_000
LONGEST_HEADER = 4_096
MAGIC, LENGTHS = b"\x93NUMPY", {b"\1\0": 2, b"\2\0": 4}  # version -> bytes of the header's length
HEADER = re.compile(
    rb"\{\s*'descr'\s*:\s*'([<>|=]?[?biufcSU][0-9]{0,9})'\s*,"
    rb"\s*'fortran_order'\s*:\s*(True|False)\s*,"
    rb"\s*'shape'\s*:\s*\(([0-9L,\s]*)\)\s*,?\s*\}\s*"  # 8L: numbers of Python 2
)
LAST_CHARACTER = 0x10FFFF  # of Unicode
CHUNK = 2**20  # bytes that are unpacked at a time


class _Archive(io.BytesIO):
    """For zipfile, which reads a directory at once and makes an object of every entry."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            raise FileError(f"a zip archive whose directory has {size} bytes")
        return super().read(size)


def archive(raw: bytes) -> zipfile.ZipFile:
    """A zip archive in memory, to look at its directory; entries larger than that are not read.

    Raises:
        FileError: the directory is larger than that of any network.
        zipfile.BadZipFile: it is not an archive.
    """
    return zipfile.ZipFile(_Archive(raw))


def is_npz(raw: bytes) -> bool:
    """Whether these bytes are a zip archive of .npy files."""
    try:
        with archive(raw) as directory:
            names = directory.namelist()
    except Exception:  # whatever a damaged archive leads to: no file is trusted
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def read(raw: bytes, most: int) -> dict[str, np.ndarray]:
    """The arrays of an npz file's content by name.

    Args:
        most: bytes that they may have together; compressed ones may claim a thousand times theirs.

    Raises:
        FileError: they claim more, are damaged or not plain, or two have one name.
    """
    try:
        with archive(raw) as directory:
            entries = directory.infolist()
        names = [entry.filename.removesuffix(".npy") for entry in entries]
        claimed = sum(entry.file_size for entry in entries)
        if claimed > most:
            raise FileError(f"its arrays claim {claimed:,} bytes, of at most {most:,}")
        if len(set(names)) < len(names):
            raise FileError("two arrays of one name")
        if len(names) > MOST_ENTRIES:
            raise FileError(f"more than {MOST_ENTRIES} arrays")
        if sum(entry.compress_size for entry in entries) > len(raw):
            raise FileError("its entries contradict each other")
        with zipfile.ZipFile(io.BytesIO(raw)) as opened:
            pairs = zip(names, entries, strict=True)
            return {name: _entry(opened, entry) for name, entry in pairs}
    except FileError:
        raise
    except Exception as error:  # whatever a damaged archive leads to: no file is trusted
        raise FileError(f"truncated or damaged: {one_line(error)}") from error


def read_array(path: str | os.PathLike[str], most: int = files.LARGEST) -> np.ndarray:
    """The array of an npy file of at most so many bytes.

    Raises:
        OSError: it cannot be read.
        FileError: it is not a regular file, larger, damaged or not plain.
    """
    with files.opened(path, most) as file:
        return _guarded(file, os.fstat(file.fileno()).st_size)


def parse_array(raw: bytes) -> np.ndarray:
    """The array of an npy file's content.

    Raises:
        FileError: it is damaged or not plain.
    """
    return _guarded(io.BytesIO(raw), len(raw))


def _guarded(file: IO[bytes] | io.BufferedIOBase, size: int) -> np.ndarray:
    """As `_array`, with a FileError for whatever else a damaged file leads to."""
    try:
        return _array(file, size)
    except (FileError, OSError):
        raise
    except Exception as error:  # whatever a damaged file leads to: no file is trusted
        raise FileError(f"truncated or damaged: {one_line(error)}") from error


def _entry(opened: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileError("an entry that numpy did not compress")
    with opened.open(entry) as file:
        return _array(file, entry.file_size)


def _array(file: IO[bytes] | io.BufferedIOBase, size: int) -> np.ndarray:
    """The array of an npy file of `size` bytes that begins here; it can be written."""
    start = file.read(8)
    width = LENGTHS.get(start[6:])
    if start[:6] != MAGIC or width is None:
        raise FileError("something else than an array in numpy's format")
    length = int.from_bytes(file.read(width), "little")
    header = HEADER.fullmatch(file.read(min(length, LONGEST_HEADER)))
    if header is None:
        raise FileError("an array of something else than plain numbers or text")
    dtype, shape = np.dtype(header[1].decode()), tuple(map(int, re.findall(rb"\d+", header[3])))
    body = size - len(start) - width - length
    if math.prod(shape) * dtype.itemsize != body:
        raise FileError("an array whose data do not match its shape and type")
    content = np.empty(body, np.uint8)
    rest = content.data
    while rest and (part := file.read(min(len(rest), CHUNK))):
        rest[: len(part)] = part
        rest = rest[len(part) :]
    if rest or file.read(1):
        raise FileError("an array that is cut off")
    array = np.ndarray(shape, dtype, content, order="F" if header[2] == b"True" else "C")
    if dtype.kind == "U":
        points = content.view(f"{dtype.str[0]}u4")
        if ((points > LAST_CHARACTER) | ((points >> 11) == 0x1B)).any():  # the latter: surrogates
            raise FileError("an array of text that is not Unicode")
    return array
