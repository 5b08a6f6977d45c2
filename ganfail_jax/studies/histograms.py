"""Do the top dimensions separate misclassified samples from others? (Le Coz 2022, sec. 3.2, fig. 4)

Fresh samples, beyond those of the ranking, compared along every dimension.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ganfail_jax import plots
from ganfail_jax.analysis import samples, separation
from ganfail_jax.analysis.samples import Samples, outcome_names
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import show_entry
from ganfail_jax.studies import warnings
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject, check_truncation, class_index


class Settings(NamedTuple):
    """What changes the result, beside the ranking."""

    num_samples: int = 10_000
    seed: int = 0
    truncation_psi: float = 1.0
    top: int = 10  # dimensions compared with all the others
    panels: int = 6  # top and random dimensions in the figure; 3: paper
    show_class: str | None = None  # in the figure of histograms; None: all


def plan(
    subject: Subject, source: RankingSource, settings: Settings = Settings(), run: Run = Run()
) -> Job:
    """The job for one classifier.

    Raises:
        InputError: the top are all dimensions, no such class, or truncation of a generator without.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    (models,) = subject.models
    size = sum(models.generator.style_dims.values())
    if settings.top >= size:
        raise InputError(f"--top={settings.top} leaves no other dimension: S has {size}")
    if settings.show_class is not None:
        class_index(settings.show_class, models.classifier)
    return Job(
        folder=run.folder("histograms", *subject.names, settings.seed),
        identity={**subject.identity, **settings._asdict(), "ranking": dict(source.identity)},
        subject=subject.title,
        compute=partial(_compute, subject, source, settings),
        draw=partial(_draw, subject.title),
        describe=_describe,
        settings=run,
    )


def _compute(
    subject: Subject, source: RankingSource, settings: Settings, sweep: Sweep
) -> tuple[Summary, Arrays]:
    (ranking,), (models,) = source.rankings(sweep), subject.models
    first_index = int(ranking.num_samples[0])
    drawn = samples.collect(
        subject.models,
        settings.num_samples,
        sweep.named("samples"),
        first_index=first_index,
        seed=settings.seed,
        truncation_psi=settings.truncation_psi,
    )
    outcomes = outcome_names(models.generator)
    _check_outcomes(drawn, outcomes)
    top, seed, group = settings.top, settings.seed, 0
    if settings.show_class is not None:
        group = 1 + class_index(settings.show_class, models.classifier)
    separated = separation.separate(ranking, drawn, top=top, seed=seed)
    shown = separation.histograms(
        ranking, drawn, group=group, panels=settings.panels, top=top, seed=seed
    )
    if not shown.right.size:
        name = settings.show_class
        raise InputError(f"none of the samples is a {name}; give more --num_samples")
    groups = {
        name: {
            "samples": dict(zip(outcomes, map(int, separated.num_samples[g]), strict=True)),
            "separation": separated.summary(g, ranking.names, top),
        }
        for g, name in enumerate(separated.groups)
    }
    arrays = separated._asdict() | {f"shown_{name}": a for name, a in shown._asdict().items()}
    summary = {
        "warnings": warnings.of_samples(drawn, subject) + warnings.of_gradients([ranking], subject),
        "groups": groups,
        "dimensions_compared": top,
        "first_index": first_index,
    }
    return summary, arrays | {"names": ranking.names, "outcomes": outcomes, "top": top}


def _check_outcomes(drawn: Samples, outcomes: tuple[str, str]) -> None:
    counts = [int(drawn.right.sum()), int((~drawn.right).sum())]
    if min(counts) < 2:
        listed = " and ".join(f"{n:,} {name}" for n, name in zip(counts, outcomes, strict=True))
        raise InputError(f"nothing to separate: {listed}; give another classifier or --num_samples")


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    arrays = result.arrays
    right, wrong = map(str, arrays["outcomes"])
    return plots.histograms.draw(
        folder,
        restore(separation.Separation, arrays),
        restore(separation.Histograms, arrays, "shown_"),
        title,
        names=[*map(str, arrays["names"])],
        outcomes=(right, wrong),
        top=int(arrays["top"]),
    )


def _describe(summary: Summary) -> Iterator[str]:
    top, groups = summary["dimensions_compared"], summary["groups"]
    counts = groups["all"]["samples"]
    yield " and ".join(f"{n:,} {name}" for name, n in counts.items())
    yield (
        f"median AUC of the top {top} dimensions and of all others: the chance that a "
        f"{tuple(counts)[1]} sample lies further in the degrading direction than another (0.5: no "
        "difference); brackets: 95 % over samples, the ranking held"
    )
    for name, group in groups.items():
        separated = group["separation"]
        if separated is None:
            none = ", ".join(f"{n:,} {outcome}" for outcome, n in group["samples"].items())
            yield f"  {name:<15} none: {none}"
            continue
        medians = separated["median_auc"]
        share = {
            key: f"{n['in_degrading_direction']} along and "
            f"{n['significant'] - n['in_degrading_direction']} against it of {n['of']}"
            for key, n in separated["significant"].items()
        }
        yield (
            f"  {name:<15} top {show_entry(medians['top'])}, others {show_entry(medians['rest'])}; "
            f"significant: {share['top']}; {share['rest']}"
        )
    everything = groups["all"]["separation"]
    ks = [n["median_kolmogorov_smirnov"] for n in everything["significant"].values()]
    random = everything["p_of_a_random_set_as_high"]
    yield (
        f"in any direction, median Kolmogorov-Smirnov distance: top {ks[0]:.3f}, others {ks[1]:.3f}"
    )
    yield f"p that as many random other dimensions have a median as high: {random:.4f}"
