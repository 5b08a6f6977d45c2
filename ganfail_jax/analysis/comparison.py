"""Where do two classifiers fail differently? (Le Coz 2022, sec. 2.4, 3.3; beyond the paper)

On the same samples: who is right more often, which dimensions of StyleSpace break both or only one,
and the samples that one gets right and the other wrong.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int

from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking, rank_correlation
from ganfail_jax.analysis.samples import Samples
from ganfail_jax.analysis.views import views_of
from ganfail_jax.statistics.proportions import Paired, compare_paired, wilson

CHUNK = 32  # images rendered at once


class Shares(NamedTuple):
    """How many samples m classifiers get right, in g groups: everything, then every class."""

    samples: Int[np.ndarray, " g"]
    share: Float[np.ndarray, "m g"]  # NaN in a class without samples
    interval: Float[np.ndarray, "m g 2"]  # 95 %, Wilson

    def summary(self, names: Sequence[str], groups: Sequence[str]) -> dict[str, Any]:
        """For result.json."""
        return {
            name: {
                group: {
                    "samples": int(self.samples[g]),
                    "share": float(self.share[m, g]),
                    "interval95": self.interval[m, g].tolist(),
                }
                for g, group in enumerate(groups)
            }
            for m, name in enumerate(names)
        }


def shares(samples: Samples, groups: int) -> Shares:
    """What every classifier gets right, in the first groups of a ranking."""
    members = np.stack([samples.in_group(g) for g in range(groups)])
    size = members.sum(axis=1)
    hits = samples.right.astype(np.int64) @ members.T.astype(np.int64)
    share = np.divide(hits, size, out=np.full(hits.shape, np.nan), where=size > 0)
    return Shares(size, share, np.stack([wilson(row, size) for row in hits]))


def compare_samples(samples: Samples, a: int, b: int, groups: int) -> tuple[Paired | None, ...]:
    """Classifiers a and b in the first groups of a ranking; None in one without samples."""
    right_a, right_b = samples.right[a], samples.right[b]
    members = [samples.in_group(g) for g in range(groups)]
    return tuple(
        compare_paired(right_a[own], right_b[own]) if own.any() else None for own in members
    )


class SharedDimensions(NamedTuple):
    """The top dimensions of two rankings, in the order of the first one that has them."""

    correlation: float  # Spearman, of magnitudes; NaN where all are equal
    signed_correlation: float  # Spearman, of the scores themselves
    shared: Int[np.ndarray, " _"]  # in both tops, degrading in the same direction
    opposite: Int[np.ndarray, " _"]  # in both tops, degrading in opposite directions
    only_a: Int[np.ndarray, " _"]
    only_b: Int[np.ndarray, " _"]
    candidates: int  # dimensions that have an effect on either classifier
    expected: float  # size of the overlap of two random tops, on average, in either direction
    p: float  # that two random tops overlap at least as much, in either direction
    expected_shared: float  # the same of `shared`
    p_shared: float

    def summary(self, names: Sequence[str]) -> dict[str, Any]:
        """For result.json."""
        kinds = ("shared", "opposite", "only_a", "only_b")
        return {
            "correlation_of_magnitudes": self.correlation,
            "correlation_of_scores": self.signed_correlation,
            **{kind: [names[d] for d in getattr(self, kind)] for kind in kinds},
            "dimensions_with_effect": self.candidates,
            "in_both": len(self.shared) + len(self.opposite),
            "in_both_expected_by_chance": self.expected,
            "in_both_p": self.p,
            "shared_expected_by_chance": self.expected_shared,
            "shared_p": self.p_shared,
        }


def compare_rankings(a: Ranking, b: Ranking, group: int, top: int) -> SharedDimensions:
    """What breaks both classifiers and what only one, in one group of the rankings.

    Chance is that of two random tops (hypergeometric), and that two directions agree which are
    drawn independently with the shares that they have in the two tops: half of the overlap where
    both directions are equally frequent.
    """
    scores = np.stack([a.score[group], b.score[group]])
    candidates = int(np.any(scores != 0, axis=0).sum())
    top = min(top, candidates)
    top_a, top_b = a.order[group, :top], b.order[group, :top]
    common = top_a[np.isin(top_a, top_b)]
    same = a.direction[group, common] == b.direction[group, common]
    varied = np.ptp(scores, axis=1).min() > 0
    overlaps = np.arange(top + 1)
    chance = scipy.stats.hypergeom.pmf(overlaps, max(candidates, 1), top, top)
    tops = (a.direction[group, top_a], b.direction[group, top_b])
    up_a, up_b = (np.sum(directions > 0) / max(top, 1) for directions in tops)
    agree = up_a * up_b + (1 - up_a) * (1 - up_b)
    reached = scipy.stats.binom.sf(same.sum() - 1, overlaps, agree)
    return SharedDimensions(
        float(rank_correlation(scores[:1], scores[1:])[0, 0]),
        float(np.corrcoef(scipy.stats.rankdata(scores, axis=1))[0, 1]) if varied else float("nan"),
        common[same],
        common[~same],
        top_a[~np.isin(top_a, top_b)],
        top_b[~np.isin(top_b, top_a)],
        candidates,
        float(chance @ overlaps),
        min(float(chance[len(common) :].sum()), 1.0),
        float(chance @ overlaps * agree),
        min(float(chance @ reached), 1.0),
    )


def pair_summaries(
    samples: Samples, rankings: Sequence[Ranking], names: Sequence[str], groups: int, top: int
) -> list[dict[str, Any]]:
    """Every two classifiers, for result.json: samples in the first groups, rankings in all."""
    pairs = []
    for a, b in combinations(range(len(names)), 2):
        paired = zip(rankings[a].groups, compare_samples(samples, a, b, groups), strict=False)
        both = rankings[a], rankings[b]
        ranked = {
            group: compare_rankings(*both, g, top).summary(both[0].names)
            | {"bootstrap_rank_correlation": [float(each.stability[g]) for each in both]}
            for g, group in enumerate(both[0].groups)
            if all(each.num_samples[g] for each in both)
        }
        pairs.append(
            {
                "a": names[a],
                "b": names[b],
                "samples": {group: found.summary() for group, found in paired if found is not None},
                "rankings": ranked,
            }
        )
    return pairs


class Contrast(NamedTuple):
    """What breaks m classifiers; s: dimensions of StyleSpace."""

    classifiers: Sequence[str]
    groups: Sequence[str]  # of a ranking: everything, then every class
    dimensions: Sequence[str]  # names
    scores: Float[np.ndarray, "m s"]
    tops: Int[np.ndarray, "m _"]  # dimensions by rank
    unit: str  # of the scores
    class_known: bool  # else every classifier is judged by its own predictions
    right_means: str  # see `samples.outcome_names`


class Sheet(NamedTuple):
    """Samples that one classifier gets right and another does not, the clearest first."""

    images: Float[np.ndarray, "n h w c"]
    predicted: Int[np.ndarray, "n 2"]  # by the right one, which is the class, and by the other
    softmax: Float[np.ndarray, "n 2"]  # of that class: by the right one, by the other


def disagreements(samples: Samples, right: int, wrong: int, most: int) -> Int[np.ndarray, " n"]:
    """Samples that only `right` gets right, by falling difference of the softmax of its class."""
    found = np.flatnonzero(samples.right[right] & ~samples.right[wrong])
    high, low = _softmax(samples, right, wrong, found).T
    return found[np.argsort(low - high, kind="stable")[:most]]


def _softmax(
    samples: Samples, right: int, wrong: int, rows: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n 2"]:
    """Of the class that `right` predicts: by `right`, by `wrong`."""
    return samples.softmax[[right, wrong]][:, rows, samples.predicted[right, rows]].T


def sheet(
    models: Models, samples: Samples, right: int, wrong: int, most: int, seed: int = 0
) -> Sheet:
    """The clearest disagreements with their images, rendered again from their styles."""
    found = disagreements(samples, right, wrong, most)
    return Sheet(
        views_of(models, CHUNK, seed).images(samples.styles[found], samples.indices[found]),
        samples.predicted[[right, wrong]][:, found].T,
        _softmax(samples, right, wrong, found),
    )
