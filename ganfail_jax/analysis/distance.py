"""How far is a sample from the centre of the well classified ones? (Le Coz 2022, sec. 2.4)

The centre is an estimate as well: `Axis.refit` gives the distances that a bootstrap replicate of
the samples would have.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


class Axis(NamedTuple):
    """n samples by their distance from a centre."""

    distance: Float[np.ndarray, " n"]  # NaN: not of this curve
    refit: Callable[[Float[np.ndarray, "n r"]], Float[np.ndarray, "own r"]] | None = None
    # how often each sample counts -> distances of those of this curve from the centre of these


def axis(
    styles: Float[np.ndarray, "n s"],
    right: Bool[np.ndarray, " n"],
    dims: Int[np.ndarray, " d"],
    unit: Float[np.ndarray, " s"],
) -> Axis:
    """Distance of samples to the mean of the right ones but themselves.

    NaN where none is right and where there are no dimensions.

    Args:
        unit: standard deviation of every dimension; one that never varies adds nothing.
    """
    if not right.any() or not len(dims):
        return Axis(np.full(len(styles), np.nan))
    dims = dims[unit[dims] > 0]
    scaled = styles[:, dims].astype(np.float64) / unit[dims]
    scaled -= scaled[right].mean(axis=0)
    distance = np.linalg.norm(scaled, axis=1)
    others = right.sum() - 1
    distance[right] *= (others + 1) / max(others, 1)  # exactly the distance to the others' mean
    points, squares = scaled.astype(np.float32), np.square(scaled).sum(axis=1, dtype=np.float32)

    def refit(counts: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "n r"]:
        weights = counts * right[:, None].astype(np.float32)
        total = weights.sum(axis=0)
        centre = weights.T @ points / np.maximum(total, 1)[:, None]
        moved = squares[:, None] - 2 * points @ centre.T + np.square(centre).sum(axis=1)
        return np.sqrt(np.maximum(moved, 0)) * (total / np.maximum(total - weights, 1))

    return Axis(distance, refit)


def join(axes: Sequence[Axis], members: Sequence[Bool[np.ndarray, " n"]]) -> Axis:
    """One axis of disjoint sets of samples, each with its own."""
    out, known = np.full(len(members[0]), np.nan), list[tuple[Axis, np.ndarray]]()
    for each, own in zip(axes, members, strict=True):
        out[own] = each.distance
        if each.refit is not None:
            known.append((each, own))
    order = np.argsort(
        np.concatenate([np.zeros(0, int), *(np.flatnonzero(own) for _, own in known)])
    )

    def refit(counts: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "own r"]:
        parts = [each.refit(counts[own]) for each, own in known if each.refit is not None]
        return np.concatenate(parts)[order]

    return Axis(out, refit if known else None)
