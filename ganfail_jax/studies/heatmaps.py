"""Where in an image are the rarely activated neurons? (Choi 2022, figs. 1 and 4)

Each layer's share of LR among the activated neurons at every position, as it is and under
sequential ablation of the layers before, for fresh samples of Top and Bottom or samples by index.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import plots
from ganfail_jax.analysis import detection
from ganfail_jax.analysis.detection import Neurons
from ganfail_jax.analysis.heatmaps import heatmaps, restore
from ganfail_jax.analysis.rates import early_layers, low_rate
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import warnings
from ganfail_jax.studies.activation_rates import ActivationRates
from ganfail_jax.studies.pictures import plain_indices
from ganfail_jax.studies.subject import GeneratorSubject

RESOLUTIONS = 5  # from 4x4 on: as in figure 4
MOST = 24  # samples: each has a figure


class Settings(NamedTuple):
    """What changes the result."""

    num_samples: int = 2_000  # those that follow the samples of the rates
    seed: int = 0
    threshold: float = 0.3  # largest rate of an LR neuron
    exclude_dead: bool = False  # whether neurons that are never activated are not LR
    shown: int = 3  # samples of Top and of Bottom
    indices: Sequence[int] | None = None  # samples shown instead


def plan(
    subject: GeneratorSubject,
    source: ActivationRates,
    settings: Settings = Settings(),
    run: Run = Run(),
) -> Job:
    """The job; the layers shown are those of the rates.

    Raises:
        InputError: too many samples or one twice, or the two ends overlap.
    """
    settings = settings._replace(indices=plain_indices(settings.indices))
    _check(settings)
    identity = {**subject.identity, **settings._asdict()}
    for name in ("indices",) if settings.indices is None else ("num_samples", "shown"):
        del identity[name]
    title = f"generator {subject.name}"
    return Job(
        folder=run.folder("heatmaps", subject.name, settings.seed),
        identity=identity | {"layers": source.layers, "rates": source.identity},
        subject=title,
        compute=partial(_compute, subject, source, settings),
        draw=partial(_draw, title),
        describe=_describe,
        settings=run,
    )


def _check(settings: Settings) -> None:
    indices, shown = settings.indices, settings.shown
    if indices is None:
        detection.check_ends(settings.num_samples, shown)
        if shown > MOST // 2:
            raise InputError(f"--shown={shown}: at most {MOST // 2} of either end")
    elif len({*indices}) < len(indices) or len(indices) > MOST:
        raise InputError(f"--indices has {len(indices)} samples; give at most {MOST}, each once")


def _compute(
    subject: GeneratorSubject, source: ActivationRates, settings: Settings, sweep: Sweep
) -> tuple[Summary, Arrays]:
    rates = source.rates(sweep)
    low = low_rate(rates, settings.threshold, dead=not settings.exclude_dead)
    summary: dict[str, Any] = {
        "warnings": warnings.of_rates(rates, settings.threshold),
        "threshold": settings.threshold,
        "rates": source.identity,
    }
    if settings.indices is None:
        early = early_layers(subject.generator.layers)
        scored = {layer: neurons for layer, neurons in low.items() if layer in early} or low
        indices = _extremes(subject, scored, settings, source.num_samples, sweep)
        kinds = ["Top"] * settings.shown + ["Bottom"] * settings.shown
        summary |= {"num_samples": settings.num_samples, "scored_layers": [*scored]}
    else:
        indices = list(settings.indices)
        kinds = ["Chosen"] * len(indices)
    samples = np.asarray(indices, np.int32)
    maps = heatmaps(subject.generator, subject.params, low, samples, seed=settings.seed)
    summary["samples"] = [
        {"index": index, "kind": kind, "activated": dict(zip(source.layers, row, strict=True))}
        for index, kind, row in zip(indices, kinds, maps.activated.tolist(), strict=True)
    ]
    return summary, {"indices": indices, "kinds": kinds, **maps.arrays()}


def _extremes(
    subject: GeneratorSubject, scored: Neurons, settings: Settings, first: int, sweep: Sweep
) -> list[int]:
    """Fresh samples that activate the most and the fewest of the neurons."""
    score = detection.detect(
        subject.generator,
        subject.params,
        scored,
        settings.num_samples,
        sweep.named("samples"),
        seed=settings.seed,
        first_index=first,
    ).score
    return (first + np.concatenate(detection.ends(score, settings.shown))).tolist()


def _draw(title: str, folder: Path, result: Result) -> list[str]:
    arrays = result.arrays
    kinds = dict(zip(arrays["indices"].tolist(), arrays["kinds"].tolist(), strict=True))
    return plots.heatmaps.draw(folder, restore(arrays), kinds, title)


def _describe(summary: Summary) -> Iterator[str]:
    yield (
        f"rarely activated (LR): by at most {summary['threshold']:g} of "
        f"{summary['rates']['num_samples']:,} samples"
    )
    if "num_samples" in summary:
        yield (
            f"Top and Bottom of {summary['num_samples']:,} samples by their rarely activated "
            f"neurons in {', '.join(summary['scored_layers'])}"
        )
    for sample in summary["samples"]:
        numbers = ", ".join(f"{n:,} in {layer}" for layer, n in sample["activated"].items())
        kind, index = sample["kind"], sample["index"]
        yield f"  {kind} sample {index} activates rarely activated (LR) neurons: {numbers}"
