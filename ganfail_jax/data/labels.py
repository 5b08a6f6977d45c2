"""Which of a seed's labelled samples are artifacts? (Choi 2022, app. A; Tousi 2021, sec. 3.2)"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ganfail_jax.data import label_table
from ganfail_jax.errors import InputError


class Labelled(NamedTuple):
    """n samples of one seed, each an artifact or normal."""

    indices: Int[np.ndarray, " n"]
    artifact: Bool[np.ndarray, " n"]
    sha256: str | None = None  # of the file that has the labels

    @property
    def key(self) -> str:
        """What distinguishes the labels from others: the hash of the file, or of the labels."""
        content = self.indices.tobytes() + self.artifact.tobytes()
        return self.sha256 or hashlib.sha256(content).hexdigest()

    @property
    def artifacts(self) -> Int[np.ndarray, " _"]:
        """Their indices."""
        return self.indices[self.artifact]

    @property
    def normals(self) -> Int[np.ndarray, " _"]:
        """Their indices."""
        return self.indices[~self.artifact]


def of_kinds(artifacts: list[int], normals: list[int]) -> Labelled:
    """Samples by the indices of either kind."""
    indices = np.asarray([*artifacts, *normals], np.int32)
    return Labelled(indices, np.arange(len(indices)) < len(artifacts))


def read_labels(file: str | Path, seed: int, generator_sha256: str) -> Labelled:
    """The labels of the samples of a seed, in the order of the file, without those skipped.

    Raises:
        InputError: the file is unreadable or not a table of labels, is of another generator, or
            has no label of this seed.
    """
    content = label_table.read(file)
    table = label_table.parse_csv(content, file)
    if table.generator is not None and not generator_sha256.startswith(table.generator):
        raise InputError(f"{file} has labels of another generator, {table.generator}")
    labels = {sample: label for sample, label in table.labels.items() if label != "skip"}
    of_seed = {index: label == "artifact" for (index, own), label in labels.items() if own == seed}
    if not of_seed:
        others = ", ".join(str(own) for own in sorted({own for _, own in labels})[:5])
        raise InputError(f"{file} has no labels of --seed={seed}; its seeds: {others or 'none'}")
    return Labelled(
        np.asarray([*of_seed], np.int32),
        np.asarray([*of_seed.values()]),
        hashlib.sha256(content).hexdigest(),
    )
