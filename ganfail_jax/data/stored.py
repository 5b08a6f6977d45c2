"""Which datasets can `--dataset` name beside the bundled ones? Folders, archives, .npz, TFDS.

Every picture is decoded once when a dataset is first used, to know its size, whether it is damaged,
and a hash of its pixels. What that finds is kept in the cache. The hash decides which split a
picture belongs to, so the same pixels are never in both, and it identifies results.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32, UInt8

from ganfail_jax import files, npz, runtime
from ganfail_jax.caches import cache_folder
from ganfail_jax.data import pictures
from ganfail_jax.data.folder_source import open_folder
from ganfail_jax.data.image_sets import Images
from ganfail_jax.data.npz_source import open_npz
from ganfail_jax.data.pictures import Resize
from ganfail_jax.data.pipelines import Content, Dataset
from ganfail_jax.data.sources import Source
from ganfail_jax.data.tfds_source import PREFIX, open_tfds
from ganfail_jax.data.zip_source import open_zip
from ganfail_jax.errors import InputError
from ganfail_jax.results import replace_file

FILES = {".zip": open_zip, ".npz": open_npz}
HELD_OUT = 10  # one picture in so many is in the split test
DIGEST = 16  # bytes
AT_ONCE = 1024  # pictures between two updates of the progress bar
LONGEST = 300  # characters of a fault


class Options(NamedTuple):
    """How pictures become images of one shape."""

    resolution: int | None = None  # of a side; None: that of the pictures, which must be one
    resize: Resize = "crop"  # of a picture that has not this resolution
    skip_bad: bool = False  # whether bad pictures are left out
    channels: int | None = None  # None: 1 if all pictures are grey, else 3


class Index(NamedTuple):
    """What decoding every picture says."""

    shapes: Int32[np.ndarray, "n 3"]  # height, width, channels; bad pictures: 0
    digests: UInt8[np.ndarray, "n 16"]  # of the pixels
    faults: Mapping[int, str]  # bad picture -> one line


def is_stored(name: str) -> bool:
    """Whether this names files or a dataset of TFDS, there or not."""
    path = Path(name or "none")  # Path("") would be this folder
    known = name.startswith(PREFIX) or os.sep in name or path.suffix.lower() in FILES
    return known or path.exists()


def open_dataset(name: str, split: str, options: Options = Options()) -> Dataset:
    """One split of the pictures in a folder, .zip or .npz, or of a dataset of TFDS.

    Args:
        split: train or test. A tenth of the pictures, chosen by the hash of their pixels, is test,
            unless TFDS has these splits.

    Raises:
        InputError: nothing there, bad pictures that are not to be left out, pictures of several
            sizes, or an empty split.
    """
    source = open_source(name, split)
    index = index_of(source)
    good = np.setdiff1d(np.arange(len(source.names)), list(index.faults))
    if index.faults and not (options.skip_bad and len(good)):
        first, n = min(index.faults), len(index.faults)
        raise InputError(
            f"{index.faults[first]}; bad pictures: {n:,} of {len(source.names):,}, which "
            "--skip_bad leaves out"
        )
    shape = _shape(source, index, good, options)
    mine = np.ones(len(good), bool)
    if not source.is_split:
        mine = held_out(index.digests[good]) == (split == "test")
    numbers = good[mine]
    if not len(numbers):
        raise InputError(
            f"none of the {len(good):,} pictures in {source.where} is in the split {split}"
        )
    labels = np.zeros(len(numbers), np.int32) if source.labels is None else source.labels[numbers]
    how = f"{shape} {options.resize if options.resolution else ''}".strip()
    return Dataset(
        name=_name(name),
        images=_images(source, numbers, shape, options.resize if options.resolution else None),
        labels=labels,
        class_names=source.class_names,
        source=_describe(source, index, numbers, shape, split),
        attributes={},
        content=Content(how, index.digests[numbers], len(index.faults)),
    )


def open_source(name: str, split: str = "train") -> Source:
    """
    Raises:
        InputError: nothing there, or nothing that can be read.
    """
    if name.startswith(PREFIX):
        return open_tfds(name.removeprefix(PREFIX), split)
    path = Path(name)
    if path.is_dir():
        return open_folder(path)
    if not path.is_file():
        raise InputError(f"there is no dataset {name}: neither a folder nor a file")
    if path.suffix.lower() not in FILES:
        raise InputError(f"{name} is not a dataset: give a folder, or a file {' or '.join(FILES)}")
    return FILES[path.suffix.lower()](path)


def held_out(digests: UInt8[np.ndarray, "n 16"]) -> Bool[np.ndarray, " n"]:
    """Whether pictures of these hashes are in the split test."""
    return digests[:, :8].copy().view(">u8")[:, 0] % HELD_OUT == 0


def choosing(digests: UInt8[np.ndarray, "n 16"]) -> Bool[np.ndarray, " n"]:
    """Whether pictures of these hashes, of the split train, choose the step of a training."""
    return digests[:, 8:].copy().view(">u8")[:, 0] % HELD_OUT == 0


def index_of(source: Source) -> Index:
    """What decoding every picture says, from the cache if the files have not changed."""
    kept = None
    with suppress(RuntimeError):  # a user without a home
        kept = cache_folder() / "datasets" / f"{source.stamp}.npz"
    if kept is not None and (index := _read(kept, len(source.names))) is not None:
        return index
    index = _look(source)
    if kept is not None:
        with suppress(OSError):  # it is only kept to save time
            kept.parent.mkdir(parents=True, exist_ok=True)
            _write(kept, index)
    return index


def _look(source: Source) -> Index:
    n = len(source.names)
    shapes, digests = np.zeros((n, 3), np.int32), np.zeros((n, DIGEST), np.uint8)
    faults: dict[int, str] = {}

    def look(number: int) -> None:
        try:
            picture = source.read(number)
        except InputError as error:
            faults[number] = str(error)[:LONGEST]
            return
        shape = picture.height, picture.width, len(picture.getbands())
        digest = hashlib.sha256(f"{shape}".encode() + picture.tobytes()).digest()
        shapes[number], digests[number] = shape, np.frombuffer(digest[:DIGEST], np.uint8)

    with ThreadPoolExecutor() as pool, runtime.progress_bar("pictures", n, 0) as bar:
        for start in range(0, n, AT_ONCE):
            some = range(start, min(start + AT_ONCE, n))
            list(pool.map(look, some))
            bar.update(len(some))
    return Index(shapes, digests, dict(sorted(faults.items())))


def _write(path: Path, index: Index) -> None:
    numbers, lines = np.array([*index.faults], np.int64), np.array([*index.faults.values()], str)
    with replace_file(path) as new:
        np.savez(
            new, shapes=index.shapes, digests=index.digests, bad=numbers, faults=lines.astype("U")
        )


def _read(path: Path, n: int) -> Index | None:
    try:
        arrays = npz.read(files.read(path), files.LARGEST)
        shapes, digests, bad = arrays["shapes"], arrays["digests"], arrays["bad"].tolist()
        faults = dict(zip(bad, arrays["faults"].tolist(), strict=True))
    except Exception:  # missing or damaged: the pictures are looked at again
        return None
    fits = shapes.shape == (n, 3) and digests.shape == (n, DIGEST)
    return Index(shapes, digests, faults) if fits else None


def _shape(
    source: Source, index: Index, good: Int[np.ndarray, " m"], options: Options
) -> tuple[int, int, int]:
    """(h, w, c) of the images.

    Raises:
        InputError: pictures have several sizes, and no resolution is given.
    """
    sizes = index.shapes[good, :2]
    channels = options.channels or int(index.shapes[good, 2].max())
    if options.resolution:
        return options.resolution, options.resolution, channels
    differs = np.flatnonzero((sizes != sizes[0]).any(axis=1))
    if len(differs):
        (h, w), (height, width) = sizes[differs[0]].tolist(), sizes[0].tolist()
        raise InputError(
            f"{source.called(int(good[differs[0]]))} is {w}x{h}, but {source.names[good[0]]} is "
            f"{width}x{height}; give --resolution, and --resize as one of "
            f"{', '.join(pictures.RESIZES)}"
        )
    return int(sizes[0, 0]), int(sizes[0, 1]), channels


def _images(
    source: Source,
    numbers: Int[np.ndarray, " m"],
    shape: tuple[int, int, int],
    resize: Resize | None,
) -> Images:
    height, width, channels = shape

    def read(number: int) -> UInt8[np.ndarray, "h w c"]:
        picture = source.read(number)
        if resize is not None:
            picture = pictures.square(picture, height, resize)
        if picture.size != (width, height):
            raise InputError(f"{source.called(number)} has changed; run the command again")
        return pictures.pixels(picture, channels)

    def take(rows: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        return pictures.read_each(read, numbers[rows], shape)

    return Images((len(numbers), height, width, channels), take, read_ahead=True)


def _describe(
    source: Source,
    index: Index,
    numbers: Int[np.ndarray, " m"],
    shape: tuple[int, int, int],
    split: str,
) -> str:
    classes = f"{len(source.class_names)} classes" if source.class_names else "no classes"
    bad = f"; bad pictures left out: {len(index.faults):,}" if index.faults else ""
    return (
        f"{source.where}: {len(numbers):,} of {len(source.names):,} pictures (split {split}), "
        f"{shape[1]}x{shape[0]}x{shape[2]}, {classes}{bad}"
    )


def _name(name: str) -> str:
    """Short, and fit for a folder's name."""
    last = name.removeprefix(PREFIX) if name.startswith(PREFIX) else Path(name).resolve().name
    short = last.removesuffix(Path(last).suffix) if Path(last).suffix.lower() in FILES else last
    return re.sub(r"[^\w.+-]+", "_", short) or "pictures"
