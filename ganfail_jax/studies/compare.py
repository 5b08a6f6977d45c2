"""Where do classifiers fail differently? (beyond Le Coz 2022, sec. 2.4, 3.3)

The same fresh samples for all, their rankings, and the samples on which they disagree.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import plots
from ganfail_jax.analysis import comparison, samples
from ganfail_jax.analysis.comparison import Contrast, Shares, Sheet
from ganfail_jax.analysis.ranking import describe_score
from ganfail_jax.analysis.samples import Samples, outcome_names
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import UNDEFINED, show
from ganfail_jax.studies import warnings
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject, check_truncation


class Settings(NamedTuple):
    """What changes the result, beside the rankings."""

    num_samples: int = 10_000
    seed: int = 0
    truncation_psi: float = 1.0
    top: int = 20  # dimensions of each ranking that are compared
    shown: int = 32  # most images of each sheet of disagreements


def plan(
    subject: Subject, source: RankingSource, settings: Settings = Settings(), run: Run = Run()
) -> Job:
    """The job for two or more classifiers.

    Raises:
        InputError: there is only one, or truncation of a generator without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    if len(subject.models) < 2:
        raise InputError("a comparison needs two classifiers: --classifiers=one,another")
    return Job(
        folder=run.folder("compare", *subject.names, settings.seed),
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
    rankings, generator = source.rankings(sweep), subject.generator.generator
    first_index = int(rankings[0].num_samples[0])
    drawn = samples.collect(
        subject.models,
        settings.num_samples,
        sweep.named("samples"),
        first_index=first_index,
        seed=settings.seed,
        truncation_psi=settings.truncation_psi,
    )
    names, groups, known = subject.classifiers, rankings[0].groups, generator.num_classes > 0
    contrast = Contrast(
        classifiers=names,
        groups=groups,
        dimensions=rankings[0].names,
        scores=np.stack([ranking.score[0] for ranking in rankings]),
        tops=np.stack([ranking.order[0, : settings.top] for ranking in rankings]),
        unit=describe_score(
            source.identity["score"], source.identity["normalize"], "true" if known else "predicted"
        ),
        class_known=known,
        right_means=outcome_names(generator)[0],
    )
    compared = len(groups) if known else 1  # classifiers share no classes where none is true
    shares = comparison.shares(drawn, compared)
    lines = [
        *warnings.of_samples(drawn, subject),
        *warnings.of_agreement(drawn, subject),
        *warnings.of_gradients(rankings, subject),
    ]
    summary = {
        "warnings": lines,
        "samples": len(drawn.indices),
        "first_index": first_index,
        "outcome": contrast.right_means,
        "shares": shares.summary(names, groups[:compared]),
        "pairs": comparison.pair_summaries(drawn, rankings, names, compared, settings.top),
    }
    return summary, {
        **{f"group_{field}": a for field, a in shares._asdict().items()},
        **contrast._asdict(),
        "right": drawn.right,
        **_sheets(subject, settings, drawn),
    }


def _sheets(subject: Subject, settings: Settings, drawn: Samples) -> Arrays:
    """What only the first classifier gets right and what only another does, for each other."""
    arrays, models = {}, subject.models[0]
    for other in range(1, len(subject.models)):
        for key, pair in (("first", (0, other)), ("other", (other, 0))):
            sheet = comparison.sheet(models, drawn, *pair, settings.shown, settings.seed)
            arrays |= {f"sheet{other}_{key}_{field}": a for field, a in sheet._asdict().items()}
    return arrays


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    arrays = result.arrays
    shares, contrast = restore(Shares, arrays, "group_"), restore(Contrast, arrays)
    sheets = [
        (restore(Sheet, arrays, f"sheet{i}_first_"), restore(Sheet, arrays, f"sheet{i}_other_"))
        for i in range(1, len(contrast.classifiers))
    ]
    return plots.comparison.draw(folder, shares, contrast, sheets, title)


def _describe(summary: Summary) -> Iterator[str]:
    outcome = summary["outcome"]
    yield f"{summary['samples']:,} samples; share of those {outcome}:"
    for name, groups in summary["shares"].items():
        everything = groups["all"]
        yield f"  {name}: {show(everything['share'], everything['interval95'], '.2%')}"
    for pair in summary["pairs"]:
        paired, ranked = pair["samples"]["all"], pair["rankings"]["all"]
        low, high = (100 * end for end in paired["interval95"])
        yield f"A {pair['a']} against B {pair['b']}"
        yield (
            f"  {outcome} by both {paired['both']:,}, only A {paired['only_a']:,}, "
            f"only B {paired['only_b']:,}, neither {paired['neither']:,}; A minus B "
            f"{100 * paired['difference']:+.2f} points [{low:+.2f}, {high:+.2f}], "
            f"McNemar p = {paired['mcnemar_p']:.2g}"
        )
        magnitudes, signed = (
            UNDEFINED if ranked[key] is None else f"{ranked[key]:.3f}"
            for key in ("correlation_of_magnitudes", "correlation_of_scores")
        )
        yield (
            f"  rank correlation of magnitudes {magnitudes}, of signed scores {signed}; "
            f"top dimensions: {len(ranked['shared'])} in both with the same direction"
            f"{_chance(ranked, 'shared')}, {len(ranked['opposite'])} with opposite directions "
            f"(in both {ranked['in_both']}{_chance(ranked, 'in_both')}), "
            f"{len(ranked['only_a'])} only of A, {len(ranked['only_b'])} only of B"
        )


def _chance(ranked: Mapping[str, Any], kind: str) -> str:
    """Empty for a result that lacks it."""
    if f"{kind}_p" not in ranked:
        return ""
    expected, p = ranked[f"{kind}_expected_by_chance"], ranked[f"{kind}_p"]
    return f" [by chance {expected:.2f}, p = {p:.2g}]"
