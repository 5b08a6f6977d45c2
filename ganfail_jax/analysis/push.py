"""Does a ranking hold where it was not made, and what does a push look like? (Le Coz, sec. 2.3)"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.starts import CONFIDENT, TOGETHER, at_samples, at_styles
from ganfail_jax.analysis.views import Views, target_softmax
from ganfail_jax.runtime import progress_bar
from ganfail_jax.statistics import estimates
from ganfail_jax.statistics.intervals import Z95

DRAWS = 10  # of random dimensions
SHIFTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0)  # standard deviations of s_j


class PushEffect(NamedTuple):
    """Mean true-class softmax of n samples: unmoved, moved along the top, along random ones.

    Intervals are of 95 %, over samples; that of random ones over draws of dimensions, too. The
    ranking is held fixed.
    """

    num_samples: int
    dimensions: int  # how many were pushed together
    before: float
    top: float
    random: float
    standard_errors: tuple[float, float, float]  # of before, top, random
    random_draws: tuple[float, ...]  # the mean of every draw of dimensions
    reach: tuple[float, float, float]  # of the intervals, to either side


def push_effect(
    views: Views,
    ranking: Ranking,
    *,
    num_samples: int,
    first_index: int,
    truncation_psi: float = 1.0,
    top: int = 10,
    deviations: float = 1.0,
    draws: int = DRAWS,
    progress: str | None = None,
) -> PushEffect:
    """Does the ranking hold where it was not made? Push fresh samples in the degrading direction.

    The top dimensions together move by `deviations` standard deviations each; for comparison as
    many others, drawn at random `draws` times, move in their own degrading direction.

    Args:
        first_index: of the fresh samples; beyond the samples that made the ranking.
    """
    rng = np.random.default_rng(views.seed)
    order, step_size = ranking.order[0], deviations * ranking.direction[0] * ranking.style_std
    top = min(top, len(order) // 2)
    moves = np.zeros((1 + draws, len(order)), np.float32)
    for row, dims in enumerate(
        [order[:top], *(rng.choice(order[top:], top, replace=False) for _ in range(draws))]
    ):
        moves[row, dims] = step_size[dims]
    samples = first_index + np.arange(num_samples)
    with progress_bar(progress, num_samples * (2 + draws), 0) as bar:
        start = at_samples(views, samples, truncation_psi=truncation_psi)
        bar.update(num_samples)
        softmax = [start.softmax]
        for move in moves:
            logits = views.logits(start.styles + move, start.noise)
            softmax.append(target_softmax(logits, start.target))
            bar.update(num_samples)
    before, pushed, *random = np.asarray(softmax, np.float64)
    singles = [estimates.mean(each) for each in (before, pushed)]
    drawn = estimates.mean_over_draws(np.stack(random))
    errors = [float(each.standard_error[0]) for each in singles]
    return PushEffect(
        num_samples,
        top,
        float(before.mean()),
        float(pushed.mean()),
        drawn.value,
        (errors[0], errors[1], drawn.standard_error),
        tuple(np.mean(random, axis=1).tolist()),
        (Z95 * errors[0], Z95 * errors[1], drawn.reach),
    )


class PushGrid(NamedTuple):
    """One image pushed along each of d top dimensions by m shifts in standard deviations."""

    images: Float[np.ndarray, "d m h w c"]
    softmax: Float[np.ndarray, "d m"]  # of the true class
    predicted: Int[np.ndarray, "d m"]
    shifts: Float[np.ndarray, " m"]  # standard deviations, in the degrading direction
    true_class: int
    group: int  # whose ranking: 0 everything, 1 + i class i


def push_grid(
    views: Views,
    ranking: Ranking,
    *,
    truncation_psi: float = 1.0,
    top: int = 10,
    true_class: int | None = None,
    shifts: Sequence[float] = SHIFTS,
    candidates: int = 250,
) -> PushGrid:
    """What an image becomes along each of the top dimensions, in the degrading direction.

    The image is the most affected one of the `candidates` that are classified with a softmax of
    at least CONFIDENT (without any, the most confident): the one whose output is lowest after a
    push along all these dimensions together by TOGETHER standard deviations. With `true_class`,
    the image is of that class and the dimensions are the top of that class.
    """
    group = 0 if true_class is None else 1 + true_class
    dims = ranking.order[group, :top]
    move = np.zeros(len(ranking.style_std), np.float32)
    move[dims] = (ranking.direction[group] * ranking.style_std)[dims]

    start = at_samples(views, np.arange(candidates), truncation_psi=truncation_psi)
    after = at_styles(views, start.styles + TOGETHER * move, start.target, start.samples).softmax
    rank = np.where(start.softmax >= CONFIDENT, after, 2 - start.softmax)
    if true_class is not None:
        rank = np.where(start.target == true_class, rank, rank + 2)
    index = int(np.argmin(rank))

    pushed = np.tile(start.styles[index], (len(dims), len(shifts), 1))
    pushed[np.arange(len(dims)), :, dims] += move[dims, None] * np.asarray(shifts)
    flat, grid = pushed.reshape(-1, pushed.shape[-1]), pushed.shape[:2]
    own = start.take(np.full(len(flat), index))
    seen = at_styles(views, flat, own.target, own.samples)
    return PushGrid(
        views.images(flat, own.noise).reshape(*grid, *views.models.generator.image_shape),
        seen.softmax.reshape(grid),
        seen.predicted.reshape(grid),
        np.asarray(shifts),
        int(start.target[index]),
        group,
    )
