"""From which points of StyleSpace does a search start? (Le Coz 2022, sec. 2.3: any; here samples
that are classified well, or the mean of a class)
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.views import Views, target_softmax
from ganfail_jax.latents import sample_labels

CONFIDENT = 0.99  # softmax of an image worth pushing
TOGETHER = 2.0  # standard deviations, in the choice of the image
TRIES = 10  # samples looked at for each class there is


class Starts(NamedTuple):
    """n points of StyleSpace, each with the class it is of."""

    styles: Float[np.ndarray, "n s"]
    target: Int[np.ndarray, " n"]
    softmax: Float[np.ndarray, " n"]  # of the target class
    predicted: Int[np.ndarray, " n"]
    samples: Int[np.ndarray, " n"]  # sample index; -1: not a sample

    @property
    def noise(self) -> Int[np.ndarray, " n"]:
        """The samples whose noise the points are drawn with, however far they are moved: their own,
        those of sample 0 where a point is not a sample."""
        return np.maximum(self.samples, 0)

    def take(self, rows: Any) -> "Starts":
        """Some of the points."""
        return Starts(*(field[rows] for field in self))


def at_styles(
    views: Views,
    styles: Float[np.ndarray, "n s"],
    target: Int[np.ndarray, " n"] | None = None,
    samples: Int[np.ndarray, " n"] | None = None,
) -> Starts:
    """Points by their styles; their class, where not given, is the one predicted."""
    index = np.full(len(styles), -1) if samples is None else samples
    return starts_of(styles, views.logits(styles, np.maximum(index, 0)), target, index)


def starts_of(
    styles: Float[np.ndarray, "n s"],
    logits: Float[np.ndarray, "n k"],
    target: Int[np.ndarray, " n"] | None,
    samples: Int[np.ndarray, " n"],
) -> Starts:
    """Points whose logits are known; see `at_styles`."""
    predicted = logits.argmax(axis=1)
    own = predicted if target is None else target
    return Starts(styles.astype(np.float32), own, target_softmax(logits, own), predicted, samples)


def at_samples(
    views: Views,
    samples: Int[np.ndarray, " n"],
    *,
    truncation_psi: float,
    classes: Iterable[int] | None = None,
) -> Starts:
    """The n samples of these indices; with `classes`, only the m <= n of these classes.

    Without true classes, of an unconditional generator, all n are of the class predicted.
    """
    target = sample_labels(views.models.generator, samples)
    if target is not None and classes is not None:
        chosen = np.isin(target, list(classes))
        samples, target = samples[chosen], target[chosen]
    styles = views.styles(samples, truncation_psi)
    return at_styles(views, styles, target, samples)


def confident_samples(
    views: Views,
    classes: Iterable[int],
    *,
    first_index: int,
    truncation_psi: float,
    tries: int = TRIES,
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
    found = at_samples(views, samples, truncation_psi=truncation_psi, classes=classes)
    right = found.predicted == found.target
    chosen = []
    for each in classes:
        rows = np.flatnonzero(right & (found.target == each))
        if len(rows):
            chosen.append(rows[np.argmax(np.minimum(found.softmax[rows], CONFIDENT))])
    return found.take(np.asarray(chosen, int))


def class_means(views: Views, ranking: Ranking, classes: Iterable[int]) -> Starts:
    """The mean style of each class; classes without any sample are missing from the result."""
    chosen = np.asarray([each for each in classes if ranking.num_samples[1 + each]], int)
    return at_styles(views, ranking.style_mean[1 + chosen], chosen)


def most_affected(
    views: Views,
    ranking: Ranking,
    starts: Starts,
    dims: Int[np.ndarray, "n d"],
    groups: Int[np.ndarray, " n"],
) -> Starts:
    """The one whose output is lowest after a push along its dimensions together.

    Args:
        groups: of the ranking, whose directions degrade.
    """
    push = np.zeros_like(starts.styles)
    sizes = TOGETHER * ranking.direction[groups[:, None], dims] * ranking.style_std[dims]
    push[np.arange(len(dims))[:, None], dims] = sizes
    pushed = at_styles(views, starts.styles + push, starts.target, starts.samples)
    return starts.take([int(np.argmin(pushed.softmax))])
