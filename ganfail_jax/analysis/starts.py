"""From which points of StyleSpace does a search start? (Le Coz 2022, sec. 2.3: any; here samples
that are classified well, or the mean of a class)
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import softmax

from ganfail_jax.analysis.crossing import Probe
from ganfail_jax.analysis.outputs import sample_styles
from ganfail_jax.analysis.push import CONFIDENT, TOGETHER
from ganfail_jax.analysis.ranking import Ranking


class Starts(NamedTuple):
    """n points of StyleSpace, each with the class it is of."""

    styles: Float[np.ndarray, "n s"]
    target: Int[np.ndarray, " n"]
    softmax: Float[np.ndarray, " n"]  # of the target class
    predicted: Int[np.ndarray, " n"]
    samples: Int[np.ndarray, " n"]  # sample index; -1: no sample

    def take(self, rows: Any) -> "Starts":
        """Some of the points."""
        return Starts(*(field[rows] for field in self))


def at_styles(
    views: Probe,
    styles: Float[np.ndarray, "n s"],
    target: Int[np.ndarray, " n"] | None = None,
    samples: Int[np.ndarray, " n"] | None = None,
) -> Starts:
    """Points by their styles; their class, where not given, is the one predicted."""
    seen = softmax(views.logits(styles), axis=1)
    predicted, rows = seen.argmax(axis=1), np.arange(len(seen))
    own = predicted if target is None else target
    index = np.full(len(rows), -1) if samples is None else samples
    return Starts(styles.astype(np.float32), own, seen[rows, own], predicted, index)


def at_samples(
    views: Probe,
    samples: Int[np.ndarray, " n"],
    *,
    seed: int,
    truncation_psi: float,
    classes: Iterable[int] | None = None,
) -> Starts:
    """Samples by index; with `classes`, only those of these classes."""

    @jax.jit
    def draw(params: Any, indices: Array) -> tuple[Array, Array | None]:
        return sample_styles(views.models.with_params(params), seed, indices, truncation_psi)

    drawn, labels = draw(views.models.params, samples.astype(np.int32))
    styles, target = np.asarray(drawn), None if labels is None else np.asarray(labels)
    if target is not None and classes is not None:  # before they are rendered
        chosen = np.isin(target, list(classes))
        styles, samples, target = styles[chosen], samples[chosen], target[chosen]
    return at_styles(views, styles, target, samples)


def confident_samples(
    views: Probe,
    classes: Iterable[int],
    *,
    first_index: int,
    seed: int,
    truncation_psi: float,
    tries: int = 10,
) -> Starts:
    """The first sample of each class that is classified with a softmax of at least CONFIDENT.

    Without one, the most confident that is classified right at all; classes without that are
    missing from the result.

    Args:
        first_index: where to begin looking.
        tries: how many samples are looked at, per class there is.
    """
    classes = list(classes)
    samples = first_index + np.arange(tries * views.models.classifier.num_classes)
    found = at_samples(views, samples, seed=seed, truncation_psi=truncation_psi, classes=classes)
    right = found.predicted == found.target
    chosen = []
    for each in classes:
        rows = np.flatnonzero(right & (found.target == each))
        if len(rows):
            chosen.append(rows[np.argmax(np.minimum(found.softmax[rows], CONFIDENT))])
    return found.take(np.asarray(chosen, int))


def class_means(views: Probe, ranking: Ranking, classes: Iterable[int]) -> Starts:
    """The mean style of each class; classes without any sample are missing from the result."""
    chosen = np.asarray([each for each in classes if ranking.num_samples[1 + each]], int)
    return at_styles(views, ranking.style_mean[1 + chosen], chosen)


def most_affected(views: Probe, ranking: Ranking, starts: Starts, top: int) -> Starts:
    """The one whose output is lowest after a push along the top dimensions together."""
    dims = ranking.order[0, :top]
    push = np.zeros(starts.styles.shape[1], np.float32)
    push[dims] = TOGETHER * (ranking.direction[0] * ranking.style_std)[dims]
    pushed = at_styles(views, starts.styles + push, starts.target)
    return starts.take([int(np.argmin(pushed.softmax))])
