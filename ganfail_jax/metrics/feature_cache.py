"""Features on disk, found again by what they depend on: images, preprocessing, weights, extractor.

A folder holds `features.npy`, or until that is finished shards named for their first image. Each
file appears in one move, so that extraction continues where it was killed. Nothing is unpickled.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from ganfail_jax.errors import InputError
from ganfail_jax.results import replace_file

WHOLE, KEY = "features.npy", "key.json"
CHUNK = 1024  # images hashed at a time


def images_hash(images: UInt8[np.ndarray, "n h w c"]) -> str:
    """SHA-256 of the shape and all pixels."""
    digest = hashlib.sha256(repr(images.shape).encode())
    for start in range(0, len(images), CHUNK):
        digest.update(images[start : start + CHUNK].tobytes())
    return digest.hexdigest()


def open_cache(identity: Mapping[str, str | int], dataset: str, images: str) -> Path:
    """The folder for the features of these images, in $GANFAIL_CACHE or ~/.cache/ganfail_jax.

    Args:
        identity: of the extractor (`Features.identity`).
        dataset: name of the images, for a person.
        images: hash of the images, or of all that determines them.

    Raises:
        InputError: the extractor does not tell its weights, or the folder cannot be written.
    """
    if not identity["weights"]:
        raise InputError(
            f"{identity['extractor']} cannot be cached: what weights they are of is unknown"
        )
    key = json.dumps({**identity, "dataset": dataset, "images": images}, indent=2, sort_keys=True)
    root = Path(os.environ.get("GANFAIL_CACHE") or Path.home() / ".cache" / "ganfail_jax")
    folder = root / "features" / f"{dataset}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replace_file(folder / KEY) as new:
            new.write_text(key + "\n")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot keep features in {folder} ({reason}); choose a folder by GANFAIL_CACHE"
        ) from error
    return folder


def read_whole(folder: Path, dim: int) -> Float32[np.ndarray, "n d"] | None:
    """The features of all images; None: missing or damaged."""
    return _read(folder / WHOLE, dim)


def read_shards(folder: Path, dim: int) -> Iterator[Float32[np.ndarray, "_ d"]]:
    """The features of the first images, up to the first shard that is missing or damaged."""
    start = 0
    while (rows := _read(_shard(folder, start), dim)) is not None:
        yield rows
        start += len(rows)


def write_shard(folder: Path, start: int, rows: Float32[np.ndarray, "_ d"]) -> None:
    """Of the images from number `start`."""
    _write(_shard(folder, start), rows)


def write_whole(folder: Path, rows: Float32[np.ndarray, "n d"]) -> None:
    """In place of the shards."""
    _write(folder / WHOLE, rows)
    for shard in folder.glob("shard-*.npy"):
        shard.unlink(missing_ok=True)


def _shard(folder: Path, start: int) -> Path:
    return folder / f"shard-{start:08d}.npy"


def _read(path: Path, dim: int) -> Float32[np.ndarray, "_ d"] | None:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = rows.dtype == np.float32 and rows.ndim == 2 and rows.shape[1] == dim
    return rows if fits and len(rows) else None


def _write(path: Path, rows: Float32[np.ndarray, "n d"]) -> None:
    with replace_file(path) as new:
        np.save(new, rows, allow_pickle=False)
