"""What a person says of generated images: normal, or an artifact (Choi 2022, app. A; Tousi 2021).

A CSV file with the columns index, seed and label: a sample is told by its index and the seed.
"""

import csv
import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ganfail_jax.errors import InputError

COLUMNS = ("index", "seed", "label")
LARGEST = {"index": 2**31 - 1, "seed": 2**32 - 1}
LABELS = ("normal", "artifact")


class Labels(NamedTuple):
    """n samples of one seed, in the order of the file."""

    indices: Int[np.ndarray, " n"]
    artifact: Bool[np.ndarray, " n"]
    sha256: str  # of the file


def read_labels(file: str | Path, seed: int) -> Labels:
    """The labels of the samples of a seed.

    Raises:
        InputError: the file is unreadable or not such a table, or has no label of this seed.
    """
    try:
        content = Path(file).read_bytes()
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if not {*COLUMNS} <= {*(rows.fieldnames or ())}:
            raise InputError(f"{file} has no columns {', '.join(COLUMNS)} in its first line")
        found: dict[tuple[int, int], bool] = {}
        for row in rows:
            where = f"{file}, line {rows.line_num}"
            sample = _number(row["index"], "index", where), _number(row["seed"], "seed", where)
            if row["label"] not in LABELS:
                raise InputError(f"{where}: label {row['label']!r} is none of {', '.join(LABELS)}")
            if sample in found:
                raise InputError(f"{where}: sample {sample[0]} of seed {sample[1]} comes twice")
            found[sample] = row["label"] == "artifact"
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is no CSV file: {error}") from error
    mine = {index: artifact for (index, own), artifact in found.items() if own == seed}
    if not mine:
        others = ", ".join(str(own) for own in sorted({own for _, own in found})[:5])
        raise InputError(f"{file} has no labels of --seed={seed}; its seeds: {others or 'none'}")
    return Labels(
        np.asarray([*mine], np.int32),
        np.asarray([*mine.values()]),
        hashlib.sha256(content).hexdigest(),
    )


def _number(text: str | None, name: str, where: str) -> int:
    largest = LARGEST[name]
    if text and text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= largest:
        return int(text)
    raise InputError(f"{where}: {name} {text!r} is no number from 0 to {largest}")
