"""Which StyleSpace dimensions break this classifier? (Le Coz 2022, sec. 2.2)

The ranking, its stability, how far it holds on fresh samples, and one image pushed along the top.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ganfail_jax import plots
from ganfail_jax.analysis import push, ranking
from ganfail_jax.analysis.views import views_of
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import Z95, show
from ganfail_jax.studies import rankings, warnings
from ganfail_jax.studies.subject import Subject, check_truncation, class_index

FRESH = 1_000  # samples of the push test
SHOW_CLASS = "show_class"  # of the settings, the one that changes only what is shown


class Settings(NamedTuple):
    """What changes the result; see `analysis.ranking.rank`."""

    num_samples: int = 10_000
    seed: int = 0
    truncation_psi: float = 1.0
    score: str = "softmax"  # of `outputs.SCORES`, or "auc"
    normalize: str = "none"  # of `ranking.NORMALIZATIONS`
    bootstrap: int = 100  # replicates
    top: int = 10  # dimensions reported
    show_class: str | None = None  # of the image pushed; None: any


def plan(subject: Subject, settings: Settings = Settings(), run: Run = Run()) -> Job:
    """The job for one classifier.

    Raises:
        InputError: no such class, truncation of a generator without any, or gradients of a
            classifier without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    rankings.check(subject, settings.score, settings.normalize)
    if settings.show_class is not None:
        class_index(settings.show_class, subject.models[0].classifier)
    identity = {**subject.identity, **settings._asdict()}
    shown = {SHOW_CLASS: identity.pop(SHOW_CLASS), "push_shifts": push.SHIFTS}
    return Job(
        folder=run.folder("rank", *subject.names, settings.seed, shown=shown),
        identity=identity,
        subject=subject.title,
        compute=partial(_compute, subject, settings),
        draw=partial(_draw, subject.title, settings),
        describe=partial(_describe, settings),
        settings=run,
        shown=shown,
        show=partial(_show, subject, settings),
    )


def _compute(subject: Subject, settings: Settings, sweep: Sweep) -> tuple[Summary, Arrays]:
    (models,) = subject.models
    shared = {"truncation_psi": settings.truncation_psi, "top": settings.top}
    ranked = rankings.rank_one(
        models,
        settings.num_samples,
        sweep.named("gradients"),
        seed=settings.seed,
        score=settings.score,
        normalize=settings.normalize,
        replicates=settings.bootstrap,
        **shared,
    )
    views = views_of(models, sweep.batch_size, settings.seed)
    effect = push.push_effect(
        views,
        ranked,
        num_samples=FRESH,
        first_index=settings.num_samples,
        progress="push test",
        **shared,
    )
    summary = _summarize(ranked, effect, settings.top)
    return {"warnings": warnings.of_ranking(ranked, subject), **summary}, ranked._asdict()


def _show(subject: Subject, settings: Settings, sweep: Sweep, result: Result) -> Arrays:
    """The image that is pushed."""
    (models,) = subject.models
    name = settings.show_class
    grid = push.push_grid(
        views_of(models, sweep.batch_size, settings.seed),
        restore(ranking.Ranking, result.arrays),
        true_class=None if name is None else class_index(name, models.classifier),
        truncation_psi=settings.truncation_psi,
        top=settings.top,
    )
    return {f"push_{name}": each for name, each in grid._asdict().items()}


def _summarize(ranked: ranking.Ranking, effect: push.PushEffect, top: int) -> Summary:
    groups = {
        name: {
            "samples": int(ranked.num_samples[g]),
            "accuracy": float(ranked.accuracy[g]),
            "mean_softmax_of_true_class": float(ranked.softmax[g]),
            "bootstrap_overlap_of_top": float(ranked.top_overlap[g]),
            "bootstrap_rank_correlation": float(ranked.stability[g]),
            "top": _top_dimensions(ranked, g, top),
        }
        for g, name in enumerate(ranked.groups)
        if ranked.num_samples[g]
    }
    return {"groups": groups, "push_test": effect._asdict()}


def _top_dimensions(ranked: ranking.Ranking, group: int, top: int) -> list[dict[str, Any]]:
    low, high = ranked.interval
    return [
        {
            "dimension": ranked.names[d],
            "index": int(d),
            "score": float(ranked.score[group, d]),
            "interval95": [float(low[group, d]), float(high[group, d])],
            "degrading_direction": int(ranked.direction[group, d]),
            "std": float(ranked.style_std[d]),
            "bootstrap_share_in_top": float(ranked.top_share[group, d]),
        }
        for d in ranked.order[group, :top]
    ]


def _draw(title: str, settings: Settings, folder: Path, result: Result) -> tuple[str, ...]:
    score = ranking.describe_score(settings.score, settings.normalize)
    ranked = restore(ranking.Ranking, result.arrays)
    pushed = restore(push.PushGrid, result.arrays, "push_")
    return plots.ranking.draw(folder, ranked, pushed, title, score)


def _describe(settings: Settings, summary: Summary) -> Iterator[str]:
    everything, effect = summary["groups"]["all"], summary["push_test"]
    yield (
        f"{everything['samples']:,} samples, accuracy {everything['accuracy']:.1%}; "
        f"{everything['bootstrap_overlap_of_top']:.0%} of the top recurs in a bootstrap replicate"
    )
    score = ranking.describe_score(settings.score, settings.normalize)
    yield f"dimension, + or - the direction that breaks the classifier, {score} [95 %]:"
    for top in everything["top"]:
        sign = "+" if top["degrading_direction"] > 0 else "-"
        yield (
            f"  {top['dimension']:<18} {sign}  score "
            f"{show(top['score'], top['interval95'], '+.4f')}  "
            f"in the top of {top['bootstrap_share_in_top']:.0%}"
        )
    errors = [Z95 * error for error in effect["standard_errors"]]
    before, pushed, random = effect.get("reach", errors)
    draws = f", {len(effect['random_draws'])} draws" if "random_draws" in effect else ""
    yield (
        f"mean true-class softmax of {effect['num_samples']:,} fresh samples: "
        f"{effect['before']:.3f} ± {before:.3f}; with the top {effect['dimensions']} dimensions "
        f"pushed by one standard deviation {effect['top']:.3f} ± {pushed:.3f}; with as many random "
        f"ones{draws} {effect['random']:.3f} ± {random:.3f}"
    )
