"""What is the smallest degradation that turns an image over? (Le Coz 2022, sec. 2.3, 3.4, fig. 7)

From a start of every class, along each of its influential dimensions, in the degrading direction.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ganfail_jax.analysis import crossing
from ganfail_jax.analysis.crossing import Crossings
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.starts import Starts
from ganfail_jax.analysis.views import Views

MOST_CLASSES = 20  # whose images are made and shown; those of 1,000 classes fill the memory


class CornerCases(NamedTuple):
    """n starts moved along d dimensions each; the first `top` with an effect are shown.

    Images are of the first MOST_CLASSES starts only.
    """

    dims: Int[np.ndarray, "n d"]  # by falling influence
    direction: Float[np.ndarray, "n d"]  # -1 or +1: where the output falls
    raw: Float[np.ndarray, "n d"]  # size of the shift in units of s_j; NaN: no effect
    shift: Float[np.ndarray, "n d"]  # the same in standard deviations, as in Crossings below
    start_softmax: Float[np.ndarray, "n d"]
    softmax: Float[np.ndarray, "n d"]
    below: Float[np.ndarray, "n d"]
    above: Float[np.ndarray, "n d"]
    predicted_below: Int[np.ndarray, "n d"]
    predicted_above: Int[np.ndarray, "n d"]
    instead: Int[np.ndarray, "n d"]
    shown: Int[np.ndarray, "n top"]  # columns of the above; -1: no more dimensions with an effect
    images: Float[np.ndarray, "drawn top h w c"]  # black where there is none
    start_images: Float[np.ndarray, "drawn h w c"]


class Shown(NamedTuple):
    """The n starts of corner cases, for their figures; s: dimensions of StyleSpace."""

    names: Sequence[str]  # of the s dimensions
    class_names: Sequence[str]
    limit: float  # of the search, in standard deviations
    conditional: bool  # else a class is the prediction at the start
    start: str  # what the starts are
    start_target: Int[np.ndarray, " n"]  # class
    start_samples: Int[np.ndarray, " n"]  # index; -1: not a sample
    start_styles: Float[np.ndarray, "n s"]


def corner_cases(
    views: Views,
    ranking: Ranking,
    starts: Starts,
    *,
    searched: int = 40,
    top: int = 10,
    per_class: bool = True,
    limit: float = 20.0,
    grid: int = 24,
) -> CornerCases:
    """The smallest shift along each dimension that takes a start's class below softmax 0.50.

    Args:
        searched: how many dimensions of each start are tried, by falling influence.
        per_class: by the influence on the start's class, else on everything.
        limit, grid: see `crossing.search`; the limit is in standard deviations.
    """
    groups = 1 + starts.target if per_class else np.zeros_like(starts.target)
    dims = ranking.order[groups, :searched]
    n, d = dims.shape
    direction, std = ranking.direction[groups[:, None], dims], ranking.style_std[dims]
    moves = np.zeros((n * d, starts.styles.shape[1]), np.float32)
    moves[np.arange(n * d), dims.ravel()] = (direction * std).ravel()
    styles, target = starts.styles.repeat(d, axis=0), starts.target.repeat(d)
    noise = starts.noise.repeat(d)
    flat = crossing.search(views, styles, moves, target, noise, limit=limit, grid=grid)
    found = Crossings(*(field.reshape(n, d) for field in flat))

    # a stable sort puts dimensions with an effect first and keeps their order
    shown = np.argsort(~found.found, axis=1, kind="stable")[:, :top]
    shown = np.where(np.take_along_axis(found.found, shown, axis=1), shown, -1)
    drawn = shown[:MOST_CLASSES]
    row, column = np.nonzero(drawn >= 0)
    chosen = row * d + drawn[row, column]
    moved = styles[chosen] + flat.shift[chosen, None] * moves[chosen]
    images = np.full((*drawn.shape, *views.models.generator.image_shape), -1, np.float32)
    images[row, column] = views.images(moved, noise[chosen])
    start_images = views.images(starts.styles[:MOST_CLASSES], starts.noise[:MOST_CLASSES])
    return CornerCases(dims, direction, found.shift * std, *found, shown, images, start_images)


def _summary_of_one(ranking: Ranking, cases: CornerCases, row: int, column: int) -> dict[str, Any]:
    classes = ranking.groups[1:]
    return {
        "dimension": ranking.names[cases.dims[row, column]],
        "index": int(cases.dims[row, column]),
        "rank": column + 1,
        "degrading_direction": int(cases.direction[row, column]),
        "shift_std": float(cases.shift[row, column]),
        "shift_raw": float(cases.raw[row, column]),
        "softmax": float(cases.softmax[row, column]),
        "softmax_1%_below": float(cases.below[row, column]),
        "softmax_1%_above": float(cases.above[row, column]),
        "instead": classes[cases.instead[row, column]],
        "predicted_1%_above": classes[cases.predicted_above[row, column]],
    }


def summary(ranking: Ranking, every: Starts, begun: Starts, cases: CornerCases) -> dict[str, Any]:
    """The corner cases for result.json.

    Args:
        every: the starts asked for.
        begun: those of them above the level, which `cases` are of.
    """
    names = ranking.groups[1:]
    found = cases.shift > 0
    classes = {
        names[target]: {
            "sample": int(begun.samples[row]) if begun.samples[row] >= 0 else None,
            "start_softmax": float(begun.softmax[row]),
            "corner_cases": [
                _summary_of_one(ranking, cases, row, column)
                for column in cases.shown[row].tolist()
                if column >= 0
            ],
            "dimensions_with_effect": int(found[row].sum()),
            "without_effect": [ranking.names[d] for d in cases.dims[row, ~found[row]]],
        }
        for row, target in enumerate(begun.target)
    }
    left_out = {
        names[every.target[i]]: {
            "softmax": float(every.softmax[i]),
            "predicted": names[every.predicted[i]],
        }
        for i in np.flatnonzero(every.softmax <= crossing.LEVEL)
    }
    same = found & (cases.predicted_above == begun.target[:, None])
    return {
        "classes": classes,
        "dimensions_searched": int(cases.dims.shape[1]),
        "crossings": int(found.sum()),
        "crossings_with_unchanged_prediction_1%_above": int(same.sum()),
        "starts_not_classified_as_their_class": left_out,
    }
