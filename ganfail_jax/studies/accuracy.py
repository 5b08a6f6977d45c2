"""How fast does accuracy fall with distance in StyleSpace? (Le Coz 2022, sec. 2.4, 3.3, fig. 6)

Fresh samples, beyond those of the rankings, by their distance from the well classified centre.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ganfail_jax import plots
from ganfail_jax.analysis import samples
from ganfail_jax.analysis.latent_accuracy import (
    COMPARISONS,
    HELD,
    Binning,
    Curves,
    Setting,
    accuracy_curves,
    by_area,
    explain,
)
from ganfail_jax.analysis.samples import outcome_names
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import show
from ganfail_jax.studies import warnings
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject, check_truncation

MOST_LINES, WORST = 20, 10  # of more curves, only the worst are printed
OF = {"slope_and_area_of": "all samples"}  # earlier results have those of the bins drawn


class Settings(NamedTuple):
    """What changes the result, beside the rankings."""

    num_samples: int = 10_000
    seed: int = 0
    truncation_psi: float = 1.0
    top: int = 100  # top dimensions that make a distance; 0: all
    bins: int = 12  # of distance, before sparse ones go
    binning: str = "width"  # of `latent_accuracy.BINNINGS`
    min_samples: int = 50  # that a point of a curve needs


def plan(
    subject: Subject, source: RankingSource, settings: Settings = Settings(), run: Run = Run()
) -> Job:
    """The job for one or more classifiers.

    Raises:
        InputError: too few samples for a slope, or truncation of a generator without any.
    """
    check_truncation(subject.generator, settings.truncation_psi)
    n, each = settings.num_samples, settings.min_samples
    if n < 2 * each:
        raise InputError(
            f"--num_samples={n:,}: a slope needs two points of --min_samples={each:,}, so at "
            f"least {2 * each:,}"
        )
    return Job(
        folder=run.folder("accuracy", *subject.names, settings.seed),
        identity={**subject.identity, **settings._asdict(), **OF, "ranking": dict(source.identity)},
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
    top, binning = settings.top, Binning(settings.binning, settings.bins, settings.min_samples)
    comparisons = accuracy_curves(drawn, rankings, top, binning, settings.seed)
    setting = Setting(
        classifiers=subject.classifiers,
        classes=rankings[0].groups[1:],
        class_known=generator.num_classes > 0,
        right_means=outcome_names(generator)[0],
        num_samples=len(drawn.indices),
        top=top,
        dimensions=drawn.styles.shape[1],
    )
    summary = {
        "warnings": warnings.of_samples(drawn, subject) + warnings.of_gradients(rankings, subject),
        "samples": setting.num_samples,
        "held": HELD,
        "first_index": first_index,
        "right_means": setting.right_means,
        "comparisons": {
            name: {"distance": explain(name, top, setting.dimensions)}
            | curves.summary(setting.names(name))
            for name, curves in comparisons.items()
        },
    }
    arrays = {
        f"{name}_{field}": values
        for name, curves in comparisons.items()
        for field, values in curves._asdict().items()
    }
    return summary, arrays | setting._asdict()


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    arrays = result.arrays
    names = [name for name in COMPARISONS if f"{name}_slope" in arrays]
    comparisons = {name: restore(Curves, arrays, f"{name}_") for name in names}
    return plots.latent_accuracy.draw(folder, comparisons, restore(Setting, arrays), title)


def _describe(summary: Summary) -> Iterator[str]:
    yield (
        f"{summary['samples']:,} samples; right means {summary['right_means']}. Slope: percentage "
        "points per unit of distance; area: mean accuracy in per cent over distances that 5 to "
        f"95 % of every curve's samples have. Brackets: 95 %, {summary['held']}"
    )
    for name, comparison in summary["comparisons"].items():
        low, high = comparison["common_range"]
        reach = "nowhere in common" if low is None else f"area from {low:.1f} to {high:.1f}"
        curves = comparison["curves"]
        rising = [own for own, curve in curves.items() if curve["rises_beyond_intervals"]]
        yield (
            f"{comparison['distance']}; {reach}; rises beyond the intervals: "
            f"{', '.join(rising) or 'none'}"
        )
        if name != "classes_all":  # as many lines again, in result.json
            yield from _describe_curves(curves, paired=name.startswith("shared"))


def _describe_curves(curves: Mapping[str, Any], paired: bool) -> Iterator[str]:
    shown = list(curves)
    if len(shown) > MOST_LINES:
        shown = by_area(curves)[:WORST]
        yield f"  the {WORST} of {len(curves)} with the smallest area:"
    for name in shown:
        slope, area = (_per_cent(curves[name], key) for key in ("slope", "area"))
        yield f"  {name}: slope {slope}, area {area}"
    for name in list(curves)[1:] if paired else ():
        keys = ("slope_difference", "area_difference")
        slope, area = (_per_cent(curves[name], key) for key in keys)
        yield f"  {name} minus the first: slope {slope}, area {area}"


def _per_cent(curve: Mapping[str, Any], key: str) -> str:
    """A slope or an area with its interval."""
    value, *ends = (
        None if x is None else 100 * x for x in (curve[key], *curve[f"{key}_interval95"])
    )
    return show(value, ends, ".2f" if key == "area" else "+.2f")
