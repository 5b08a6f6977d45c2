"""Features on disk, found again by what they depend on: images, preprocessing, weights, extractor.

A folder holds `features.npy`, and until more are finished shards named for their first image. How
many images are wanted is not in the name: more go on where fewer ended. Each file appears in one
move, so that extraction continues where it was killed. Nothing is unpickled.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from ganfail_jax import files, npz
from ganfail_jax.caches import some_folder
from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError
from ganfail_jax.results import replace_file
from ganfail_jax.writing import only_writer

WHOLE, KEY = "features.npy", "key.json"
LARGEST = 2**36  # bytes of features: a million of 16,384
CHUNK = 2**26  # bytes of images hashed at a time


def images_hash(images: Images) -> str:
    """SHA-256 of the shape and all pixels."""
    digest = hashlib.sha256(repr(images.shape).encode())
    n, *shape = images.shape
    size = max(1, CHUNK // math.prod(shape))
    parts = (np.arange(start, min(start + size, n)) for start in range(0, n, size))
    for pixels in images.batches(parts):
        digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def open_cache(identity: Mapping[str, str | int], dataset: str, images: str) -> Path:
    """The folder for the features of these images, below `caches.some_folder`.

    It is named for the first name that these images had.

    Args:
        identity: of the extractor (`Features.identity`).
        dataset: name of the images, for a person; images that were renamed are found again.
        images: hash of the images, or of all that determines them but their number.

    Raises:
        InputError: the extractor does not tell its weights, or the folder cannot be written.
    """
    if not identity["weights"]:
        raise InputError(
            f"{identity['extractor']} cannot be cached: what weights they are of is unknown"
        )
    key = {**identity, "dataset": dataset, "images": images}
    text = json.dumps(key, indent=2, sort_keys=True)
    name = f"{dataset}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    folder = some_folder() / "features" / name
    with _writing(folder):
        if not folder.exists():
            notes = sorted(folder.parent.glob(f"*/{KEY}"))
            same = (note.parent for note in notes if _told(note) | {"dataset": dataset} == key)
            folder = next(same, folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / KEY).exists():  # a folder that is complete may be one to read only
            with _only_writer(folder), replace_file(folder / KEY) as new:
                new.write_text(text + "\n")
    if any(folder.glob(".*")) or _merged(folder):  # a writer was killed, or is at work
        with suppress(InputError), _only_writer(folder):
            _drop_merged(folder)
    return folder


def _told(note: Path) -> dict[str, str | int]:
    try:
        return dict(files.read_json(note))
    except (OSError, ValueError, TypeError):
        return {}


def read(folder: Path, dim: int, most: int) -> Float32[np.ndarray, "n d"]:
    """The features of the first images, up to the first shard that is missing or damaged."""
    parts, done = [np.empty((0, dim), np.float32)], 0
    rows = _read(folder / WHOLE, dim)
    if rows is None:
        rows = _read(_shard(folder, 0), dim)
    while rows is not None and done < most:
        parts.append(rows[: most - done])
        done += len(rows)
        rows = _read(_shard(folder, done), dim)
    return np.concatenate(parts)


def write_shard(folder: Path, start: int, rows: Float32[np.ndarray, "_ d"]) -> None:
    """Of the images from number `start`.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    with _writing(folder), _only_writer(folder):
        _write(_shard(folder, start), rows)


def write_whole(folder: Path, rows: Float32[np.ndarray, "n d"]) -> None:
    """In place of the shards of these images; raises as `write_shard` does."""
    with _writing(folder), _only_writer(folder):
        _write(folder / WHOLE, rows)
        _drop_merged(folder)


def _only_writer(folder: Path) -> AbstractContextManager[None]:
    """Writing is short, so whoever else writes is waited for."""
    return only_writer(folder, flag="GANFAIL_CACHE", wait=True)


def _merged(folder: Path) -> list[Path]:
    """The shards whose images are in the whole file, too."""
    shards = list(folder.glob("shard-*.npy"))
    if shards:
        with suppress(Exception):  # as in `_read`
            end = _shard(folder, len(np.load(folder / WHOLE, mmap_mode="r")))
            return [shard for shard in shards if shard.name < end.name]
    return []


def _drop_merged(folder: Path) -> None:
    for shard in _merged(folder):
        shard.unlink(missing_ok=True)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot keep features in {folder} ({reason}); choose a folder by GANFAIL_CACHE"
        ) from error


def _shard(folder: Path, start: int) -> Path:
    return folder / f"shard-{start:08d}.npy"


def _read(path: Path, dim: int) -> Float32[np.ndarray, "_ d"] | None:
    try:
        rows = npz.read_array(path, LARGEST)
    except (OSError, InputError):
        return None
    fits = rows.dtype == np.float32 and rows.ndim == 2 and rows.shape[1] == dim
    return rows if fits and len(rows) and np.isfinite(rows).all() else None


def _write(path: Path, rows: Float32[np.ndarray, "n d"]) -> None:
    rows = np.ascontiguousarray(rows)
    header = np.lib.format.header_data_from_array_1_0(rows)
    with replace_file(path) as new, new.open("wb") as file:  # np.save misses some of a full disk
        np.lib.format.write_array_header_1_0(file, header)
        file.write(rows.data)
