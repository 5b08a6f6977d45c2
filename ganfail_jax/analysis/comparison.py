"""Where do two classifiers fail differently? (Le Coz 2022, sec. 2.4, 3.3; beyond the paper)

On the same samples: who is right more often, which dimensions of StyleSpace break both or only one,
and the samples that one gets right and the other wrong.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy.stats import hypergeom, rankdata

from ganfail_jax.analysis.outputs import Models, render
from ganfail_jax.analysis.proportions import Paired, compare_paired, wilson
from ganfail_jax.analysis.ranking import Ranking, rank_correlation
from ganfail_jax.analysis.samples import Samples


class Accuracies(NamedTuple):
    """Of m classifiers in g groups: everything, then every class."""

    samples: Int[np.ndarray, " g"]
    accuracy: Float[np.ndarray, "m g"]
    interval: Float[np.ndarray, "m g 2"]  # 95 %, Wilson


def _groups(samples: Samples, classes: int) -> list[np.ndarray]:
    """Masks of everything and of every class."""
    everything = np.ones(len(samples.target), bool)
    return [everything, *(samples.target == c for c in range(classes))]


def accuracies(samples: Samples, classes: int) -> Accuracies:
    """Accuracy of every classifier, overall and by class; NaN in a class without samples."""
    groups = np.stack(_groups(samples, classes))
    size = groups.sum(axis=1)
    hits = samples.right.astype(np.int64) @ groups.T.astype(np.int64)
    share = np.divide(hits, size, out=np.full(hits.shape, np.nan), where=size > 0)
    return Accuracies(size, share, np.stack([wilson(row, size) for row in hits]))


def compare_samples(samples: Samples, a: int, b: int, classes: int) -> tuple[Paired | None, ...]:
    """Classifiers a and b on everything and on every class; None in a class without samples."""
    right_a, right_b = samples.right[a], samples.right[b]
    return tuple(
        compare_paired(right_a[own], right_b[own]) if own.any() else None
        for own in _groups(samples, classes)
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
    expected: float  # size of the overlap of two random tops, on average
    p: float  # that two random tops overlap at least as much


def compare_rankings(a: Ranking, b: Ranking, group: int, top: int) -> SharedDimensions:
    """What breaks both classifiers and what only one, in one group of the rankings."""
    scores = np.stack([a.score[group], b.score[group]])
    candidates = int(np.any(scores != 0, axis=0).sum())
    top = min(top, candidates)
    top_a, top_b = a.order[group, :top], b.order[group, :top]
    common = top_a[np.isin(top_a, top_b)]
    same = a.direction[group, common] == b.direction[group, common]
    varied = np.ptp(scores, axis=1).min() > 0
    overlaps = np.arange(top + 1)
    chance = hypergeom.pmf(overlaps, max(candidates, 1), top, top)
    return SharedDimensions(
        float(rank_correlation(scores[:1], scores[1:])[0, 0]),
        float(np.corrcoef(rankdata(scores, axis=1))[0, 1]) if varied else float("nan"),
        common[same],
        common[~same],
        top_a[~np.isin(top_a, top_b)],
        top_b[~np.isin(top_b, top_a)],
        candidates,
        float(chance @ overlaps),
        min(float(chance[len(common) :].sum()), 1.0),
    )


class Sheet(NamedTuple):
    """Samples that one classifier gets right and another wrong, the clearest first."""

    images: Float[np.ndarray, "n h w c"]
    target: Int[np.ndarray, " n"]
    predicted: Int[np.ndarray, " n"]  # by the classifier that is wrong
    softmax: Float[np.ndarray, "n 2"]  # of the true class: of the right one, of the wrong one


def disagreements(samples: Samples, right: int, wrong: int, most: int) -> Int[np.ndarray, " n"]:
    """Samples that `right` gets right and `wrong` wrong, by falling difference of their softmax."""
    found = np.flatnonzero(samples.right[right] & ~samples.right[wrong])
    lead = samples.softmax[right, found] - samples.softmax[wrong, found]
    return found[np.argsort(-lead, kind="stable")[:most]]


def sheet(models: Models, samples: Samples, right: int, wrong: int, most: int) -> Sheet:
    """The clearest disagreements with their images, rendered again from their styles."""
    found = disagreements(samples, right, wrong, most)
    return Sheet(
        _images(models, samples.styles[found]),
        samples.target[found],
        samples.predicted[wrong, found],
        samples.softmax[[right, wrong]][:, found].T,
    )


def _images(
    models: Models, styles: Float[np.ndarray, "n s"], chunk: int = 32
) -> Float[np.ndarray, "n h w c"]:
    draw = jax.jit(lambda params, vectors: render(models.with_params(params), vectors))
    blocks = max(-(-len(styles) // chunk), 1)
    padded = np.zeros((blocks * chunk, styles.shape[1]), styles.dtype)
    padded[: len(styles)] = styles
    images = [np.asarray(draw(models.params, block)) for block in np.split(padded, blocks)]
    return np.concatenate(images)[: len(styles)]
