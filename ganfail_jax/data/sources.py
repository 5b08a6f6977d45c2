"""Pictures with their classes as they are stored: in a folder, an archive or an array.

A source says what there is; nothing is decoded before `read`. Classes come from `dataset.json`, as
NVIDIA's tools write it, or else from the names of sub-folders; a flat folder has none.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int32
from PIL import Image

from ganfail_jax import files
from ganfail_jax.errors import InputError, one_line

DATASET_JSON = "dataset.json"
LARGEST_JSON = 2**28  # bytes; a million pictures have 40 MB
MOST_CLASSES = 100_000


class Source(NamedTuple):
    """Pictures by number."""

    where: str  # path, for a person
    names: Sequence[str]  # of the pictures within it
    read: Callable[[int], Image.Image]  # a picture from `pictures.opaque`; raises InputError
    labels: Int32[np.ndarray, " n"] | None  # None: there are no classes
    class_names: tuple[str, ...]  # in the order of the labels; empty: there are no classes
    stamp: str  # differs whenever the files do, but may differ for equal ones
    is_split: bool = False  # whether these are one of several splits that the source has itself

    def called(self, number: int) -> str:
        """A picture's name for a person."""
        return f"{self.where}/{self.names[number]}"


def stamp(facts: Iterable[Any]) -> str:
    """SHA-256 of what changes whenever the files do."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(f"{fact!r}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


class Classes(NamedTuple):
    """The classes of pictures."""

    labels: Int32[np.ndarray, " n"] | None
    class_names: tuple[str, ...]


NONE = Classes(None, ())


def classes_of_names(names: Sequence[str], where: str) -> Classes:
    """By sub-folders; a folder that holds all others is not a class.

    Args:
        names: relative to the folder or archive, with / between parts.

    Raises:
        InputError: some pictures are in sub-folders and others are not.
    """
    parts = [PurePosixPath(name).parts for name in names]
    depth = len(common_folder(names).parts)
    flat = [len(each) == depth + 1 for each in parts]
    if all(flat):
        return NONE
    if any(flat):
        raise InputError(
            f"{where} has pictures beside folders of pictures ({names[flat.index(True)]}, "
            f"{names[flat.index(False)]}): put all into folders of classes, or none"
        )
    folders = [each[depth] for each in parts]
    known = sorted({*folders}, key=_order)
    places = {name: place for place, name in enumerate(known)}
    return Classes(np.array([places[name] for name in folders], np.int32), tuple(known))


def common_folder(names: Sequence[str]) -> PurePosixPath:
    """The innermost folder that holds all of these."""
    first, last = (PurePosixPath(each).parent.parts for each in (min(names), max(names)))
    pairs = zip(first, last, strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))
    return PurePosixPath(*first[:same])


def _order(name: str) -> tuple[int, int, str]:
    """Numbers by their size, then other names."""
    number = name.isascii() and name.isdecimal() and len(name) < 19
    return (0, int(name), name) if number else (1, 0, name)


def classes_of_json(raw: bytes, names: Sequence[str], where: str) -> Classes:
    """By `dataset.json`: {"labels": [["00000/img00000000.png", 6], ...]}; null: no classes.

    Args:
        names: relative to the folder of that file.
        where: that file.

    Raises:
        InputError: it is damaged, or says not exactly one class of every picture.
    """
    try:
        labels = files.parse_json(raw).get("labels")
        pairs = None if labels is None else [(name, label) for name, label in labels]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{where} is damaged: {one_line(error)}") from error
    if not pairs:
        return NONE
    for name, label in pairs:
        if not isinstance(name, str) or type(label) is not int or not 0 <= label < MOST_CLASSES:
            given = repr([name, label])[:100]
            raise InputError(f"{where} has {given}; a name and the number of its class are wanted")
    known = dict(pairs)
    if len(known) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise InputError(f"{where} names {twice} twice")
    if missing := [name for name in names if name not in known]:
        raise InputError(f"{where} has no class of {missing[0]}")
    if absent := known.keys() - {*names}:
        raise InputError(f"{where} names {min(absent)}, which is not there")
    found = np.array([known[name] for name in names], np.int32)
    return Classes(found, tuple(map(str, range(int(found.max()) + 1))))
