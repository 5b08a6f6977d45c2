"""Does a ranking hold where it was not made, and what does a push look like? (Le Coz, sec. 2.3)"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from ganfail_jax.analysis.attributes import contrast_and_noise
from ganfail_jax.analysis.descriptions import observed_range
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.starts import (
    CONFIDENT,
    TOGETHER,
    Starts,
    at_samples,
    at_styles,
    starts_of,
)
from ganfail_jax.analysis.views import Views, target_softmax
from ganfail_jax.latents import sample_labels
from ganfail_jax.runtime import in_batches, progress_bar
from ganfail_jax.statistics import estimates
from ganfail_jax.statistics.intervals import Z95

DRAWS = 10  # of random dimensions
SHIFTS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # standard deviations of s_j
POPULATION = 2_000  # samples whose styles are the observed range


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
    beyond: Bool[np.ndarray, "d m"]  # whether the dimension is outside its observed range


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
    at least CONFIDENT (without any, the most confident) and ordinary, where there are such: in
    the less noisy half of them, in the half of higher contrast, and these dimensions within their
    observed ranges. Of these, it is the one whose output is lowest after a
    push along all these dimensions together by TOGETHER standard deviations. With `true_class`, the
    image is of that class and the dimensions are the top of that class.
    """
    group = 0 if true_class is None else 1 + true_class
    dims = ranking.order[group, :top]
    move = np.zeros(len(ranking.style_std), np.float32)
    move[dims] = (ranking.direction[group] * ranking.style_std)[dims]

    start, readable = _candidates(views, np.arange(candidates), truncation_psi)
    low, high = observed_range(views.styles(np.arange(POPULATION), truncation_psi)[:, dims])
    own = start.styles[:, dims]
    ordinary = readable & ((own >= low) & (own <= high)).all(axis=1)
    after = at_styles(views, start.styles + TOGETHER * move, start.target, start.samples).softmax
    rank = np.where(start.softmax >= CONFIDENT, after + ~ordinary, 3 - start.softmax)
    if true_class is not None:
        rank = np.where(start.target == true_class, rank, rank + 3)
    index = int(np.argmin(rank))

    pushed = np.tile(start.styles[index], (len(dims), len(shifts), 1))
    pushed[np.arange(len(dims)), :, dims] += move[dims, None] * np.asarray(shifts)
    moved = pushed[np.arange(len(dims)), :, dims]
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
        (moved < low[:, None]) | (moved > high[:, None]),
    )


def _candidates(
    views: Views, samples: Int[np.ndarray, " n"], truncation_psi: float
) -> tuple[Starts, Bool[np.ndarray, " n"]]:
    """Samples, and whether each is readable; a batch at a time, for the images may be large."""
    target = sample_labels(views.models.generator, samples)
    clarity = jax.jit(contrast_and_noise)
    styles, logits, measured = [], [], []
    for some in np.split(samples, range(views.batch_size, len(samples), views.batch_size)):
        styles.append(views.styles(some, truncation_psi))
        view = views.both(styles[-1], some)
        logits.append(view["logits"])
        measured.append(in_batches(clarity, views.batch_size, view["images"]))
    contrast, noise = np.concatenate(measured).T
    readable = (noise <= np.median(noise)) & (contrast >= np.median(contrast))
    return starts_of(np.concatenate(styles), np.concatenate(logits), target, samples), readable
