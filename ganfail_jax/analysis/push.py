"""Does a ranking hold where it was not made, and what does a push look like? (Le Coz, sec. 2.3)"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from ganfail_jax import runtime
from ganfail_jax.accumulate import Moments, batch_moments, merge_moments, standard_error
from ganfail_jax.analysis.outputs import (
    Models,
    logits_of,
    render,
    sample_styles,
    softmax_score,
    target_classes,
)
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.latents import noise_keys

SHIFTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0)  # standard deviations of s_j
CONFIDENT = 0.99  # softmax of an image worth pushing
TOGETHER = 2.0  # standard deviations, in the choice of the image


class PushEffect(NamedTuple):
    """Mean true-class softmax of n samples: unmoved, moved along the top, along random ones."""

    num_samples: int
    dimensions: int  # how many were pushed together
    before: float
    top: float
    random: float
    standard_errors: tuple[float, float, float]  # of before, top, random


def push_effect(
    models: Models,
    ranking: Ranking,
    *,
    num_samples: int,
    batch_size: int,
    mesh: Mesh,
    first_index: int,
    seed: int = 0,
    truncation_psi: float = 1.0,
    top: int = 10,
    deviations: float = 1.0,
    draws: int = 3,
    progress: str | None = None,
) -> PushEffect:
    """Does the ranking hold where it was not made? Push fresh samples in the degrading direction.

    The top dimensions together move by `deviations` standard deviations each; for comparison as
    many others, drawn at random `draws` times, move in their own degrading direction.

    Args:
        first_index: of the fresh samples; beyond the samples that made the ranking.
    """
    rng = np.random.default_rng(seed)
    order, step_size = ranking.order[0], deviations * ranking.direction[0] * ranking.style_std
    top = min(top, len(order) // 2)
    moves = np.zeros((2 + draws, len(order)), np.float32)
    for row, dims in enumerate(
        [order[:top], *(rng.choice(order[top:], top, replace=False) for _ in range(draws))], start=1
    ):
        moves[row, dims] = step_size[dims]

    @jax.jit
    def outputs(params: Any, indices: Array, mask: Array) -> Moments:
        here = models.with_params(params)
        sampled = sample_styles(here, seed, first_index + indices, truncation_psi)
        styles, labels, keys = sampled
        logits = [logits_of(here, styles + move, keys) for move in moves]
        target = target_classes(labels, logits[0])
        values = jnp.stack([softmax_score(x, target) for x in logits], axis=1)
        pushed = jnp.concatenate([values[:, :2], values[:, 2:].mean(1, keepdims=True)], axis=1)
        return batch_moments(pushed, mask[:, None].astype(jnp.float32))

    run = partial(outputs, runtime.replicate(mesh, models.params))
    total = runtime.sweep(run, merge_moments, num_samples, batch_size, mesh=mesh, progress=progress)
    (before, pushed, random), errors = map(float, total.mean[0]), standard_error(total)[0]
    return PushEffect(num_samples, top, before, pushed, random, tuple(map(float, errors)))  # pyright: ignore


class PushGrid(NamedTuple):
    """One image pushed along each of d top dimensions by m shifts in standard deviations."""

    images: Float[np.ndarray, "d m h w c"]
    softmax: Float[np.ndarray, "d m"]  # of the true class
    predicted: Int[np.ndarray, "d m"]
    shifts: Float[np.ndarray, " m"]  # standard deviations, in the degrading direction
    true_class: int
    group: int  # whose ranking: 0 everything, 1 + i class i


def push_grid(
    models: Models,
    ranking: Ranking,
    *,
    seed: int = 0,
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

    @jax.jit
    def draw(params: Any, indices: Array) -> tuple[Array, Array, Array, Array]:
        here = models.with_params(params)
        styles, labels, keys = sample_styles(here, seed, indices, truncation_psi)
        logits = logits_of(here, styles, keys)
        target = target_classes(labels, logits)
        after = softmax_score(logits_of(here, styles + TOGETHER * move, keys), target)
        return styles, target, softmax_score(logits, target), after

    @jax.jit
    def look(params: Any, styles: Array, indices: Array) -> tuple[Array, Array]:
        here, keys = models.with_params(params), noise_keys(models.generator, seed, indices)
        return render(here, styles, keys), logits_of(here, styles, keys)

    styles, target, before, after = draw(models.params, jnp.arange(candidates))
    rank = jnp.where(before >= CONFIDENT, after, 2 - before)
    if true_class is not None:
        rank = jnp.where(target == true_class, rank, rank + 2)
    index = int(jnp.argmin(rank))

    pushed = np.tile(np.asarray(styles[index]), (len(dims), len(shifts), 1))
    pushed[np.arange(len(dims)), :, dims] += move[dims, None] * np.asarray(shifts)
    flat = jnp.asarray(pushed.reshape(-1, pushed.shape[-1]))
    images, logits = look(models.params, flat, jnp.full(len(flat), index))
    truth = jnp.full(len(flat), target[index])
    grid = pushed.shape[:2]
    return PushGrid(
        np.asarray(images).reshape(*grid, *models.generator.image_shape),
        np.asarray(softmax_score(logits, truth)).reshape(grid),
        np.asarray(jnp.argmax(logits, axis=1)).reshape(grid),
        np.asarray(shifts),
        int(target[index]),
        group,
    )
