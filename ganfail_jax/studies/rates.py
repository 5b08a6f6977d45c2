"""How often is each neuron of a generator activated? (Choi 2022, sec. 3.1)

The rates of 30,000 samples, how many neurons are LR (rarely activated) by them, and how that
settles as the samples grow.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ganfail_jax import plots
from ganfail_jax.analysis import rates as analysis
from ganfail_jax.analysis.convergence import Convergence, Milestone, converge, inspect
from ganfail_jax.analysis.rates import Rates, early_layers, find_layers
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import warnings
from ganfail_jax.studies.subject import GeneratorSubject

TABLE = (0.1, 0.3, 0.5, 0.7)  # thresholds of the paper's table 1


class Settings(NamedTuple):
    """What changes the result; see `analysis.rates.count_rates`."""

    num_samples: int = 30_000
    seed: int = 0
    layers: Sequence[str] | None = None  # None: the paper's early ones
    threshold: float = 0.3  # largest rate of an LR neuron


def plan(
    subject: GeneratorSubject,
    settings: Settings = Settings(),
    run: Run = Run(),
    *,
    published: Rates | None = None,
) -> Job:
    """The job.

    Args:
        published: rates of the layers to use instead of counting.

    Raises:
        InputError: a layer is unknown.
    """
    known, names = subject.generator.layers, settings.layers
    layers = early_layers(known) if names is None else find_layers(known, names)
    settings = settings._replace(layers=layers)
    counts = published.counts.values() if published else ()
    hashes = [hashlib.sha256(each.tobytes()).hexdigest() for each in counts]
    title = f"generator {subject.name}"
    return Job(
        folder=run.folder("rates", subject.name, settings.seed),
        identity={**subject.identity, **settings._asdict(), "published": hashes},
        subject=title,
        compute=partial(_compute, subject, layers, settings, published),
        draw=partial(_draw, title, settings.threshold),
        describe=_describe,
        settings=run,
    )


def _compute(
    subject: GeneratorSubject,
    layers: Sequence[str],
    settings: Settings,
    published: Rates | None,
    sweep: Sweep,
) -> tuple[Summary, Arrays]:
    milestones: list[Milestone] = []
    rates = published or analysis.count_rates(
        subject.generator,
        subject.params,
        layers,
        settings.num_samples,
        sweep.named("counting"),
        seed=settings.seed,
        inspect=lambda so_far: milestones.append(inspect(so_far, settings.threshold)),
    )
    arrays = rates.arrays() | {"threshold": settings.threshold}
    if milestones:
        arrays |= converge(milestones, [n.size for n in rates.counts.values()])._asdict()
    summary = {
        "warnings": warnings.of_rates(rates, settings.threshold),
        "num_samples": rates.num_samples,
        "threshold": settings.threshold,
    }
    return summary | {"layers": _summarize(rates, settings.threshold)}, arrays


def _summarize(rates: Rates, threshold: float) -> dict[str, dict[str, Any]]:
    low, unsure = analysis.low_rate(rates, threshold), analysis.uncertain(rates, threshold)
    alive = analysis.low_rate(rates, threshold, dead=False)
    tables = {each: analysis.low_rate(rates, each) for each in TABLE}
    return {
        name: {
            "neurons": counts.size,
            "never_activated": int((counts == 0).sum()),
            "low_rate": int(low[name].sum()),
            "low_rate_without_never": int(alive[name].sum()),
            "low_rate_activated_per_image": analysis.expected_activated(rates, {name: low[name]}),
            "uncertain_share": float(unsure[name].mean()),
            "low_rate_shares": {str(t): float(masks[name].mean()) for t, masks in tables.items()},
        }
        for name, counts in rates.counts.items()
    }


def _draw(title: str, threshold: float, folder: Path, result: Result) -> list[str]:
    rates = analysis.restore(result.arrays)
    plots.rates.draw_rates(folder / "rates.png", rates, threshold, title)
    if "at" not in result.arrays:  # published
        return ["rates.png"]
    settled = Convergence(**{name: result.arrays[name] for name in Convergence._fields})
    plots.rates.draw_convergence(folder / "convergence.png", settled, [*rates.counts], title)
    return ["rates.png", "convergence.png"]


def _describe(summary: Summary) -> Iterator[str]:
    yield (
        f"{summary['num_samples']:,} samples; rarely activated (LR): by at most "
        f"{summary['threshold']:g} of them"
    )
    for name, layer in summary["layers"].items():
        yield (
            f"  {name}: {layer['low_rate']:,} of {layer['neurons']:,} neurons are rarely "
            f"activated, {layer['never_activated']:,} of them never; a sample activates "
            f"{layer['low_rate_activated_per_image']:,.1f} rarely activated ones; "
            f"{layer['uncertain_share']:.2%} of the neurons may be rarely or often activated"
        )
