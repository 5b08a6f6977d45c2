"""What is the smallest degradation that turns an image over? (Le Coz 2022, sec. 2.3, 3.4, fig. 7)

From a start of every class, along each of its influential dimensions, in the degrading direction.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ganfail_jax.analysis import crossing
from ganfail_jax.analysis.crossing import Crossings, Probe
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.starts import Starts


class CornerCases(NamedTuple):
    """n starts moved along d dimensions each; the first `top` with an effect are shown."""

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
    images: Float[np.ndarray, "n top h w c"]  # black where there is none
    start_images: Float[np.ndarray, "n h w c"]


def corner_cases(
    views: Probe,
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
    flat = crossing.search(views, styles, moves, target, limit=limit, grid=grid)
    found = Crossings(*(field.reshape(n, d) for field in flat))

    # a stable sort puts dimensions with an effect first and keeps their order
    shown = np.argsort(~found.found, axis=1, kind="stable")[:, :top]
    shown = np.where(np.take_along_axis(found.found, shown, axis=1), shown, -1)
    row, column = np.nonzero(shown >= 0)
    images = np.full((*shown.shape, *views.models.generator.image_shape), -1, np.float32)
    if len(row):
        chosen = row * d + shown[row, column]
        images[row, column] = views.images(
            styles[chosen] + flat.shift[chosen, None] * moves[chosen]
        )
    start_images = views.images(starts.styles)
    return CornerCases(dims, direction, found.shift * std, *found, shown, images, start_images)
