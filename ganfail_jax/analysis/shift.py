"""What does an image become along each influential dimension? (Le Coz 2022, sec. 3.2, fig. 5)"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ganfail_jax.analysis import crossing
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.starts import Starts
from ganfail_jax.analysis.views import Views, target_softmax

PROGRESS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)


class ShiftGrid(NamedTuple):
    """One image moved along d dimensions by p fractions of each one's reference shift."""

    dims: Int[np.ndarray, " d"]
    direction: Float[np.ndarray, " d"]  # -1 or +1: where the output falls
    std: Float[np.ndarray, " d"]  # of s_j: raw shift = shift * std
    reference: Float[np.ndarray, " d"]  # smallest shift to softmax 0.50, in std; else the limit
    reached: Bool[np.ndarray, " d"]  # whether 0.50 is reached within the limit
    progress: Float[np.ndarray, " p"]  # fractions of the reference shift
    images: Float[np.ndarray, "p d h w c"]
    softmax: Float[np.ndarray, "p d"]  # of the true class
    predicted: Int[np.ndarray, "p d"]


class Shown(NamedTuple):
    """The start of a grid of d dimensions, for its figure."""

    names: Sequence[str]  # of the d dimensions
    class_names: Sequence[str]
    true_class: int
    sample: int  # index
    chosen: str  # how
    start_style: Float[np.ndarray, " s"]
    group: str  # of the ranking: "all", or a class
    limit: float  # of the search, in standard deviations
    conditional: bool  # else the class is the prediction at the start


def shift_grid(
    views: Views,
    ranking: Ranking,
    start: Starts,
    dims: Int[np.ndarray, " d"],
    *,
    group: int = 0,
    progress: Sequence[float] = PROGRESS,
    limit: float = 20.0,
    grid: int = 24,
) -> ShiftGrid:
    """Move one start along each dimension in its degrading direction.

    Args:
        start: a single point.
        group: of the ranking, whose directions degrade.
        limit, grid: see `crossing.search`; the limit is in standard deviations.
    """
    d, columns = len(dims), np.arange(len(dims))
    direction, std = ranking.direction[group, dims], ranking.style_std[dims]
    moves = np.zeros((d, start.styles.shape[1]), np.float32)
    moves[columns, dims] = direction * std
    starts, target = start.styles.repeat(d, axis=0), start.target.repeat(d)
    noise = start.noise.repeat(d)
    found = crossing.search(views, starts, moves, target, noise, limit=limit, grid=grid)
    reference = np.where(found.found, found.shift, limit)
    shifts = np.multiply.outer(np.asarray(progress), reference)  # [p, d]
    moved = (starts + shifts[..., None] * moves).astype(np.float32).reshape(-1, starts.shape[1])
    noise = start.noise.repeat(len(moved))
    logits = views.logits(moved, noise)
    own = target_softmax(logits, start.target.repeat(len(moved)))
    images = views.images(moved, noise)
    return ShiftGrid(
        dims,
        direction,
        std,
        reference,
        found.found,
        np.asarray(progress),
        images.reshape(*shifts.shape, *images.shape[1:]),
        own.reshape(shifts.shape),
        logits.argmax(axis=1).reshape(shifts.shape),
    )


def summary(
    grid: ShiftGrid, start: Starts, ranking: Ranking, *, group: int, limit: float
) -> dict[str, Any]:
    """The grid for result.json; group and limit are those of the search."""
    classes = ranking.groups[1:]
    columns = [
        {
            "dimension": ranking.names[d],
            "index": int(d),
            "degrading_direction": int(grid.direction[i]),
            "reaches_0.50": bool(grid.reached[i]),
            "reference_shift_std": float(grid.reference[i]),
            "reference_shift_raw": float(grid.reference[i] * grid.std[i]),
            "softmax": grid.softmax[:, i].tolist(),
            "predicted": [classes[k] for k in grid.predicted[:, i]],
        }
        for i, d in enumerate(grid.dims)
    ]
    return {
        "start": {
            "sample": int(start.samples[0]),
            "class": classes[start.target[0]],
            "softmax": float(start.softmax[0]),
        },
        "ranking_group": ranking.groups[group],
        "limit_std": limit,
        "progress": grid.progress.tolist(),
        "dimensions": columns,
    }
