"""What is the smallest move over several dimensions at once that turns an image over?

Beyond Le Coz 2022, who name it as future work (sec. 3.4): min |delta / std| subject to a softmax
output of the true class of at most 0.50, with delta in a few dimensions of StyleSpace. It is the
design point of structural reliability: there the move is parallel to the gradient of the
constraint, which gives the iteration of Hasofer and Lind (1974) and Rackwitz and Fiessler (1978);
here a step is shortened until the move gets shorter. A local optimum, from several directions.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from ganfail_jax.analysis import crossing
from ganfail_jax.analysis.corner_cases import MOST_CLASSES, CornerCases
from ganfail_jax.analysis.outputs import logits_of
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.starts import Starts
from ganfail_jax.analysis.views import Views
from ganfail_jax.latents import noise_keys
from ganfail_jax.runtime import in_batches

PARALLEL = 1 - 1e-5  # cosine of move and gradient at which a move counts as optimal


class JointMoves(NamedTuple):
    """The smallest move found for each of n starts, in d dimensions; NaN: none within the limit."""

    dims: Int[np.ndarray, "n d"]
    delta: Float[np.ndarray, "n d"]  # in standard deviations, signed
    length: Float[np.ndarray, " n"]  # Euclidean, of delta
    single: Float[np.ndarray, " n"]  # the smallest along one of the dimensions alone
    random: Float[np.ndarray, "n r"]  # along random directions of the same dimensions
    random_quartiles: Float[np.ndarray, "n 3"]  # of these lengths; infinite: beyond the limit
    softmax: Float[np.ndarray, " n"]  # of the true class after the move
    above: Float[np.ndarray, " n"]  # a little further
    instead: Int[np.ndarray, " n"]  # the best other class there; -1: none
    images: Float[np.ndarray, "drawn h w c"]  # of the first starts; black where there is none


def slopes(views: Views) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """(styles [n,s], target [n], noise [n]) -> the gradient of the log-odds by the styles [n,s].

    Args:
        views: of the same points, to which it adds this one.
    """

    @jax.jit
    def gradient(params: Any, styles: Array, target: Array, noise: Array) -> Array:
        here = views.models.with_params(params)
        keys = noise_keys(here.generator, views.seed, noise)
        return jax.grad(lambda x: crossing.log_odds(logits_of(here, x, keys), target).sum())(styles)

    def run(styles: np.ndarray, target: np.ndarray, noise: np.ndarray) -> np.ndarray:
        rows = styles.astype(np.float32), target, noise.astype(np.int32)
        return in_batches(partial(gradient, views.models.params), views.batch_size, *rows)

    return run


def _unit(vectors: Float[np.ndarray, "*n d"]) -> Float[np.ndarray, "*n d"]:
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0)


class Search(NamedTuple):
    """How the smallest move is searched."""

    limit: float = 20.0  # the largest move tried, in standard deviations
    grid: int = 24  # steps up to the limit that bracket a crossing
    draws: int = 32  # random directions that are compared with
    paths: int = 12  # of the best directions (gradient, best single one, random): are improved
    iterations: int = 25
    seed: int = 0


class _Space(NamedTuple):
    """The d dimensions in which each of n starts moves; moves are in standard deviations.

    Rows of m moves name their start by its number, the owner.
    """

    views: Views
    slope: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # from `slopes`
    starts: Starts
    dims: Int[np.ndarray, "n d"]
    std: Float[np.ndarray, " s"]

    def embed(
        self, owner: Int[np.ndarray, " m"], moves: Float[np.ndarray, "m d"]
    ) -> Float[np.ndarray, "m s"]:
        """The moves in S, in its own units."""
        full = np.zeros((len(moves), len(self.std)), np.float32)
        full[np.arange(len(moves))[:, None], self.dims[owner]] = moves * self.std[self.dims[owner]]
        return full

    def odds(
        self, owner: Int[np.ndarray, " m"], moves: Float[np.ndarray, "m d"]
    ) -> Float[np.ndarray, " m"]:
        """Log-odds of the true class after the moves."""
        styles = self.starts.styles[owner] + self.embed(owner, moves)
        logits = self.views.logits(styles, self.starts.noise[owner])
        return crossing.log_odds(logits.astype(np.float64), self.starts.target[owner])

    def steepest(
        self, owner: Int[np.ndarray, " m"], moves: Float[np.ndarray, "m d"]
    ) -> Float[np.ndarray, "m d"]:
        """The unit vectors along which the log-odds fall fastest after these moves."""
        some = self.starts.take(owner)
        styles = some.styles + self.embed(owner, moves)
        gradient = self.slope(styles, some.target, some.noise) * self.std
        return -_unit(gradient[np.arange(len(owner))[:, None], self.dims[owner]])

    def cross(
        self,
        owner: Int[np.ndarray, " m"],
        directions: Float[np.ndarray, "m d"],
        limit: float,
        grid: int,
    ) -> crossing.Crossings:
        """Where the class is lost along directions, in lengths of these."""
        some, moves = self.starts.take(owner), self.embed(owner, directions)
        return crossing.search(
            self.views, some.styles, moves, some.target, some.noise, limit=limit, grid=grid
        )


class _Paths(NamedTuple):
    """m straight moves after which the class is lost, or of the limit's length where it is not."""

    owner: Int[np.ndarray, " m"]
    direction: Float[np.ndarray, "m d"]
    length: Float[np.ndarray, "m 1"]


def smallest_moves(
    views: Views,
    starts: Starts,
    dims: Int[np.ndarray, "n d"],
    std: Float[np.ndarray, " s"],
    single: Float[np.ndarray, "n d"],
    search: Search = Search(),
) -> JointMoves:
    """The smallest standardised move in some dimensions that takes the class below softmax 0.50.

    Args:
        starts: all above softmax 0.50.
        dims: of each start, all different.
        std: of every dimension of S; lengths are in these units.
        single: signed shifts in std along each dimension alone that do it already; NaN: none.
    """
    n, d = dims.shape
    space = _Space(views, slopes(views), starts, dims, std)
    everyone = np.arange(n)
    best = np.argmin(np.where(np.isnan(single), np.inf, np.abs(single)), axis=1)
    single = single[everyone, best]
    alone = np.zeros((n, 1, d))
    alone[everyone, 0, best] = np.sign(np.nan_to_num(single))

    drawn = _directions(space, search)
    owner = everyone.repeat(drawn.shape[1])
    crossings = space.cross(owner, drawn.reshape(-1, d), search.limit, search.grid)
    reach = crossings.shift.reshape(n, -1)
    lengths = np.concatenate([reach, np.abs(single)[:, None]], axis=1)
    first = np.argsort(lengths, axis=1)[:, : search.paths]  # NaN last
    owner = everyone.repeat(first.shape[1])
    direction = np.concatenate([drawn, alone], axis=1)[owner, first.ravel()]
    length = np.nan_to_num(lengths[owner, first.ravel()], nan=search.limit)[:, None]
    paths = _shorten(space, _Paths(owner, direction, length), search.iterations)

    winner = everyone * first.shape[1] + paths.length.reshape(n, -1).argmin(axis=1)
    reached = paths.length[winner] * paths.direction[winner]
    end = space.cross(everyone, reached, 1 + crossing.BESIDE, search.grid)
    delta = reached * np.where(end.found, end.shift, np.nan)[:, None]
    random = reach[:, 1:]
    # an order statistic, not a mean of two: a direction without an effect is infinitely long
    quartiles = np.quantile(
        np.nan_to_num(random, nan=np.inf), [0.25, 0.5, 0.75], axis=1, method="higher"
    )
    return JointMoves(
        dims=dims,
        delta=delta,
        length=np.linalg.norm(delta, axis=1),
        single=np.abs(single),
        random=random,
        random_quartiles=quartiles.T,
        softmax=end.softmax,
        above=end.above,
        instead=end.instead,
        images=_images(space, delta, np.flatnonzero(end.found[:MOST_CLASSES])),
    )


def _directions(space: _Space, search: Search) -> Float[np.ndarray, "n r d"]:
    """The gradient's and random unit vectors."""
    n, d = space.dims.shape
    downhill = space.steepest(np.arange(n), np.zeros((n, d)))[:, None]
    # by class, so that a class has the same directions whatever else is searched
    rngs = [np.random.default_rng([search.seed, int(k)]) for k in space.starts.target]
    anywhere = _unit(np.stack([rng.normal(size=(search.draws, d)) for rng in rngs]))
    return np.concatenate([downhill, anywhere], axis=1)


def _shorten(space: _Space, paths: _Paths, iterations: int) -> _Paths:
    """Turn each direction towards the gradient at its end, as long as that gets it shorter."""
    owner, direction, length = (array.copy() for array in paths)
    at_start = space.odds(np.arange(len(space.dims)), np.zeros(space.dims.shape))
    step = np.ones_like(length)
    rows = np.arange(len(owner))
    for _ in range(iterations):
        aim = space.steepest(owner[rows], length[rows] * direction[rows])
        unsettled = np.sum(aim * direction[rows], axis=1) < PARALLEL
        rows, aim = rows[unsettled], aim[unsettled]
        if not len(rows):
            break
        turned = _unit(direction[rows] + step[rows] * (aim - direction[rows]))
        reached = space.odds(owner[rows], length[rows] * turned)
        shorter = reached <= 0
        step[rows] = np.where(shorter[:, None], np.minimum(1, 2 * step[rows]), step[rows] / 2)
        better = rows[shorter]
        direction[better] = turned[shorter]
        length[better, 0] = crossing.roots(
            _along(space, owner[better], direction[better]),
            np.zeros(len(better)),
            length[better, 0],
            at_start[owner[better]],
            reached[shorter],
        )
    return _Paths(owner, direction, length)


def _along(
    space: _Space, owner: Int[np.ndarray, " m"], direction: Float[np.ndarray, "m d"]
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda rows, length: space.odds(owner[rows], length[:, None] * direction[rows])


def _images(
    space: _Space, delta: Float[np.ndarray, "n d"], drawn: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "drawn h w c"]:
    """Of the first starts after their moves; black where there is none."""
    shape = min(len(delta), MOST_CLASSES), *space.views.models.generator.image_shape
    images = np.full(shape, -1, np.float32)
    moved = space.starts.styles[drawn] + space.embed(drawn, delta[drawn])
    images[drawn] = space.views.images(moved, space.starts.noise[drawn])
    return images


def joint_moves(
    views: Views,
    ranking: Ranking,
    starts: Starts,
    cases: CornerCases,
    joint_dims: int,
    search: Search = Search(),
) -> JointMoves:
    """`smallest_moves` in the first dimensions whose corner cases are known.

    Args:
        joint_dims: at most as many as were searched.
    """
    single = (cases.shift * cases.direction)[:, :joint_dims]
    dims = cases.dims[:, :joint_dims]
    return smallest_moves(views, starts, dims, ranking.style_std, single, search)


def summary(ranking: Ranking, starts: Starts, joint: JointMoves) -> dict[str, dict[str, Any]]:
    """The joint move of each class for result.json."""
    classes, content = ranking.groups[1:], {}
    for row, target in enumerate(starts.target):
        found = np.isfinite(joint.length[row])
        moves = zip(joint.dims[row], joint.delta[row], strict=True)
        content[classes[target]] = {
            "length_std": float(joint.length[row]),
            "best_single_std": float(joint.single[row]),
            "random_quartiles_std": joint.random_quartiles[row].tolist(),
            "random_share_that_flips": float(np.isfinite(joint.random[row]).mean()),
            "softmax": float(joint.softmax[row]),
            "instead": classes[joint.instead[row]] if found else None,
            "delta_std": {ranking.names[d]: float(x) for d, x in moves} if found else None,
        }
    return content
