"""How well do frozen features show artifacts, and from how many labels? (Tousi 2021, sec. 3.2)

Classes are numbered as CLASSES: artifact, normal and, where there are real images, real. The
artifact classifier is trained on one part of the labels and measured on the other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ganfail_jax.analysis.confusion import confusion_matrix, pair_auc, shares
from ganfail_jax.errors import InputError
from ganfail_jax.training import linear_probe

CLASSES = ("artifact", "normal", "real")
ARTIFACT, NORMAL, REAL = range(3)
SMALLEST = 25  # labels of the first point of a label-efficiency curve; then twice as many, ...


class Split(NamedTuple):
    """Places of samples, ascending."""

    train: Int[np.ndarray, " t"]
    held_out: Int[np.ndarray, " h"]


def split(labels: Int[np.ndarray, " n"], share: float, rng: np.random.Generator) -> Split:
    """Hold out this share of every class, at random.

    Raises:
        InputError: a class has too few samples for both parts.
    """
    out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        held = round(share * len(mine))
        if held < 2 or len(mine) - held < linear_probe.FOLDS:
            raise InputError(
                f"{len(mine)} samples are {CLASSES[label]}: of these --held_out={share:g} leaves "
                f"{len(mine) - held} for training and {held} to measure; at least "
                f"{linear_probe.FOLDS} and 2 are needed"
            )
        out[mine[:held]] = True
    return Split(np.flatnonzero(~out), np.flatnonzero(out))


def measure(logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> dict[str, Any]:
    """What the held-out samples say, for result.json."""
    k = logits.shape[1]
    matrix = confusion_matrix(labels, logits.argmax(axis=1), k)
    areas = {"artifact_against_normal": pair_auc(logits, labels, ARTIFACT, NORMAL)}
    if k > REAL:
        areas["real_against_normal"] = pair_auc(logits, labels, REAL, NORMAL)
    return {"confusion": matrix.tolist(), **shares(matrix, CLASSES[:k]), "auc": areas}


class Efficiency(NamedTuple):
    """Of r random splits, for s numbers of training labels."""

    num_labels: Int[np.ndarray, " s"]  # artifact and normal; real images need none
    accuracy: Float[np.ndarray, "s r"]  # of all classes, on the part held out
    auc: Float[np.ndarray, "s r"]  # artifact against normal

    def summary(self) -> list[dict[str, Any]]:
        """For result.json; the deviation of a single split is NaN."""

        def spread(values: Float[np.ndarray, " r"]) -> dict[str, float]:
            deviation = values.std(ddof=1) if len(values) > 1 else np.nan
            return {"mean": float(values.mean()), "deviation": float(deviation)}

        rows = zip(self.num_labels.tolist(), self.accuracy, self.auc, strict=True)
        return [
            {"labels": n, "draws": len(a), "accuracy": spread(a), "auc": spread(b)}
            for n, a, b in rows
        ]


def curve_sizes(labels: Int[np.ndarray, " n"]) -> list[int]:
    """Numbers of labels for a curve: 25, 50, 100, ..., all; each has FOLDS of both kinds."""
    kinds = np.bincount(labels, minlength=REAL)[:REAL]
    whole, sizes = int(kinds.sum()), list[int]()
    size = SMALLEST
    while size < whole:
        if (kinds * size // whole).min() >= linear_probe.FOLDS:
            sizes.append(size)
        size *= 2
    return [*sizes, whole]


def _some(
    labels: Int[np.ndarray, " n"], size: int, rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """Places of `size` labels, artifacts and normal ones in proportion, and of all real images."""
    kinds = [rng.permutation(np.flatnonzero(labels == kind)) for kind in (ARTIFACT, NORMAL)]
    whole = sum(map(len, kinds))
    artifacts = len(kinds[0]) * size // whole
    real = np.flatnonzero(labels == REAL)
    return np.concatenate([kinds[0][:artifacts], kinds[1][: size - artifacts], real])


def label_efficiency(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    share: float,
    draws: int,
    balance: bool,
    seed: int,
) -> Efficiency:
    """Quality on held-out samples against the number of training labels.

    Every draw holds out other samples and takes other labels, so that their spread is that of
    samples and labels together; the penalty is selected anew, from the labels taken alone.
    """
    k = int(labels.max()) + 1
    rows: list[list[tuple[float, float]]] = []
    sizes: Sequence[int] = ()
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        parts = split(labels, share, rng)
        sizes, row = curve_sizes(labels[parts.train]), []
        rows_out, labels_out = features[parts.held_out], labels[parts.held_out]
        for size in sizes:
            taken = parts.train[_some(labels[parts.train], size, rng)]
            probe, _ = linear_probe.choose(
                features[taken], labels[taken], k, balance=balance, rng=rng
            )
            logits = probe.logits(rows_out)
            right = float((logits.argmax(axis=1) == labels_out).mean())
            row.append((right, pair_auc(logits, labels_out, ARTIFACT, NORMAL)["value"]))
        rows.append(row)
    accuracy, area = np.asarray(rows).transpose(2, 1, 0)
    return Efficiency(np.asarray(sizes), accuracy, area)
