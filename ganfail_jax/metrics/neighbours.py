"""Which points of a set are near, and whose balls hold a point? Exact answers at matmul speed.

Squared distances of all pairs come from float32 products |x|^2 + |y|^2 - 2 x.y of centred features,
block by block on the device. Their rounding error is bounded, so that every answer is either
certain already or found again from float64 products, which few rows need; distances that are
returned are float64 sums of squared differences. Results do not depend on the block.

Cost of n x m pairs: 2 n m d operations. Memory: both sets of features once more in float32, and
blocks of PAIRS distances.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Float64, Int

PAIRS = 2**24  # distances at a time: 67 MB in float32
PIECE = 4096  # features in float64 at a time: 67 MB at 2,048 dimensions
SPARE = 5  # candidates beyond those asked for: one of them tells that the others are all

# Rounding of a product of d float32 numbers grows as sqrt(d), but for a negligible probability
# (Higham and Mary 2019, "A New Approach to Probabilistic Rounding Error Analysis", thm. 3.1).
ULPS32 = 8 * 2.0**-24  # times sqrt(d) (|x|^2 + |y|^2): bound on the error of a squared distance
TIE = 1e-13  # the same of float64 products; nearer than this counts as touching


def radii(features: Float32[np.ndarray, "n d"], k: int) -> Float64[np.ndarray, " n"]:
    """Distance of every point to its k-th nearest other point.

    Raises:
        ValueError: not more than k points, or features that are not finite.
    """
    if not 1 <= k < len(features):
        raise ValueError(f"{len(features)} points have no neighbour number {k}")
    _check(features)
    centre = features.mean(axis=0, dtype=np.float64)
    points = _centred(features, centre)
    candidates = min(k + SPARE, len(features))
    found, sure = np.empty(len(features)), np.empty(len(features), bool)
    for rows in _blocks(len(features), len(features)):
        own = np.arange(rows.start, rows.stop)
        bounds, near = jax.device_get(_nearest(points[rows], points, own, candidates))
        squares = _squares(features[rows], features, near)
        squares[near == own[:, None]] = np.inf
        found[rows] = np.sort(squares, axis=1)[:, k - 1]
        sure[rows] = (found[rows] <= bounds[:, -1]) | (candidates == len(features))
    for rows, squares, _ in _products(features, features, centre, np.flatnonzero(~sure)):
        squares[np.arange(len(rows)), rows] = np.inf
        near = np.argpartition(squares, k - 1, axis=1)[:, :k]
        found[rows] = _squares(features[rows], features, near).max(axis=1)
    return np.sqrt(found)


class Balls(NamedTuple):
    """What two sets of balls know of each other's centres: n points x, m points y."""

    around_x: Int[np.ndarray, " n"]  # how many balls of y hold the point, edges included
    y_in_x: Bool[np.ndarray, " m"]  # whether any ball of x holds the point
    y_holds_x: Bool[np.ndarray, " m"]  # whether the ball holds any point of x
    ratio: Float64[np.ndarray, " n"]  # largest radius / distance over the `chosen` balls of y


def balls(
    x: Float32[np.ndarray, "n d"],
    x_radii: Float64[np.ndarray, " n"],
    y: Float32[np.ndarray, "m d"],
    y_radii: Float64[np.ndarray, " m"],
    chosen: Bool[np.ndarray, " m"],
) -> Balls:
    """Compare all pairs of two sets of balls.

    The ratio leaves balls of radius 0 out and is infinite at the centre of a chosen one; it is
    exact to 1e-6.

    Raises:
        ValueError: features that are not finite.
    """
    _check(x)
    _check(y)
    total = x.sum(axis=0, dtype=np.float64) + y.sum(axis=0, dtype=np.float64)
    centre = total / (len(x) + len(y))
    points_x, points_y = _centred(x, centre), _centred(y, centre)
    x_reach, y_reach = x_radii**2, y_radii**2
    chosen_reach = np.where(chosen, y_reach, 0)
    reaches = [reach.astype(np.float32) for reach in (y_reach, chosen_reach)]
    candidates = min(1 + SPARE, len(y))
    around, ratio, sure = np.zeros(len(x), int), np.empty(len(x)), np.empty(len(x), bool)
    (in_least, in_most), (holds_least, holds_most) = np.zeros((2, 2, len(y)), bool)
    for rows in _blocks(len(x), len(y)):
        reach = x_reach[rows].astype(np.float32)
        least, most, bounds, near = jax.device_get(
            _compare(points_x[rows], points_y, reach, *reaches, candidates)
        )
        in_least, in_most = in_least | least.in_x, in_most | most.in_x
        holds_least, holds_most = holds_least | least.holds_x, holds_most | most.holds_x
        around[rows] = least.around
        ratio[rows] = _ratios(chosen_reach[near], _squares(x[rows], y, near)).max(axis=1)
        best_is_sure = (ratio[rows] * (1 + 1e-6) >= bounds[:, -1]) | (candidates == len(y))
        sure[rows] = (least.around == most.around) & best_is_sure
    for rows, squares, slack in _products(x, y, centre, np.flatnonzero(~sure)):
        around[rows] = (squares <= y_reach + slack).sum(axis=1)
        near = np.argpartition(_ratios(chosen_reach, squares), -candidates, axis=1)
        near = near[:, -candidates:]
        ratio[rows] = _ratios(chosen_reach[near], _squares(x[rows], y, near)).max(axis=1)
    for rows, squares, slack in _products(y, x, centre, np.flatnonzero(in_most & ~in_least)):
        in_least[rows] = (squares <= x_reach + slack).any(axis=1)
    for rows, squares, slack in _products(y, x, centre, np.flatnonzero(holds_most & ~holds_least)):
        holds_least[rows] = (squares <= y_reach[rows, None] + slack).any(axis=1)
    return Balls(around, in_least, holds_least, np.sqrt(ratio))


class _Hits(NamedTuple):
    around: Int[Array, " b"]
    in_x: Bool[Array, " m"]
    holds_x: Bool[Array, " m"]


def _bounds(
    x: Float32[Array, "b d"], y: Float32[Array, "m d"]
) -> tuple[Float32[Array, "b m"], Float32[Array, "b m"]]:
    """Between which two numbers every squared distance lies."""
    norms = jnp.square(x).sum(axis=1)[:, None] + jnp.square(y).sum(axis=1)
    squares = norms - 2 * jnp.einsum("bd,md->bm", x, y, precision="highest")
    slack = ULPS32 * np.sqrt(x.shape[1]) * norms
    return squares - slack, squares + slack


@partial(jax.jit, static_argnames="candidates")
def _nearest(
    x: Float32[Array, "b d"], y: Float32[Array, "m d"], own: Int[Array, " b"], candidates: int
) -> tuple[Float32[Array, "b c"], Int[Array, "b c"]]:
    """The smallest lower bounds of squared distances, ascending, and whose they are."""
    low, _ = _bounds(x, y)
    low = jnp.where(jnp.arange(len(y)) == own[:, None], jnp.inf, low)
    negative, near = jax.lax.top_k(-low, candidates)
    return -negative, near


@partial(jax.jit, static_argnames="candidates")
def _compare(
    x: Float32[Array, "b d"],
    y: Float32[Array, "m d"],
    x_reach: Float32[Array, " b"],
    y_reach: Float32[Array, " m"],
    chosen_reach: Float32[Array, " m"],
    candidates: int,
) -> tuple[_Hits, _Hits, Float32[Array, "b c"], Int[Array, "b c"]]:
    """What holds at least and at most; the largest upper bounds of squared ratios and whose."""
    low, high = _bounds(x, y)

    def hits(squares: Float32[Array, "b m"]) -> _Hits:
        inside = squares <= y_reach
        in_x = jnp.any(squares <= x_reach[:, None], axis=0)
        return _Hits(jnp.sum(inside, axis=1), in_x, jnp.any(inside, axis=0))

    tiny = float(np.finfo(np.float32).tiny)
    bounds, near = jax.lax.top_k(chosen_reach / jnp.maximum(low, tiny), candidates)
    return hits(high), hits(low), bounds, near


def _check(features: Float32[np.ndarray, "n d"]) -> None:
    if not len(features) or not np.isfinite(features).all():
        raise ValueError("features must be finite and of at least one image")


def _centred(
    features: Float32[np.ndarray, "n d"], centre: Float64[np.ndarray, " d"]
) -> Float32[Array, "n d"]:
    """On the device; far from zero the products would lose the distances."""
    return jnp.asarray(features - centre.astype(np.float32))


def _blocks(n: int, m: int) -> Iterator[slice]:
    """Rows of n such that they make at most PAIRS pairs with m; equal blocks, the last overlaps."""
    size = min(n, max(1, PAIRS // m))
    for start in range(0, n, size):
        yield slice(min(start, n - size), min(start, n - size) + size)


def _squares(
    x: Float32[np.ndarray, "b d"], y: Float32[np.ndarray, "m d"], near: Int[np.ndarray, "b c"]
) -> Float64[np.ndarray, "b c"]:
    """Squared distances of x to some y each, from differences in float64."""
    x64 = x.astype(np.float64)
    return np.stack([np.square(x64 - y[column]).sum(axis=1) for column in near.T], axis=1)


def _ratios(
    reach: Float64[np.ndarray, "*#s"], squares: Float64[np.ndarray, "b c"]
) -> Float64[np.ndarray, "b c"]:
    """reach / squares; 0 without reach, infinite where only the square is 0."""
    reach = np.broadcast_to(reach, squares.shape)
    ratio = np.where(reach > 0, np.inf, 0.0)
    return np.divide(reach, squares, out=ratio, where=(reach > 0) & (squares > 0))


def _products(
    x: Float32[np.ndarray, "n d"],
    y: Float32[np.ndarray, "m d"],
    centre: Float64[np.ndarray, " d"],
    rows: Int[np.ndarray, " r"],
) -> Iterator[tuple[Int[np.ndarray, " s"], Float64[np.ndarray, "s m"], Float64[np.ndarray, "s m"]]]:
    """Some rows of x, their squared distances to all y by float64 products, and how exact."""
    size = max(1, PAIRS // 8 // len(y))
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        x64 = x[some] - centre
        inner, norms = [], []
        for piece in range(0, len(y), PIECE):
            y64 = y[piece : piece + PIECE] - centre
            inner.append(x64 @ y64.T)
            norms.append(np.square(x64).sum(axis=1)[:, None] + np.square(y64).sum(axis=1))
        norm = np.concatenate(norms, axis=1)
        squares = norm - 2 * np.concatenate(inner, axis=1)
        yield some, np.maximum(squares, 0), TIE * norm
