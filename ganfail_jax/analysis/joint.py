"""What is the smallest move over several dimensions at once that turns an image over?

Beyond Le Coz 2022, who name it as future work (sec. 3.4): min |delta / std| subject to a softmax
output of the true class of at most 0.50, with delta in a few dimensions of StyleSpace. It is the
design point of structural reliability: there the move is parallel to the gradient of the
constraint, which gives the iteration of Hasofer and Lind (1974) and Rackwitz and Fiessler (1978);
here a step is shortened until the move gets shorter. A local optimum, from several directions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jaxtyping import Array, Float, Int

from ganfail_jax.analysis import crossing
from ganfail_jax.analysis.crossing import Probe
from ganfail_jax.analysis.outputs import Models, logits_of
from ganfail_jax.analysis.starts import Starts

PARALLEL = 1 - 1e-5  # cosine of move and gradient at which a move counts as optimal


class JointMoves(NamedTuple):
    """The smallest move found for each of n starts, in d dimensions; NaN: none within the limit."""

    dims: Int[np.ndarray, "n d"]
    delta: Float[np.ndarray, "n d"]  # in standard deviations, signed
    length: Float[np.ndarray, " n"]  # Euclidean, of delta
    single: Float[np.ndarray, " n"]  # the smallest along one of the dimensions alone
    random: Float[np.ndarray, "n r"]  # along random directions of the same dimensions
    softmax: Float[np.ndarray, " n"]  # of the true class after the move
    above: Float[np.ndarray, " n"]  # a little further
    instead: Int[np.ndarray, " n"]  # the best other class there; -1: none
    images: Float[np.ndarray, "n h w c"]  # after the move; black where there is none


def log_odds(logits: Float[Array, "b k"], target: Int[Array, " b"]) -> Float[Array, " b"]:
    """log(p / (1 - p)) of the true class: 0 at softmax 0.50, and never saturated."""
    own = jax.nn.one_hot(target, logits.shape[1], dtype=bool)
    others = logsumexp(jnp.where(own, -jnp.inf, logits), axis=1)
    return jnp.take_along_axis(logits, target[:, None], axis=1)[:, 0] - others


def slopes(models: Models, batch_size: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """(styles [n,s], target [n]) -> the gradient of the log-odds by the styles [n,s]."""

    @jax.jit
    def gradient(params: Any, styles: Array, target: Array) -> Array:
        here = models.with_params(params)
        return jax.grad(lambda x: jnp.sum(log_odds(logits_of(here, x), target)))(styles)

    def run(styles: np.ndarray, target: np.ndarray) -> np.ndarray:
        return crossing.in_batches(
            lambda *rows: gradient(models.params, *rows), batch_size, styles, target
        )

    return run


def _unit(vectors: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0)


def smallest_moves(
    views: Probe,
    starts: Starts,
    dims: Int[np.ndarray, "n d"],
    std: Float[np.ndarray, " s"],
    single: Float[np.ndarray, "n d"],
    *,
    limit: float = 20.0,
    grid: int = 24,
    draws: int = 32,
    paths: int = 4,
    iterations: int = 25,
    seed: int = 0,
) -> JointMoves:
    """The smallest standardised move in some dimensions that takes the class below softmax 0.50.

    Args:
        starts: all above softmax 0.50.
        dims: of each start, all different.
        std: of every dimension of S; lengths are in these units.
        single: signed shifts in std along each dimension alone that do it already; NaN: none.
        draws: how many random directions are compared with.
        paths: how many of the best directions (gradient, best single one, random) are improved.
    """
    n, d = dims.shape
    slope = slopes(views.models, views.batch_size)

    def embed(owner: Int[np.ndarray, " m"], moves: Float[np.ndarray, "m d"]) -> np.ndarray:
        """Moves in standard deviations, as moves in S [m, s]."""
        full = np.zeros((len(moves), len(std)), np.float32)
        full[np.arange(len(moves))[:, None], dims[owner]] = moves * std[dims[owner]]
        return full

    def odds(owner: Int[np.ndarray, " m"], moves: Float[np.ndarray, "m d"]) -> np.ndarray:
        seen = views.logits(starts.styles[owner] + embed(owner, moves))
        return crossing.log_odds(seen, starts.target[owner])

    def along(owner: Int[np.ndarray, " m"], direction: Float[np.ndarray, "m d"]) -> Callable:
        return lambda rows, length: odds(owner[rows], length[:, None] * direction[rows])

    def steepest(owner: Int[np.ndarray, " m"], moves: Float[np.ndarray, "m d"]) -> np.ndarray:
        """The unit vectors along which the log-odds fall fastest after these moves."""
        gradient = slope(starts.styles[owner] + embed(owner, moves), starts.target[owner]) * std
        return -_unit(gradient[np.arange(len(owner))[:, None], dims[owner]])

    def cross(
        owner: Int[np.ndarray, " m"], directions: Float[np.ndarray, "m d"], limit: float
    ) -> crossing.Crossings:
        styles, target = starts.styles[owner], starts.target[owner]
        moves = embed(owner, directions)
        return crossing.search(views, styles, moves, target, limit=limit, grid=grid)

    everyone = np.arange(n)
    at_start = odds(everyone, np.zeros((n, d)))
    best = np.argmin(np.where(np.isnan(single), np.inf, np.abs(single)), axis=1)
    single = single[everyone, best]
    alone = np.zeros((n, 1, d))
    alone[everyone, 0, best] = np.sign(np.nan_to_num(single))
    downhill = steepest(everyone, np.zeros((n, d)))[:, None]
    random = _unit(np.random.default_rng(seed).normal(size=(n, draws, d)))
    drawn = np.concatenate([downhill, random], axis=1)
    reach = cross(everyone.repeat(1 + draws), drawn.reshape(-1, d), limit).shift.reshape(n, -1)

    lengths = np.concatenate([reach, np.abs(single)[:, None]], axis=1)
    first = np.argsort(lengths, axis=1)[:, :paths]  # NaN last
    owner = everyone.repeat(first.shape[1])
    direction = np.concatenate([drawn, alone], axis=1)[owner, first.ravel()]
    length = np.nan_to_num(lengths[owner, first.ravel()], nan=limit)[:, None]
    step = np.ones_like(length)
    rows = np.arange(len(owner))
    for _ in range(iterations):
        aim = steepest(owner[rows], length[rows] * direction[rows])
        unsettled = np.sum(aim * direction[rows], axis=1) < PARALLEL
        rows, aim = rows[unsettled], aim[unsettled]
        if not len(rows):
            break
        turned = _unit(direction[rows] + step[rows] * (aim - direction[rows]))
        reached = odds(owner[rows], length[rows] * turned)
        shorter = reached <= 0
        step[rows] = np.where(shorter[:, None], np.minimum(1, 2 * step[rows]), step[rows] / 2)
        better = rows[shorter]
        direction[better] = turned[shorter]
        length[better, 0] = crossing.roots(
            along(owner[better], direction[better]),
            np.zeros(len(better)),
            length[better, 0],
            at_start[owner[better]],
            reached[shorter],
        )

    winner = everyone * first.shape[1] + length.reshape(n, -1).argmin(axis=1)
    reached = length[winner] * direction[winner]
    end = cross(everyone, reached, 1 + crossing.BESIDE)  # in lengths of the move
    delta = reached * np.where(end.found, end.shift, np.nan)[:, None]
    images = np.full((n, *views.models.generator.image_shape), -1, np.float32)
    if end.found.any():
        found = np.flatnonzero(end.found)
        images[found] = views.images(starts.styles[found] + embed(found, delta[found]))
    return JointMoves(
        dims,
        delta,
        np.linalg.norm(delta, axis=1),
        np.abs(single),
        reach[:, 1:],
        end.softmax,
        end.above,
        end.instead,
        images,
    )
