"""How far must a style move until the classifier lets go of its class? (Le Coz 2022, sec. 2.3)

The smallest shift along a direction of StyleSpace at which the softmax output of the true class
falls to 0.50: a bracket on a grid, then the root of the log-odds, which unlike the softmax do not
saturate. An excursion shorter than a grid step is not seen.

The classifier sees images of 8 bits, so that its outputs are steps: they jump wherever a pixel goes
to the next of its 256 levels. A root is where they are within TOLERANCE of the level, or, where one
jump leads past it, the jump.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int, Shaped

from ganfail_jax.analysis.views import Views, target_softmax
from ganfail_jax.runtime import in_batches

LEVEL = 0.5  # softmax of the true class at a corner case
TOLERANCE = 0.01  # of the log-odds at a root: 0.0025 of the softmax at 0.50
NARROW = 1e-5  # of the shift: a bracket that holds nothing but a jump
ITERATIONS = 60  # at most; about five are needed
BESIDE = 0.01  # how far below and above a crossing is looked at, as a fraction of the shift


class Crossings(NamedTuple):
    """Where n moves cross the level; rows without a crossing hold NaN and class -1."""

    shift: Float[np.ndarray, " n"]  # in units of the direction; 0: not above the level at the start
    start_softmax: Float[np.ndarray, " n"]  # of the target class, as below
    softmax: Float[np.ndarray, " n"]  # at the shift
    below: Float[np.ndarray, " n"]  # BESIDE below it
    above: Float[np.ndarray, " n"]  # BESIDE above it
    predicted_below: Int[np.ndarray, " n"]
    predicted_above: Int[np.ndarray, " n"]  # may be the target still, by less than half
    instead: Int[np.ndarray, " n"]  # the best other class above it

    @property
    def found(self) -> Bool[np.ndarray, "..."]:
        """Which moves have a crossing within the range."""
        return self.shift > 0


def _others(logits: Shaped[Any, "n k"], target: Int[Any, " n"]) -> Shaped[Any, "n k"]:
    """The logits with the target class ruled out."""
    xp = logits.__array_namespace__()
    return xp.where(xp.arange(logits.shape[1]) == target[:, None], -xp.inf, logits)


def log_odds(logits: Shaped[Any, "n k"], target: Int[Any, " n"]) -> Shaped[Any, " n"]:
    """log(p / (1 - p)) of the target class's softmax output p, of NumPy's or JAX's arrays.

    It is 0 at softmax 0.50 and never saturated.
    """
    xp = logits.__array_namespace__()
    others = _others(logits, target)
    largest = others.max(axis=1)  # else the exponentials overflow
    rest = largest + xp.log(xp.exp(others - largest[:, None]).sum(axis=1))
    return logits[xp.arange(len(target)), target] - rest


def roots(
    value: Callable[[Int[np.ndarray, " m"], Float[np.ndarray, " m"]], Float[np.ndarray, " m"]],
    lower: Float[np.ndarray, " n"],
    upper: Float[np.ndarray, " n"],
    at_lower: Float[np.ndarray, " n"],
    at_upper: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Roots of n functions between ends with a positive and a not positive value.

    The Illinois variant of the false position (Dowell and Jarratt 1971), which keeps a bracket:
    the value of an end that stays a second time is halved. A jump across zero is a root; there it
    is the end that is not positive.

    Args:
        value: (rows, places) -> the values of the functions of these rows.
    """
    lower, upper, at_lower, at_upper = (
        np.array(x, np.float64) for x in (lower, upper, at_lower, at_upper)
    )
    root, moved = upper.copy(), np.zeros(len(upper))  # moved: +1 the upper end, -1 the lower
    rows = np.flatnonzero(np.abs(at_upper) > TOLERANCE)
    for _ in range(ITERATIONS):
        if not len(rows):
            break
        share = at_lower[rows] / (at_lower[rows] - at_upper[rows])
        root[rows] = lower[rows] + share * (upper[rows] - lower[rows])
        found = value(rows, root[rows])
        for chosen, side, end, at_end, at_other in (
            (found <= 0, 1, upper, at_upper, at_lower),
            (found > 0, -1, lower, at_lower, at_upper),
        ):
            mine = rows[chosen]
            end[mine], at_end[mine] = root[mine], found[chosen]
            at_other[mine] *= np.where(moved[mine] == side, 0.5, 1)
            moved[mine] = side
        rows = rows[np.abs(found) > TOLERANCE]
        jumps = rows[upper[rows] - lower[rows] <= NARROW * upper[rows]]
        root[jumps] = upper[jumps]
        rows = np.setdiff1d(rows, jumps)
    return root


def search(
    views: Views,
    starts: Float[np.ndarray, "n s"],
    directions: Float[np.ndarray, "n s"],
    target: Int[np.ndarray, " n"],
    noise: Int[np.ndarray, " n"] | None = None,
    *,
    limit: float,
    level: float = LEVEL,
    grid: int = 24,
) -> Crossings:
    """The smallest shifts at which the softmax of the target classes falls to the level.

    Args:
        directions: of length 1 in the unit of the result, such as one standard deviation.
        noise: the samples whose noise they are drawn with (`Starts.noise`).
        limit: the largest shift tried.
        grid: how many equal steps up to the limit bracket the crossing.
    """

    def look(rows: Int[np.ndarray, " m"], shift: np.ndarray) -> Float[np.ndarray, "m k"]:
        # the moves of a batch at a time: all of them may not fit into memory
        def logits(some: np.ndarray, x: np.ndarray) -> np.ndarray:
            moved = starts[some] + x[:, None] * directions[some]
            return views.logits(moved, None if noise is None else noise[some])

        return in_batches(logits, views.batch_size, rows, shift.astype(np.float32))

    level_odds = scipy.special.logit(level)

    def excess(rows: Int[np.ndarray, " m"], shift: np.ndarray) -> Float[np.ndarray, " m"]:
        return log_odds(look(rows, shift).astype(np.float64), target[rows]) - level_odds

    n = len(starts)
    everything = np.arange(n)
    lower, upper, at_upper = np.zeros(n), np.full(n, np.nan), np.full(n, np.nan)
    at_lower = excess(everything, lower)
    start_softmax = scipy.special.expit(at_lower + level_odds)
    kept = np.flatnonzero(at_lower > 0)
    for reached in np.linspace(0, limit, grid + 1)[1:]:
        if not len(kept):
            break
        found = excess(kept, np.full(len(kept), reached))
        gone = found <= 0
        upper[kept[gone]], at_upper[kept[gone]] = reached, found[gone]
        kept = kept[~gone]
        lower[kept], at_lower[kept] = reached, found[~gone]
    shift = np.where(at_lower > 0, np.nan, 0.0)
    rows = np.flatnonzero(~np.isnan(upper))
    shift[rows] = roots(
        lambda some, x: excess(rows[some], x),
        lower[rows],
        upper[rows],
        at_lower[rows],
        at_upper[rows],
    )

    values, classes = np.full((3, n), np.nan), np.full((3, n), -1)
    if len(rows):
        sides = [look(rows, shift[rows] * side) for side in (1 - BESIDE, 1, 1 + BESIDE)]
        values[:, rows] = [target_softmax(x, target[rows]) for x in sides]
        outputs = (sides[0], sides[2], _others(sides[2], target[rows]))
        classes[:, rows] = [x.argmax(axis=1) for x in outputs]
    below, at_level, above = values
    return Crossings(shift, start_softmax, at_level, below, above, *classes)
