"""What do the scores of many samples say? Numbers to figure 2 of Choi 2022, for result.json.

Beyond the paper: what each layer adds, whether the two scores agree, which classes are at the ends,
and whether a score distinguishes what is known of the samples.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

from ganfail_jax.analysis.detection import Detected, ends
from ganfail_jax.analysis.rates import Rates, expected_activated, low_rate
from ganfail_jax.latents import sample_labels
from ganfail_jax.statistics.estimates import auc
from ganfail_jax.statistics.intervals import show_entry, with_interval
from ganfail_jax.types import Generator

Score = Int[np.ndarray, " n"] | Float[np.ndarray, " n"]
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


def classes_of(
    generator: Generator, indices: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"] | None:
    """The classes of samples, as `latents.latents` gives them; None: unconditional."""
    return sample_labels(generator, indices)


def layer_table(
    detected: Detected, rates: Rates, threshold: float, *, dead: bool = True
) -> dict[str, dict[str, Any]]:
    """How many neurons of each layer are LR, and how many of them a sample activates.

    Args:
        dead: as for `rates.low_rate`.
    """
    counted, alive = (low_rate(rates, threshold, dead=kind) for kind in (True, False))
    low = counted if dead else alive
    mean = detected.activated.mean(axis=0)
    return {
        name: {
            "neurons": rates.counts[name].size,
            "low_rate": int(counted[name].sum()),
            "low_rate_without_never": int(alive[name].sum()),
            "low_rate_activated_per_image": float(mean[i]),
            "by_the_rates": expected_activated(rates, {name: low[name]}),
            "share_of_sum": float(mean[i] / mean.sum()),
        }
        for i, name in enumerate(detected.layers)
    }


def score_summary(score: Score, size: int) -> dict[str, Any]:
    """How the scores are distributed, and where Top and Bottom of this size begin."""
    top, bottom = ends(score, size)
    return {
        "mean": float(score.mean()),
        "standard_deviation": float(score.std()),
        "quantiles": {str(q): float(np.quantile(score, q)) for q in QUANTILES},
        "top_from": float(score[top].min()),
        "bottom_to": float(score[bottom].max()),
    }


def agreement(detected: Detected, size: int) -> dict[str, float]:
    """Rank correlation of the raw and the balanced score, and what their ends have in common."""
    score, balanced = detected.score, detected.balanced_score
    pairs = zip(ends(score, size), ends(balanced, size), strict=True)
    top, bottom = (len(np.intersect1d(a, b)) / size for a, b in pairs)
    return {
        "rank_correlation": float(
            np.corrcoef(scipy.stats.rankdata(score), scipy.stats.rankdata(balanced))[0, 1]
        ),
        "top_in_common": top,
        "bottom_in_common": bottom,
    }


def class_table(score: Score, classes: Int[np.ndarray, " n"], size: int) -> list[dict[str, Any]]:
    """Each class's mean score and its shares of Top and Bottom."""
    top, bottom = (classes[rows] for rows in ends(score, size))
    return [
        {
            "class": int(label),
            "mean": float(score[classes == label].mean()),
            "share_of_top": float((top == label).mean()),
            "share_of_bottom": float((bottom == label).mean()),
        }
        for label in np.unique(classes)
    ]


def tell(
    scores: Mapping[str, Score],
    positive: Bool[np.ndarray, " n"],
    classes: Int[np.ndarray, " n"] | None,
) -> dict[str, Any]:
    """How well each score distinguishes positive samples from the others.

    The area under the ROC curve: the chance that a positive sample has the higher score, ties half,
    with DeLong's interval; NaN without two samples of each kind. Classes differ in their scores and
    in how many of them are positive: where there are classes, the pairs within classes are also
    compared on their own.
    """

    def areas(strata: Int[np.ndarray, " n"] | None) -> dict[str, Any]:
        estimate = auc(np.stack([*scores.values()], axis=1).astype(np.float64), positive, strata)
        rows = zip(scores, estimate.value, zip(*estimate.share_interval, strict=True), strict=True)
        return {name: with_interval(value, interval) for name, value, interval in rows}

    counts = {"positive": int(positive.sum()), "negative": int((~positive).sum())}
    within = {} if classes is None else {"auc_within_classes": areas(classes)}
    return counts | {"auc": areas(None)} | within


def format_area(area: Mapping[str, Any]) -> str:
    """One area of `tell`, as a result.json has it, with its interval."""
    if area["value"] is None:
        return "none: two samples of each kind are needed"
    return show_entry(area)
