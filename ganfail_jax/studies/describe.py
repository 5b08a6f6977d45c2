"""What does each dimension that breaks the classifier do to the picture, in words?

Beyond Le Coz 2022, whose dimensions are read off by eye (sec. 3.2): changes of what a person sees,
measured on fresh pairs of images, and dimensions that do the same as one failure mode.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import plots
from ganfail_jax.analysis import descriptions
from ganfail_jax.analysis.descriptions import (
    Contrast,
    Described,
    Effects,
    Pairs,
    Population,
)
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.samples import outcome_names
from ganfail_jax.analysis.views import views_of
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import Z95, show_entry, with_interval
from ganfail_jax.studies import warnings
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject, check_truncation

PAIRS = 5  # of images shown of each failure mode
GAINING = 3  # classes listed that gain softmax


class Settings(NamedTuple):
    """What changes the result, beside the ranking."""

    num_samples: int = 2_000  # the population, beyond the samples of the ranking
    seed: int = 0
    truncation_psi: float = 1.0
    top: int = 10  # dimensions described
    moved: int = 400  # well classified samples that are moved
    deviations: float = 2.0  # length of a move, standard deviations of the dimension
    least: float = 0.1  # change that a word needs, standard deviations over the population
    similarity: float = 0.5  # cosine from which dimensions are one failure mode


def plan(
    subject: Subject, source: RankingSource, settings: Settings = Settings(), run: Run = Run(200)
) -> Job:
    """The job for one classifier.

    Raises:
        InputError: truncation of a generator without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    return Job(
        folder=run.folder("describe", *subject.names, settings.seed),
        identity={**subject.identity, **settings._asdict(), "ranking": dict(source.identity)},
        subject=subject.title,
        compute=partial(_compute, subject, source, settings),
        draw=partial(_draw, subject.title, settings),
        describe=_describe,
        settings=run,
    )


def _compute(
    subject: Subject, source: RankingSource, settings: Settings, sweep: Sweep
) -> tuple[Summary, Arrays]:
    (models,), (ranking,) = subject.models, source.rankings(sweep)
    views = views_of(models, sweep.batch_size, settings.seed)
    population = descriptions.population(
        views,
        settings.num_samples,
        first_index=int(ranking.num_samples[0]),
        truncation_psi=settings.truncation_psi,
    )
    start = population.samples.take(np.flatnonzero(population.right)[: settings.moved])
    if len(start.target) < 2:
        right, _ = outcome_names(models.generator)
        raise InputError(f"fewer than two samples are {right}: nothing can be broken")
    dims = ranking.order[0, : settings.top]
    moves = descriptions.single_moves(ranking, dims, settings.deviations)
    measure = partial(descriptions.effects, views, population, start, std=ranking.style_std)
    single, _ = measure(moves, progress="dimensions")
    named = descriptions.standing_out(single, settings.least)
    modes = descriptions.failure_modes(single, named, settings.similarity)
    together = np.stack([moves[mode].sum(axis=0) for mode in modes])
    joint, pairs = measure(together, shown=PAIRS, progress="failure modes")
    contrast = descriptions.contrast(population)
    summary = _summarize(ranking, population, (single, joint), modes, contrast, settings)
    member = np.empty(len(dims), int)
    for number, mode in enumerate(modes):
        member[mode] = number
    described = Described(
        tuple(ranking.names[d] for d in dims),
        ranking.direction[0, dims].astype(int),
        member,
        tuple(each["words"] for each in summary["failure_modes"]),
        *zip(*population.attributes, strict=True),
        classes=models.classifier.class_names,
    )
    records = {"": described, "single_": single, "joint_": joint, "contrast_": contrast}
    arrays = {
        f"{prefix}{name}": array
        for prefix, record in (records | {"pairs_": pairs}).items()
        for name, array in record._asdict().items()
    }
    lines = warnings.of_ranking(ranking, subject)
    return {"warnings": lines, **summary, "moved": len(start.target)}, arrays


def _summarize(
    ranking: Ranking,
    population: Population,
    effects: tuple[Effects, Effects],
    modes: Sequence[Sequence[int]],
    contrast: Contrast,
    settings: Settings,
) -> Summary:
    single, joint = effects
    order, direction = ranking.order[0], ranking.direction[0]
    attributes, classes = population.attributes, ranking.groups[1:]
    dimensions = [
        {"dimension": ranking.names[d], "degrading_direction": int(direction[d])}
        | _entry(single, i, settings.least, attributes, classes)
        for i, d in enumerate(order[: settings.top])
    ]
    failure_modes = [
        _entry(joint, m, settings.least, attributes, classes)
        | {"dimensions": [dimensions[i] for i in mode]}
        for m, mode in enumerate(modes)
    ]
    right, wrong = contrast.num_samples
    (named,) = descriptions.standing_out(contrast, settings.least)
    return {
        "misclassified": {
            "well_classified": right,
            "misclassified": wrong,
            "words": descriptions.phrase(attributes, contrast.change[0], named),
            "change_sd": _changes(contrast, 0, attributes),
        },
        "failure_modes": failure_modes,
    }


def _entry(
    effects: Effects, i: int, least: float, attributes: Sequence, classes: Sequence[str]
) -> dict[str, Any]:
    """One move for result.json."""
    named = descriptions.standing_out(effects, least)[i]
    loss, error = effects.softmax[i]
    gaining = np.argsort(-effects.classes[i])[:GAINING]
    return {
        "words": descriptions.phrase(attributes, effects.change[i], named),
        "softmax_of_true_class": with_interval(loss, (loss - Z95 * error, loss + Z95 * error)),
        "misclassified_afterwards": float(effects.broken[i]),
        "mean_move_std": float(effects.moved[i]),
        "classes_gaining": {
            classes[k]: float(effects.classes[i, k]) for k in gaining if effects.classes[i, k] > 0
        },
        "change_sd": _changes(effects, i, attributes),
    }


def _changes(measured: Effects | Contrast, i: int, attributes: Sequence) -> dict[str, Any]:
    half = Z95 * measured.error[i]
    low, high = measured.change[i] - half, measured.change[i] + half
    return {
        attribute.name: with_interval(measured.change[i, a], (low[a], high[a]))
        for a, attribute in enumerate(attributes)
    }


def _draw(title: str, settings: Settings, folder: Path, result: Result) -> tuple[str, ...]:
    arrays = result.arrays
    return plots.describe.draw(
        folder,
        restore(Described, arrays),
        (restore(Effects, arrays, "single_"), restore(Effects, arrays, "joint_")),
        restore(Contrast, arrays, "contrast_"),
        restore(Pairs, arrays, "pairs_"),
        title,
        deviations=settings.deviations,
    )


def _describe(summary: Summary) -> Iterator[str]:
    failed, modes = summary["misclassified"], summary["failure_modes"]
    yield (
        f"{failed['misclassified']:,} misclassified samples, against {failed['well_classified']:,} "
        f"well classified ones of the same classes: {failed['words']}"
    )
    yield (
        f"{summary['moved']} well classified samples moved along the dimensions of each failure "
        "mode together: what changes (sd: standard deviations over the population), softmax of the "
        "true class [95 %], how many are misclassified then"
    )
    for number, mode in enumerate(modes, 1):
        gaining = mode["classes_gaining"]
        towards = f"; {max(gaining, key=gaining.__getitem__)} gains most" if gaining else ""
        yield (
            f"  {number}. {mode['words']}: softmax {show_entry(mode['softmax_of_true_class'])}, "
            f"{mode['misclassified_afterwards']:.1%} misclassified{towards}"
        )
        for each in mode["dimensions"]:
            sign = "+" if each["degrading_direction"] > 0 else "-"
            yield f"       {each['dimension']:<18} {sign}  {each['words']}"
