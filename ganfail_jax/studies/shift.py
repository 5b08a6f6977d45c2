"""What does an image become along each dimension that breaks the classifier? (Le Coz 2022, fig. 5)

One start, moved along each dimension by fractions of the shift that takes the output to 0.50.
"""

import difflib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganfail_jax import pinned, plots
from ganfail_jax.analysis import crossing, shift, starts
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.shift import ShiftGrid, Shown
from ganfail_jax.analysis.starts import Starts
from ganfail_jax.analysis.views import Views, views_of
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import warnings
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject, check_truncation, class_index
from ganfail_jax.types import Generator, dimension_names

GROUPS = ("all", "class")
PROGRESS = tuple(map(str, shift.PROGRESS))


class Settings(NamedTuple):
    """What changes the result, beside the ranking."""

    seed: int = 0
    truncation_psi: float = 1.0
    top: int = 10  # dimensions shown
    dims: Sequence[str] | None = None  # shown instead, such as "b0008/conv0[17]"
    group: str = "all"  # of GROUPS: the ranking of all samples, or of the class
    show_class: str | None = None  # of the image; None: any
    start: int | None = None  # index of the sample; None: a confident one
    progress: Sequence[str | float] = PROGRESS  # fractions of the reference shift
    limit: float = 20.0  # largest reference shift tried, in standard deviations
    grid: int = 24  # steps up to the limit that bracket the reference shift


def plan(
    subject: Subject, source: RankingSource, settings: Settings = Settings(), run: Run = Run(50)
) -> Job:
    """The job for one classifier.

    Raises:
        InputError: no such class or dimension, fractions that are not numbers from 0 on, a start
            that is not classified as its class, or truncation of a generator without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    (models,) = subject.models
    progress = _fractions(settings.progress)
    _given_dims(models.generator, settings.dims)
    if settings.show_class is not None:
        class_index(settings.show_class, models.classifier)
        if settings.start is not None:
            raise InputError("give --start or --show_class, not both")
    if settings.start is not None:
        _given_start(views_of(models, 1, settings.seed), settings)
    own = settings._asdict() | {"progress": [*map(str, settings.progress)]}
    return Job(
        folder=run.folder("shift", *subject.names, settings.seed),
        identity={**subject.identity, **own, "ranking": dict(source.identity)},
        subject=subject.title,
        compute=partial(_compute, subject, source, settings._replace(progress=progress)),
        draw=partial(_draw, subject.title),
        describe=_describe,
        settings=run,
    )


def _fractions(progress: Sequence[str | float | int]) -> list[float]:
    try:
        fractions = [float(each) for each in progress]
    except ValueError:
        fractions = []
    if not fractions or not all(0 <= x < np.inf for x in fractions):
        given = ",".join(map(str, progress))
        raise InputError(f"--progress takes numbers from 0 on, not {given!r}")
    return fractions


def _given_dims(generator: Generator, dims: Sequence[str] | None) -> list[int] | None:
    """Dimensions by their places in S."""
    if dims is None:
        return None
    names = dimension_names(generator.style_dims)
    for name in dims or [""]:
        if name not in names:
            near = ", ".join(difflib.get_close_matches(name, names, n=3) or names[:3])
            raise InputError(f"no dimension {name!r}; the nearest names are {near}")
    return [names.index(name) for name in dims]


def _compute(
    subject: Subject, source: RankingSource, settings: Settings, sweep: Sweep
) -> tuple[Summary, Arrays]:
    (models,), (ranking,) = subject.models, source.rankings(sweep)
    views = views_of(models, sweep.batch_size, settings.seed)
    if settings.start is None:
        start, how_chosen = _confident_start(views, ranking, settings)
    else:
        start, how_chosen = _given_start(views, settings), "given"
    (group,), (dims,) = _shown(views, ranking, start.target, settings)
    if not ranking.num_samples[group]:
        raise InputError(
            f"the ranking has no sample of class {ranking.groups[group]}; "
            "give --group=all or more --ranking_samples"
        )
    limit = settings.limit
    grid = shift.shift_grid(
        views,
        ranking,
        start,
        dims,
        group=int(group),
        progress=[*map(float, settings.progress)],
        limit=limit,
        grid=settings.grid,
    )
    summary = shift.summary(grid, start, ranking, group=int(group), limit=limit)
    summary |= {"warnings": warnings.of_ranking(ranking, subject)}
    shown = Shown(
        names=[ranking.names[d] for d in dims],
        class_names=models.classifier.class_names,
        true_class=int(start.target[0]),
        sample=int(start.samples[0]),
        chosen=how_chosen,
        start_style=start.styles[0],
        group=ranking.groups[group],
        limit=limit,
        conditional=models.generator.num_classes > 0,
    )
    return summary | {"start_chosen": how_chosen}, grid._asdict() | shown._asdict()


def _shown(
    views: Views, ranking: Ranking, target: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """The group of the ranking [n] and the dimensions [n, d] shown for starts of classes [n]."""
    groups = 0 * target if settings.group == "all" else 1 + target
    given = _given_dims(views.models.generator, settings.dims)
    if given is None:
        return groups, ranking.order[groups, : settings.top]
    return groups, np.tile(given, (len(target), 1))


@pinned.settings()
def _given_start(views: Views, settings: Settings) -> Starts:
    """The sample of this index; refused unless it is classified as its class."""
    psi = settings.truncation_psi
    start = starts.at_samples(views, np.asarray([settings.start]), truncation_psi=psi)
    if start.softmax[0] <= crossing.LEVEL:
        names = views.models.classifier.class_names
        raise InputError(
            f"sample {settings.start} is a {names[start.target[0]]} with a softmax of "
            f"{start.softmax[0]:.2f} already, at most {crossing.LEVEL:g}; choose another --start"
        )
    return start


def _confident_start(views: Views, ranking: Ranking, settings: Settings) -> tuple[Starts, str]:
    """The first confident fresh sample of the class; of any class, the most affected of the firsts.

    With it comes how it was chosen.
    """
    classifier, wanted = views.models.classifier, settings.show_class
    every = range(classifier.num_classes)
    classes = every if wanted is None else [class_index(wanted, classifier)]
    first_index, psi = int(ranking.num_samples[0]), settings.truncation_psi
    confident = starts.confident_samples(
        views, classes, first_index=first_index, truncation_psi=psi
    )
    confident = confident.take(confident.softmax > crossing.LEVEL)
    if not len(confident.target):
        what = "its class" if wanted is None else wanted
        raise InputError(
            f"no sample from {first_index} on is classified as {what}; choose one by --start"
        )
    if wanted is not None:
        return confident, "the first of its class that the classifier is sure of"
    groups, dims = _shown(views, ranking, confident.target, settings)
    return starts.most_affected(views, ranking, confident, dims, groups), (
        f"the most affected of {len(confident.target)}, the first of each class that the "
        "classifier is sure of"
    )


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    grid, shown = (restore(record, result.arrays) for record in (ShiftGrid, Shown))
    return plots.shift.draw(folder, grid, shown, title)


def _describe(summary: Summary) -> Iterator[str]:
    start, columns, limit = summary["start"], summary["dimensions"], summary["limit_std"]
    reached = sum(column["reaches_0.50"] for column in columns)
    yield (
        f"from sample {start['sample']} ({summary['start_chosen']}), class {start['class']} with "
        f"softmax {start['softmax']:.3f}: {reached} of {len(columns)} dimensions reach 0.50 within "
        f"{limit:g} standard deviations"
    )
    for column in columns:
        sign = "+" if column["degrading_direction"] > 0 else "-"
        size = f"{column['reference_shift_std']:6.2f} std = {column['reference_shift_raw']:.2f}"
        what = size if column["reaches_0.50"] else f"0.50 not reached within {limit:g} std"
        yield f"  {column['dimension']:<18} {sign}  {what}"
