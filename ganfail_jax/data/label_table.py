"""What a person says of generated images, as a CSV table or as pictures sorted into folders.

Columns of a table: index and seed, which tell a sample; label; and generator, the start of the
SHA-256 of its weights, because a sample of another generator is another image. Tables without the
last are read too. Folders are called as the labels, pictures as `picture_name` has it.
"""

import csv
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ganfail_jax import files
from ganfail_jax.data.pictures import SUFFIXES
from ganfail_jax.errors import InputError

LABELS = ("normal", "artifact", "skip")  # skip: the person could not or would not tell
COLUMNS = ("index", "seed", "label", "generator")
LONGEST_CELL, SHOWN = 100, 5  # characters of a cell, and generators, that a message quotes
LARGEST = {"index": 2**31 - 1, "seed": 2**32 - 1}
GENERATOR = re.compile("[0-9a-f]{1,64}")
PICTURE = re.compile(r"seed([0-9]+)-index([0-9]+)")

Sample = tuple[int, int]  # index and seed


class Table(NamedTuple):
    """Labels in the order of the table."""

    labels: Mapping[Sample, str]
    generator: str | None  # None: the table does not say


def _short(text: str | None) -> str:
    return repr(text if text is None else text[:LONGEST_CELL])


def _number(text: str | None, name: str, where: str) -> int:
    largest = LARGEST[name]
    if text and text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= largest:
        return int(text)
    raise InputError(f"{where}: {name} {_short(text)} is no number from 0 to {largest}")


def _sample(index: str | None, seed: str | None, where: str, known: Mapping[Sample, str]) -> Sample:
    sample = _number(index, "index", where), _number(seed, "seed", where)
    if sample in known:
        raise InputError(f"{where}: sample {sample[0]} of seed {sample[1]} comes twice")
    return sample


def read_csv(file: str | os.PathLike[str]) -> Table:
    """The labels in a CSV file; raises as `parse_csv` does."""
    return parse_csv(read(file), file)


def read(file: str | os.PathLike[str]) -> bytes:
    """The content of a CSV file.

    Raises:
        InputError: the file is unreadable or larger than a table of labels.
    """
    try:
        return files.read(file, files.LARGEST_TABLE)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    except files.FileError as error:
        raise InputError(f"{file} is no CSV file: {error}") from error


def parse_csv(content: bytes, file: str | os.PathLike[str]) -> Table:
    """The labels in the content of a CSV file.

    Raises:
        InputError: it is no such table.
    """
    labels: dict[Sample, str] = {}
    generators: set[str | None] = set()
    try:
        text = content.decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns = rows.fieldnames or ()
        if sorted(columns) not in (sorted(COLUMNS[:3]), sorted(COLUMNS)):
            raise InputError(f"{file}, line 1: the columns must be {', '.join(COLUMNS)}, each once")
        for row in rows:
            where = f"{file}, line {rows.line_num}"
            if None in row or None in row.values():  # as csv has surplus and missing cells
                raise InputError(f"{where}: not {len(columns)} cells, as line 1 has")
            sample = _sample(row["index"], row["seed"], where, labels)
            label, generator = row["label"], row.get("generator") or None
            if label not in LABELS:
                known = ", ".join(LABELS)
                raise InputError(f"{where}: label {_short(label)} is none of {known}")
            if generator is not None and not GENERATOR.fullmatch(generator):
                shown = _short(generator)
                raise InputError(f"{where}: generator {shown} is not the start of a SHA-256")
            labels[sample] = label
            generators.add(generator)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is no CSV file: {error}") from error
    if len(generators) > 1:
        names = ", ".join(sorted(name or "none" for name in generators)[:SHOWN])
        raise InputError(f"{file} has labels of several generators: {names}")
    return Table(labels, *generators or [None])


def picture_name(index: int, seed: int) -> str:
    """The file name that tells a sample, such as seed0-index000123.png."""
    return f"seed{seed}-index{index:06d}.png"


def read_folders(folder: str | os.PathLike[str]) -> Table:
    """The labels of pictures that lie in folders called normal, artifact and skip.

    Raises:
        InputError: there are none, or a picture's name does not tell its sample.
    """
    labels: dict[Sample, str] = {}
    for label in LABELS:
        for path in sorted(Path(folder, label).glob("*")):
            if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue  # what file managers leave
            named = PICTURE.fullmatch(path.stem)
            if not named:
                raise InputError(f"{path} is not named as {picture_name(123, 0)}")
            labels[_sample(named[2], named[1], str(path), labels)] = label
    if not labels:
        raise InputError(f"{folder} has no pictures in folders called {', '.join(LABELS)}")
    return Table(labels, None)
