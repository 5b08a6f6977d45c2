"""Which latent space separates classes and outcomes best? (Le Coz 2022, sec. 3.1, fig. 3)

Maps of Z, W and S, and what each space says of the same samples.
"""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import plots
from ganfail_jax.analysis import embedding, samples
from ganfail_jax.analysis.embedding import (
    HELD,
    MEASURES,
    REFERENCE,
    Embedding,
    Mapped,
    reference_size,
)
from ganfail_jax.analysis.samples import outcome_names
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import show_entry, with_interval
from ganfail_jax.studies import warnings
from ganfail_jax.studies.subject import Subject, check_truncation


class Settings(NamedTuple):
    """What changes the result."""

    num_samples: int = 10_000
    seed: int = 0
    truncation_psi: float = 1.0
    embedded: int = 2_500  # samples on the maps, at most num_samples
    neighbours: int = 10  # k of the nearest neighbours
    perplexity: float = 30.0  # of t-SNE
    reference: int = REFERENCE  # samples that are neighbours and that the linear model learns from


def plan(subject: Subject, settings: Settings = Settings(), run: Run = Run()) -> Job:
    """The job for one classifier.

    Raises:
        InputError: too few samples for the settings, or truncation of a generator without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    k, total = settings.neighbours, settings.num_samples
    mapped = min(settings.embedded, total)
    if settings.perplexity >= mapped:
        raise InputError(f"--perplexity={settings.perplexity:g} needs more than {mapped} samples")
    references = reference_size(settings.reference, total)
    if k > references:
        raise InputError(f"--neighbours={k} needs more than {references} reference samples")
    return Job(
        folder=run.folder("embed", *subject.names, settings.seed),
        identity={**subject.identity, **settings._asdict()},
        subject=subject.title,
        compute=partial(_compute, subject, settings),
        draw=partial(_draw, subject.title),
        describe=_describe,
        settings=run,
    )


def _compute(subject: Subject, settings: Settings, sweep: Sweep) -> tuple[Summary, Arrays]:
    (models,) = subject.models
    drawing = {"seed": settings.seed, "truncation_psi": settings.truncation_psi}
    drawn = samples.collect(subject.models, settings.num_samples, sweep.named("samples"), **drawing)
    embedded = embedding.embed(
        embedding.latent_spaces(models, drawn, sweep, **drawing),
        drawn,
        embedded=settings.embedded,
        k=settings.neighbours,
        perplexity=settings.perplexity,
        seed=settings.seed,
        reference=settings.reference,
    )
    outcomes = outcome_names(models.generator)
    counts = int(drawn.right.sum()), int((~drawn.right).sum())
    summary = {
        "warnings": warnings.of_samples(drawn, subject),
        "samples": dict(zip(outcomes, counts, strict=True)),
        "class_is": "label" if models.generator.num_classes else "prediction",
        "reference": reference_size(settings.reference, settings.num_samples),
        "reference_wanted": settings.reference,
        "held": HELD,
        **_summarize(embedded),
    }
    shown = embedded.points.shape[1]
    mapped = Mapped(
        target=drawn.target[:shown],
        right=drawn.right[0, :shown],
        class_names=models.classifier.class_names,
        outcomes=outcomes,
        labelled=models.generator.num_classes > 0,
        num_samples=counts,
    )
    return summary, embedded._asdict() | mapped._asdict()


def _summarize(embedded: Embedding) -> Summary:
    spaces, gains = embedded.spaces, embedded.gains
    return {
        "spaces": {
            name: {"dimensions": int(size), **_entries(rows)}
            for name, size, rows in zip(spaces, embedded.dimensions, embedded.numbers, strict=True)
        },
        "differences": {
            f"{later} - {earlier}": _entries(rows)
            for (earlier, later), rows in zip(pairwise(spaces), gains, strict=True)
        },
    }


def _entries(rows: np.ndarray) -> dict[str, Any]:
    """The measures by name; rows: (value, low, high)."""
    pairs = zip(MEASURES, rows, strict=True)
    return {name: with_interval(value, interval) for name, (value, *interval) in pairs}


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    embedded, mapped = (restore(record, result.arrays) for record in (Embedding, Mapped))
    return plots.embedding.draw(folder, embedded, mapped, title)


def _describe(summary: Summary) -> Iterator[str]:
    yield " and ".join(f"{n:,} {name}" for name, n in summary["samples"].items())
    if summary["class_is"] == "prediction":
        yield "the generator has no classes: a sample's class is the classifier's prediction"
    yield (
        f"neighbours and the linear model are of {summary['reference']:,} reference samples; "
        f"brackets: 95 % {summary['held']}"
    )
    if summary["reference"] < summary["reference_wanted"]:
        yield (
            f"warning: fewer than the {summary['reference_wanted']:,} wanted: the numbers compare "
            "only with those of as few; give more --num_samples"
        )
    for part, form in (("spaces", ".3f"), ("differences", "+.3f")):
        for name, measures in summary[part].items():
            for measure in MEASURES:
                entry = measures[measure]
                missing = entry["value"] is None
                text = "none: too few samples of an outcome" if missing else show_entry(entry, form)
                yield f"  {name:<6} {measure:<35} {text}"
