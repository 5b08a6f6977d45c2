"""What does TFDS hold of MNIST, and how is it read without tensorflow?

TFDS's own `mnist` builder encodes arrays, which needs tensorflow. Its downloads, its prepared
record files and its download address do not: this file reads those three.
"""

import concurrent.futures
import contextlib
import functools
import http.client
import io
import os
import struct
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ganfail_jax import files
from ganfail_jax.caches import some_folder
from ganfail_jax.data.pictures import open_picture
from ganfail_jax.errors import InputError
from ganfail_jax.results import replace_file
from ganfail_jax.writing import only_writer

# `tensorflow_datasets.image_classification.MNIST.URL`, without importing TFDS.
URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
PROBE_SECONDS = 3.0
LARGEST = 2**30  # bytes of a file of records; those of MNIST have 2**24
READ_SECONDS = 10.0  # the longest silence of a download, not its length


def data_dir() -> Path:
    """TFDS's data folder, as TFDS chooses it: TFDS_DATA_DIR, else ~/tensorflow_datasets.

    For a user without a home it is in `caches.some_folder`.
    """
    if named := os.environ.get("TFDS_DATA_DIR"):
        return Path(named)
    try:
        return Path.home() / "tensorflow_datasets"
    except RuntimeError:
        return some_folder() / "tensorflow_datasets"


def download_dir() -> Path:
    return data_dir() / "downloads"


def downloads(pattern: str) -> list[Path]:
    """Files among TFDS's downloads, and those kept by `keep`, whose name ends like `pattern`."""
    return sorted(p for sub in (".", "mnist") for p in (download_dir() / sub).glob(f"*{pattern}"))


def prepared(
    split: str,
) -> tuple[UInt8[np.ndarray, "n 28 28"], UInt8[np.ndarray, " n"]] | None:
    """Images and labels of TFDS's prepared `mnist` in the original file order, or None.

    TFDS writes examples sorted by a hash of their index salted with the split's name; the same
    hash puts them back. array_record and tfrecord files are read.
    """
    paths = sorted((data_dir() / "mnist").glob(f"3.*/mnist-{split}.*-of-*"))
    if not paths:
        return None
    # Foreign files and foreign readers: whatever they raise, the next source is tried instead.
    with contextlib.suppress(Exception):
        return _read_prepared(split, paths)
    return None


def _read_prepared(
    split: str, paths: list[Path]
) -> tuple[UInt8[np.ndarray, "n 28 28"], UInt8[np.ndarray, " n"]]:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import hashing

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
    )
    skip = {"image": tfds.decode.SkipDecoding()}
    examples: list[Any] = [
        features.deserialize_example_np(record, decoders=skip)
        for path in paths
        for record in _records(path)
    ]
    hasher = hashing.Hasher(split)
    original_index = sorted(range(len(examples)), key=hasher.hash_key)
    images = np.empty((len(examples), 28, 28), np.uint8)
    labels = np.empty(len(examples), np.uint8)
    for index, example in zip(original_index, examples, strict=True):
        images[index] = np.asarray(open_picture(io.BytesIO(example["image"])))
        labels[index] = example["label"]
    return images, labels


def _records(path: Path) -> Iterator[bytes]:
    if ".array_record-" in path.name:
        from array_record.python.array_record_data_source import ArrayRecordDataSource

        with ArrayRecordDataSource(str(path)) as source:
            yield from source.__getitems__(range(len(source)))
        return
    # tfrecord: length uint64, its crc uint32, the record, its crc uint32.
    with files.opened(path, LARGEST) as file:
        while header := file.read(12):
            (length,) = struct.unpack("<Q4x", header)
            yield file.read(min(length, LARGEST))
            file.read(4)


@functools.cache
def reachable() -> bool:
    """Whether TFDS's download address answers within PROBE_SECONDS; asked once a process."""
    answer: concurrent.futures.Future[bool] = concurrent.futures.Future()
    # A thread, since no timeout of urllib covers a name lookup that hangs.
    threading.Thread(target=lambda: answer.set_result(_head()), daemon=True).start()
    try:
        return answer.result(timeout=PROBE_SECONDS)
    except concurrent.futures.TimeoutError:
        return False


def _head() -> bool:
    request = urllib.request.Request(f"{URL}t10k-labels-idx1-ubyte.gz", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as response:
            return response.status == 200
    except (OSError, ValueError, http.client.HTTPException):
        return False


def fetch(name: str) -> bytes | None:
    """The bytes of one of MNIST's original files from TFDS's download address, or None."""
    try:
        with urllib.request.urlopen(f"{URL}{name}", timeout=READ_SECONDS) as response:
            return response.read(LARGEST)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def keep(name: str, payload: bytes) -> None:
    """Stores a download, atomically, where `downloads` finds it; a full disk is no error."""
    folder = download_dir() / "mnist"
    with contextlib.suppress(OSError, InputError):
        folder.mkdir(parents=True, exist_ok=True)
        with only_writer(folder / name), replace_file(folder / name) as new:
            new.write_bytes(payload)
