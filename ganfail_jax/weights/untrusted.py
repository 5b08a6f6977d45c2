"""A stranger's file: how it is opened, and how whatever it leads to ends in one line."""

import io
import os
import stat
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ganfail_jax.weights.errors import WeightsError, one_line

LARGEST_DIRECTORY = 2**21  # bytes; one of 10,000 tensors has about half of it


def contents(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a plain file: a pipe or a device might never end.

    Raises:
        OSError: it cannot be read.
        WeightsError: it is no plain file.
    """
    with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise WeightsError("no plain file")
        return file.read(status.st_size)


class _Archive(io.BytesIO):
    """For zipfile, which reads a directory at once and makes an object of every entry."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            raise WeightsError(f"a zip archive whose directory has {size} bytes")
        return super().read(size)


def archive(raw: bytes) -> zipfile.ZipFile:
    """A zip archive in memory, to look at its directory; entries larger than that are not read.

    Raises:
        WeightsError: the directory is larger than that of any network.
        zipfile.BadZipFile: it is none.
    """
    return zipfile.ZipFile(_Archive(raw))


@contextmanager
def refusals(path: str | os.PathLike[str]) -> Iterator[None]:
    """Every error within becomes a WeightsError of one line that names the file.

    Warnings, such as of numbers beyond float32, are not shown: a file shall not write either.
    """
    shown = one_line(ValueError(Path(path)))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise WeightsError(f"{shown} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever a hostile file leads to: no file is trusted
        raise WeightsError(f"{shown}: {one_line(error)}") from error
