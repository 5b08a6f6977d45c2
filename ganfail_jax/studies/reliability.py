"""How often does the classifier fail, on which classes, and whose failures are they?

A generator's image may not show the class that it was asked for. How a second classifier sees the
failures, and how often the first one errs on real images, say how much of that there is. The
populations are those of Le Coz 2022, sec. 2.4.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Int

from ganfail_jax.analysis import samples
from ganfail_jax.analysis.confusion import confusion_matrix
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.samples import Samples, outcome_names
from ganfail_jax.data.pipelines import Dataset
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep, in_batches
from ganfail_jax.statistics.intervals import show_entry, with_interval
from ganfail_jax.statistics.proportions import wilson
from ganfail_jax.studies import warnings
from ganfail_jax.studies.subject import Subject, check_truncation

CONFUSIONS = 5  # most frequent ones that are listed


class Settings(NamedTuple):
    """What changes the result."""

    num_samples: int = 10_000
    seed: int = 0
    truncation_psi: float = 1.0
    first_index: int = 0  # beyond the samples of whatever else is said of these classifiers


def plan(
    subject: Subject,
    settings: Settings = Settings(),
    run: Run = Run(),
    real: Dataset | None = None,
) -> Job:
    """The job for one or more classifiers, of which the first is judged and the others are asked.

    Args:
        real: labelled images that the classifiers were not trained on; None: there are none.

    Raises:
        InputError: real images of another shape or of other classes, or truncation of a generator
            without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    if real is not None:
        _check_real(subject, real)
    identity = {**subject.identity, **settings._asdict(), "real": real and real.identity}
    return Job(
        folder=run.folder("reliability", *subject.names, settings.seed),
        identity=identity,
        subject=subject.title,
        compute=partial(_compute, subject, settings, real),
        draw=_draw,
        describe=_describe,
        settings=run,
    )


def _check_real(subject: Subject, real: Dataset) -> None:
    (first, *_), generator = subject.models, subject.generator.generator
    if real.images.shape[1:] != generator.image_shape:
        theirs, wanted = (
            "x".join(map(str, shape)) for shape in (real.images.shape[1:], generator.image_shape)
        )
        raise InputError(f"images of {real.name} are {theirs}, the generator's are {wanted}")
    if real.class_names != first.classifier.class_names:
        raise InputError(f"the classes of {real.name} are not those of {subject.classifiers[0]}")


def _compute(
    subject: Subject, settings: Settings, real: Dataset | None, sweep: Sweep
) -> tuple[Summary, Arrays]:
    drawn = samples.collect(
        subject.models,
        settings.num_samples,
        sweep.named("samples"),
        first_index=settings.first_index,
        seed=settings.seed,
        truncation_psi=settings.truncation_psi,
    )
    generator, names = subject.generator.generator, subject.models[0].classifier.class_names
    known = generator.num_classes > 0
    summary = {
        "warnings": warnings.of_samples(drawn, subject),
        "classifier": subject.classifiers[0],
        "classes_known": known,
        "failing_means": outcome_names(generator)[1],
        "failing": share(~drawn.right[0]),
        "classes": {
            name: share(~drawn.right[0][drawn.target == i]) for i, name in enumerate(names)
        },
        "confusions": _confusions(drawn, names) if known else [],
        "others": _others(subject, drawn) if known else {},
        "real": None if real is None else _on_real(subject, real, sweep.batch_size),
    }
    return summary, {"right": drawn.right, "predicted": drawn.predicted, "target": drawn.target}


def share(which: Bool[np.ndarray, " n"]) -> dict[str, Any]:
    """A share with Wilson's interval, for result.json."""
    hits, of = int(which.sum()), len(which)
    interval = wilson(np.asarray(hits), np.asarray(of)).tolist()
    return with_interval(hits / of if of else np.nan, interval) | {"hits": hits, "of": of}


def _confusions(drawn: Samples, names: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent mistakes of the first classifier."""
    matrix = confusion_matrix(drawn.target, drawn.predicted[0], len(names))
    np.fill_diagonal(matrix, 0)
    places = np.argsort(-matrix, axis=None, kind="stable")[:CONFUSIONS]
    pairs = zip(*np.unravel_index(places, matrix.shape), strict=True)
    return [
        {"class": names[a], "taken_for": names[b], "samples": int(matrix[a, b])}
        for a, b in pairs
        if matrix[a, b]
    ]


def _others(subject: Subject, drawn: Samples) -> dict[str, Any]:
    """What the other classifiers see: of all samples, and of those that the first gets wrong."""
    wrong, first = ~drawn.right[0], drawn.predicted[0]
    return {
        name: {
            "sees_the_class": share(right),
            "failures_as_the_class": share(right[wrong]),
            "failures_as_the_first_does": share((predicted == first)[wrong]),
        }
        for name, right, predicted in zip(
            subject.classifiers[1:], drawn.right[1:], drawn.predicted[1:], strict=True
        )
    }


def _on_real(subject: Subject, real: Dataset, batch_size: int) -> dict[str, Any]:
    """Errors of every classifier on real images."""
    failing = {}
    for name, models in zip(subject.classifiers, subject.models, strict=True):
        failing[name] = share(_predictions(models, real, batch_size) != real.labels)
    return {"name": real.name, "source": real.source, "failing": failing}


def _predictions(models: Models, real: Dataset, batch_size: int) -> Int[np.ndarray, " n"]:
    """The class of every real image, by the classifier."""

    logits = jax.jit(models.classifier.logits)

    def predict(rows: Int[np.ndarray, " b"]) -> Int[Array, " b"]:
        images = to_float(real.images.take(rows))
        return logits(models.classifier_params, images).argmax(axis=-1)

    return in_batches(predict, batch_size, np.arange(len(real.labels)))


def _draw(folder: Path, result: Result) -> tuple[str, ...]:
    return ()


def _describe(summary: Summary) -> Iterator[str]:
    failing = summary["failing_means"]
    yield f"{failing}: {show_entry(summary['failing'], '.2%')} of {summary['failing']['of']:,}"
    for name, other in summary["others"].items():
        yield f"{name} sees the class in {show_entry(other['sees_the_class'], '.2%')}"
    if summary["real"] is not None:
        for name, entry in summary["real"]["failing"].items():
            yield f"{name} errs on {show_entry(entry, '.2%')} of {entry['of']:,} real images"
