"""Is a study of these samples, or by these scores, meaningless? The "warnings" of its summary.

`Job.run` prints them before all numbers, and last.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Num

from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.rates import Rates, low_rate
from ganfail_jax.analysis.samples import Samples, outcome_names
from ganfail_jax.statistics.degenerate import (
    TINY,
    all_zero,
    at_chance,
    one_outcome,
    one_prediction,
    vary,
)
from ganfail_jax.studies.subject import Subject

ONE_IMAGE = "the generator draws one image of a class, or the classifier sees no difference"


def of_gradients(rankings: Sequence[Ranking], subject: Subject) -> list[str]:
    """Of the gradients that rank the dimensions for each classifier."""
    lines = []
    for name, ranking in zip(subject.classifiers, rankings, strict=True):
        scored = zip(ranking.groups, ranking.score, ranking.num_samples, strict=True)
        scores = {group: row for group, row, n in scored if n}
        several = np.flatnonzero(ranking.num_samples[1:] > 1) + 1
        limit = TINY * np.abs(ranking.score[several]).max(initial=0)
        same = len(several) and np.all(ranking.standard_error[several] <= limit)
        lines += all_zero(scores, f"scores of {name}") or (
            [f"all samples of a class have the same gradient of {name}: {ONE_IMAGE}"]
            if same
            else []
        )
    return lines


def of_ranking(ranking: Ranking, subject: Subject) -> list[str]:
    """Of the samples that made the ranking of one classifier, and of their gradients."""
    lines = of_gradients([ranking], subject)
    if not subject.generator.generator.num_classes:
        return lines  # every prediction counts as right
    right = round(float(ranking.accuracy[0] * ranking.num_samples[0]))
    return at_chance(subject.classifiers[0], right, ranking.num_samples[1:]) + lines


def of_samples(samples: Samples, subject: Subject) -> list[str]:
    """Of fresh samples: the first that holds of each classifier."""
    generator, lines = subject.generator.generator, []
    class_names, outcomes = subject.models[0].classifier.class_names, outcome_names(generator)
    classes = samples.target if generator.num_classes else None
    rows = zip(subject.classifiers, samples.logits, samples.right, strict=True)
    for name, logits, right in rows:
        predicted, hits = logits.argmax(axis=1), int(right.sum())
        counts = [np.bincount(x, minlength=len(class_names)) for x in (samples.target, predicted)]
        same = [f"{name} has the same output for all samples of a class: {ONE_IMAGE}"]
        lines += (
            ([] if vary(logits, classes) else same)
            or one_prediction(name, predicted, class_names)
            or one_outcome(hits, len(right) - hits, name, outcomes)
            or (at_chance(name, hits, *counts) if generator.num_classes else [])
        )
    return lines


def of_agreement(samples: Samples, subject: Subject) -> list[str]:
    """Of classifiers that are right on the same samples as the first one."""
    first, *others = samples.right
    named = zip(subject.classifiers[1:], others, strict=True)
    return [
        f"{name} and {subject.classifiers[0]} are right on the same samples: nothing to compare"
        for name, right in named
        if np.array_equal(right, first)
    ]


def of_rates(rates: Rates, threshold: float) -> list[str]:
    """Of the activation rates by which neurons are LR (rarely activated)."""
    dead = [name for name, counts in rates.counts.items() if not counts.any()]
    lines = [f"no neuron of {', '.join(dead)} is ever activated"] if dead else []
    fixed = all(np.isin(counts, (0, rates.num_samples)).all() for counts in rates.counts.values())
    if fixed and rates.num_samples > 1 and len(dead) < len(rates.counts):
        lines += ["every neuron is activated by all samples or by none: is it always one image?"]
    low, alive = (
        sum(int(mask.sum()) for mask in low_rate(rates, threshold, dead=kind).values())
        for kind in (True, False)
    )
    if not low:
        lines += [f"no neuron is LR: each is activated by more than {threshold:g} of the samples"]
    elif not alive and len(dead) < len(rates.counts):
        lines += ["no LR neuron is ever activated: samples do not differ by them"]
    return lines


def of_labels(artifact: Bool[np.ndarray, " n"]) -> list[str]:
    """Of labelled samples."""
    hits = int(artifact.sum())
    return one_outcome(hits, len(artifact) - hits, "by their labels", ("artifacts", "normal"))


def of_values(values: Num[np.ndarray, "n ..."], what: str) -> list[str]:
    """Of rows that would not be the same of different images.

    Args:
        what: the images and what is the same of them, such as "real images have the same features".
    """
    n = len(values)
    return [] if n < 2 or vary(values) else [f"all {n:,} {what}: are they one image?"]
