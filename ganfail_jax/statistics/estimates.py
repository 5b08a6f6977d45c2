"""How far apart are two populations of a value, and how sure is that? Areas under the ROC curve.

Every estimate carries the influence of each sample on it, so that whatever is estimated on the same
samples can be compared in pairs: the error of a difference is that of the difference of influences.
For AUCs these are the placement values of DeLong, DeLong and Clarke-Pearson (1988), by midranks
(Sun and Xu 2014).
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

from ganfail_jax.statistics.intervals import Z95

BLOCK = 512  # dimensions ranked at once: their ranks need some ten times the memory of the values


class Estimate(NamedTuple):
    """d numbers, each estimated from the same n samples; NaN where they could not be."""

    value: Float[np.ndarray, " d"]
    influence: Float[np.ndarray, "n d"]  # first-order effect of every sample; sums to 0

    @property
    def standard_error(self) -> Float[np.ndarray, " d"]:
        return np.sqrt(np.square(self.influence).sum(axis=0))

    @property
    def interval(self) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
        """95 % interval by the normal distribution."""
        return self.value - Z95 * self.standard_error, self.value + Z95 * self.standard_error

    @property
    def share_interval(self) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
        """95 % interval within (0, 1), by the normal distribution of the logit (Pepe 2003).

        NaN at 0 and at 1, where the influences tell no error.
        """
        inside = (self.value > 0) & (self.value < 1)
        value = np.where(inside, self.value, np.nan)
        half = Z95 * self.standard_error / (value * (1 - value))
        centre, expit = scipy.special.logit(value), scipy.special.expit
        return expit(centre - half), expit(centre + half)

    def minus(self, other: "Estimate") -> "Estimate":
        """The paired difference of two estimates from the same samples."""
        return Estimate(self.value - other.value, self.influence - other.influence)

    def resample(self, replicates: int, rng: np.random.Generator) -> Float[np.ndarray, "r d"]:
        """Bootstrap replicates over samples, to first order (Poisson weights)."""
        weights = rng.poisson(1.0, (replicates, len(self.influence))) - 1.0
        return self.value + weights @ self.influence


def mean(values: Float[np.ndarray, " n"] | Bool[np.ndarray, " n"]) -> Estimate:
    """The mean of samples, or the share of them that are a hit."""
    value = values.mean(keepdims=True, dtype=np.float64)
    return Estimate(value, (values[:, None] - value) / len(values))


class DrawnMean(NamedTuple):
    """A mean over samples and over random draws that all of them share."""

    value: float
    standard_error: float
    reach: float  # of the 95 % interval, to either side


def mean_over_draws(values: Float[np.ndarray, "d n"]) -> DrawnMean:
    """The mean over d draws and n samples, d and n > 1, as sure as so few draws allow.

    Draws and samples are both random (two-way analysis of variance without replication): the
    variances of the means of either, over their numbers, have that of single values in common.
    That of few draws has Student's quantile.
    """
    d, n = values.shape
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    single = values - rows[:, None] - columns + values.mean()
    common = np.square(single).sum() / ((d - 1) * (n - 1) * d * n)
    of_draws = rows.var(ddof=1) / d
    of_samples = max(columns.var(ddof=1) / n - common, 0.0)
    t = scipy.special.stdtrit(d - 1, 0.975)
    return DrawnMean(
        float(values.mean()),
        float(np.sqrt(of_draws + of_samples)),
        float(np.sqrt(t**2 * of_draws + Z95**2 * of_samples)),
    )


def _pairs_in_order(
    values: Float[np.ndarray, "n d"], positive: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, "n d"]:
    """How many pairs of a sample with the other kind have the positive higher; ties half."""
    below = scipy.stats.rankdata(values, axis=0)
    for side in (positive, ~positive):
        below[side] -= scipy.stats.rankdata(values[side], axis=0)
    return np.where(positive[:, None], below, positive.sum() - below)


def auc(
    values: Float[np.ndarray, "n d"],
    positive: Bool[np.ndarray, " n"],
    strata: Int[np.ndarray, " n"] | None = None,
) -> Estimate:
    """P(the value of a positive sample is higher than that of a negative one), ties half.

    Without strata, the standard error is DeLong's.

    Args:
        strata: only pairs of the same stratum count, so that it cannot explain the difference.
    """
    strata = np.zeros(len(positive), int) if strata is None else strata
    blocks = np.array_split(values, range(BLOCK, values.shape[1], BLOCK), axis=1)
    parts = [_auc(block, positive, strata) for block in blocks]
    value, influence = zip(*parts, strict=True)
    return Estimate(np.concatenate(value), np.concatenate(influence, axis=1))


def _auc(
    values: Float[np.ndarray, "n d"],
    positive: Bool[np.ndarray, " n"],
    strata: Int[np.ndarray, " n"],
) -> Estimate:
    ordered, pairs = np.zeros(values.shape), np.zeros(len(positive))
    for stratum in np.unique(strata):
        here = strata == stratum
        mine = positive[here]
        ordered[here] = _pairs_in_order(values[here], mine)
        pairs[here] = np.where(mine, (~mine).sum(), mine.sum())
    kind = np.where(positive, positive.sum(), (~positive).sum())
    if kind.min() < 2 or not pairs.any():
        return Estimate(np.full(values.shape[1], np.nan), np.full(values.shape, np.nan))
    total = pairs.sum() / 2
    value = ordered[positive].sum(axis=0) / total
    influence = (ordered - value * pairs[:, None]) / total
    return Estimate(value, influence * np.sqrt(kind / (kind - 1))[:, None])
