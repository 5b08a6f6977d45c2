"""Which of a seed's labelled samples are artifacts? (Choi 2022, app. A; Tousi 2021, sec. 3.2)"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ganfail_jax.data.label_table import read_csv
from ganfail_jax.errors import InputError


class Labels(NamedTuple):
    """n samples of one seed, in the order of the file; those that were skipped are left out."""

    indices: Int[np.ndarray, " n"]
    artifact: Bool[np.ndarray, " n"]
    sha256: str  # of the file


def read_labels(file: str | Path, seed: int, generator_sha256: str) -> Labels:
    """The labels of the samples of a seed.

    Raises:
        InputError: the file is unreadable or no table of labels, is of another generator, or has
            no label of this seed.
    """
    table = read_csv(file)
    if table.generator is not None and not generator_sha256.startswith(table.generator):
        raise InputError(f"{file} has labels of another generator, {table.generator}")
    told = {sample: label for sample, label in table.labels.items() if label != "skip"}
    mine = {index: label == "artifact" for (index, own), label in told.items() if own == seed}
    if not mine:
        others = ", ".join(str(own) for own in sorted({own for _, own in told})[:5])
        raise InputError(f"{file} has no labels of --seed={seed}; its seeds: {others or 'none'}")
    return Labels(
        np.asarray([*mine], np.int32),
        np.asarray([*mine.values()]),
        hashlib.sha256(Path(file).read_bytes()).hexdigest(),
    )
