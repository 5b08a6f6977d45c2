"""Do the top dimensions separate misclassified from well classified samples? (Le Coz, fig. 4)

The paper shows histograms (sec. 3.2): "the values for the top dimensions follow different
distributions [...], whereas random dimensions do not discriminate". Beyond the paper, numbers for
every dimension: the AUC along the ranking's degrading direction, the Kolmogorov-Smirnov statistic,
p values corrected for testing every dimension, and the top against all others.

Classes differ in where they lie in S and in how often they fail, so that a dimension may separate
outcomes just because it separates classes. The last group therefore compares samples of the same
class only.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.samples import Samples
from ganfail_jax.statistics.estimates import Estimate, auc
from ganfail_jax.statistics.intervals import with_interval

WITHIN = "within classes"  # everything, pairs of the same class only
SIGNIFICANT = 0.05  # false discovery rate
REPLICATES = 1_000
DRAWS = 2_000  # random sets of as many dimensions as the top


class Separation(NamedTuple):
    """g: the groups of the ranking and WITHIN; NaN: a group without two samples of each outcome.

    The AUC of a dimension is the probability that a misclassified sample lies further in the
    dimension's degrading direction than a well classified one, ties half: 0.5 means nothing, and
    less than 0.5 the other direction. Fresh samples make it unbiased.
    """

    groups: tuple[str, ...]
    num_samples: Int[np.ndarray, "g 2"]  # well classified, misclassified
    order: Int[np.ndarray, "g s"]  # dimensions by rank
    direction: Float[np.ndarray, "g s"]  # the degrading one
    auc: Float[np.ndarray, "g s"]
    auc_low: Float[np.ndarray, "g s"]  # 95 % interval (DeLong, on the logit scale)
    auc_high: Float[np.ndarray, "g s"]
    ks: Float[np.ndarray, "g s"]  # Kolmogorov-Smirnov statistic; NaN for WITHIN
    p_value: Float[np.ndarray, "g s"]  # of the KS statistic; WITHIN: of the AUC (DeLong)
    q_value: Float[np.ndarray, "g s"]  # Benjamini and Hochberg's, over all dimensions of a group
    medians: Float[np.ndarray, "g 3 3"]  # AUC of (top, rest, top - rest) x (value, low, high)
    random_as_high: Float[np.ndarray, " g"]  # p value: a random set's median reaches the top's

    @property
    def significant(self) -> Bool[np.ndarray, "g s"]:
        return self.q_value < SIGNIFICANT

    def summary(self, g: int, names: tuple[str, ...], top: int) -> dict[str, Any] | None:
        """One group for result.json; None: it lacks one of the outcomes."""
        if not np.isfinite(self.medians[g, 0, 0]):
            return None
        kinds = {"top": self.order[g, :top], "rest": self.order[g, top:]}
        along = self.significant[g] & (self.auc[g] > 0.5)
        return {
            "median_auc": {
                name: with_interval(value, interval)
                for name, (value, *interval) in zip(
                    (*kinds, "top_minus_rest"), self.medians[g], strict=True
                )
            },
            "p_of_a_random_set_as_high": float(self.random_as_high[g]),
            "significant": {
                name: {
                    "of": len(dims),
                    "significant": int(self.significant[g, dims].sum()),
                    "in_degrading_direction": int(along[dims].sum()),
                    "median_kolmogorov_smirnov": float(np.median(self.ks[g, dims])),
                }
                for name, dims in kinds.items()
            },
            "top": [
                {
                    "dimension": names[d],
                    "degrading_direction": int(self.direction[g, d]),
                    "auc": float(self.auc[g, d]),
                    "interval95": [float(self.auc_low[g, d]), float(self.auc_high[g, d])],
                    "kolmogorov_smirnov": float(self.ks[g, d]),
                    "p_value": float(self.p_value[g, d]),
                    "p_value_corrected": float(self.q_value[g, d]),
                }
                for d in kinds["top"]
            ],
        }


def _row(size: int) -> dict[str, np.ndarray]:
    names = ("auc", "auc_low", "auc_high", "ks", "p_value", "q_value")
    return {
        **{name: np.full(size, np.nan) for name in names},
        "medians": np.full((3, 3), np.nan),
        "random_as_high": np.asarray(np.nan),
    }


def _medians(
    found: Estimate, order: Int[np.ndarray, " s"], top: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The median AUC of the top and of the rest, and how often chance does as well as the top."""

    def contrast(aucs: Float[np.ndarray, "r s"]) -> Float[np.ndarray, "3 r"]:
        first, rest = (np.median(aucs[:, d], axis=1) for d in (order[:top], order[top:]))
        return np.stack([first, rest, first - rest])

    value = contrast(found.value[None])
    bounds = np.quantile(contrast(found.resample(REPLICATES, rng)), [0.025, 0.975], axis=1)
    size = min(top, len(order) - top)
    sets = rng.random((DRAWS, len(order) - top)).argpartition(size - 1, axis=1)[:, :size]
    random = np.median(found.value[order[top:]][sets], axis=1)
    return {
        "medians": np.concatenate([value, bounds.T], axis=1),
        "random_as_high": (1 + (random >= value[0]).sum()) / (1 + DRAWS),
    }


def separate(ranking: Ranking, samples: Samples, *, top: int = 10, seed: int = 0) -> Separation:
    """Compare well classified and misclassified samples, everywhere and class by class.

    Args:
        samples: fresh ones, seen by the ranking's classifier.
        top: how many dimensions are compared with all the others; fewer than there are.
    """
    wrong = ~samples.right[0]
    rng = np.random.default_rng(seed)
    groups = (*ranking.groups, WITHIN)
    source = [*range(len(ranking.groups)), 0]
    rows, counts = [], []
    for name, g in zip(groups, source, strict=True):
        here = samples.in_group(g)
        styles, mine = samples.styles[here], wrong[here]
        counts.append([(~mine).sum(), mine.sum()])
        row = _row(styles.shape[1])
        if min(counts[-1]) >= 2 and ranking.num_samples[g]:
            strata = samples.target if name == WITHIN else None
            found = auc(styles * ranking.direction[g], mine, strata)
            low, high = found.share_interval
            row |= {"auc": found.value, "auc_low": low, "auc_high": high}
            if name == WITHIN:
                error = np.maximum(found.standard_error, np.finfo(float).tiny)
                row["p_value"] = 2 * scipy.stats.norm.sf(np.abs(found.value - 0.5) / error)
            else:
                pair = styles[mine], styles[~mine]
                test = scipy.stats.ks_2samp(*pair, axis=0, method="asymp")  # pyright: ignore
                row |= {"ks": test.statistic, "p_value": test.pvalue}
            if np.isfinite(row["p_value"]).all():
                row["q_value"] = scipy.stats.false_discovery_control(row["p_value"])
                row |= _medians(found, ranking.order[g], top, rng)
        rows.append(row)
    return Separation(
        groups,
        np.asarray(counts),
        ranking.order[source],
        ranking.direction[source],
        **{name: np.stack([row[name] for row in rows]) for name in rows[0]},
    )


class Histograms(NamedTuple):
    """What figure 4 shows of one group: n samples along p top and p random dimensions."""

    group: int
    dims: Int[np.ndarray, "2 p"]  # the top; random ones from beyond the top
    values: Float[np.ndarray, "n 2 p"]
    right: Bool[np.ndarray, " n"]


def histograms(
    ranking: Ranking, samples: Samples, *, group: int, panels: int, top: int, seed: int = 0
) -> Histograms:
    """Values of the samples of one group of the ranking (0: everything, 1 + i: class i)."""
    order = ranking.order[group]
    panels = min(panels, top, len(order) - top)
    random = np.random.default_rng(seed).choice(order[top:], panels, replace=False)
    dims = np.stack([order[:panels], random])
    here = samples.in_group(group)
    return Histograms(group, dims, samples.styles[here][:, dims], samples.right[0, here])
