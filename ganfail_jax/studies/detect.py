"""Which samples activate the most rarely activated neurons? (Choi 2022, sec. 4.1, fig. 2)

Fresh samples scored by their activated LR neurons, both ends of their order as images; and, beyond
the paper, whether the score distinguishes labelled artifacts or a classifier's errors.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Int

from ganfail_jax import plots
from ganfail_jax.analysis import detection
from ganfail_jax.analysis.detection import Detected, Neurons
from ganfail_jax.analysis.detection_summary import (
    Score,
    agreement,
    class_table,
    format_area,
    layer_table,
    score_summary,
    tell,
)
from ganfail_jax.analysis.rates import Rates, low_rate
from ganfail_jax.analysis.samples import Samples, collect, outcome_names
from ganfail_jax.data.labels import Labelled
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.latents import sample_labels
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep, in_batches
from ganfail_jax.studies import warnings
from ganfail_jax.studies.activation_rates import ActivationRates
from ganfail_jax.studies.pictures import pictures
from ganfail_jax.studies.subject import GeneratorSubject, Subject, check_labelled_noise
from ganfail_jax.tally import CHUNK

SCORES = {
    "sum": "number of activated LR neurons",
    "balanced": "activated LR neurons of a layer over their mean, averaged over the layers",
}
SHOWN = 40  # images of each end


class Settings(NamedTuple):
    """What changes the result."""

    num_samples: int = 50_000  # those that follow the samples of the rates
    seed: int = 0
    threshold: float = 0.3  # largest rate of an LR neuron
    exclude_dead: bool = False  # whether neurons that are never activated are not LR
    ends: int = 2_000  # samples in Top and in Bottom
    combine: str = "sum"  # how the counts of layers make a score, of SCORES; sum: paper


class Known(NamedTuple):
    """What is known of samples, which the score may distinguish."""

    labels: Labelled | None = None  # a person's: normal or artifact
    classified: Subject | None = None  # the generator and a classifier: its errors


def plan(
    subject: GeneratorSubject,
    source: ActivationRates,
    settings: Settings = Settings(),
    run: Run = Run(),
    *,
    known: Known = Known(),
) -> Job:
    """The job; the layers scored are those of the rates.

    Raises:
        InputError: the two ends overlap, or labels or classified samples are of other images.
    """
    detection.check_ends(settings.num_samples, settings.ends)
    if known.labels is not None:
        check_labelled_noise(subject.generator)
    if known.classified is not None and known.classified.generator.identity != subject.identity:
        raise InputError("the classified samples are of another generator or noise")
    identity = {**subject.identity, **settings._asdict()}
    identity |= {"layers": source.layers, "rates": source.identity}
    identity["labels"] = known.labels and known.labels.key
    if known.classified is not None:
        identity |= known.classified.identity
    title = f"generator {subject.name}"
    return Job(
        folder=run.folder("detect", subject.name, settings.seed),
        identity=identity,
        subject=title,
        compute=partial(_compute, subject, source, settings, known),
        draw=partial(_draw, title, settings.combine),
        describe=_describe,
        settings=run,
    )


def _compute(
    subject: GeneratorSubject,
    source: ActivationRates,
    settings: Settings,
    known: Known,
    sweep: Sweep,
) -> tuple[Summary, Arrays]:
    rates, first = source.rates(sweep), source.num_samples
    low = low_rate(rates, settings.threshold, dead=not settings.exclude_dead)
    detected = detection.detect(
        subject.generator,
        subject.params,
        low,
        settings.num_samples,
        sweep.named("samples"),
        seed=settings.seed,
        first_index=first,
    )
    detection.check_scores(detected.score)
    score = _scores(detected)[settings.combine]
    classes = sample_labels(subject.generator, first + np.arange(settings.num_samples))
    distinguished, lines = {}, warnings.of_rates(rates, settings.threshold)
    if known.labels is not None:
        lines += warnings.of_labels(known.labels.artifact)
        table = _distinguish_labels(subject, low, detected, known.labels, settings.seed)
        distinguished["labelled artifact"] = table
    if known.classified is not None:
        drawn = collect(
            known.classified.models,
            settings.num_samples,
            sweep.named("classifier"),
            first_index=first,
            seed=settings.seed,
        )
        lines += warnings.of_samples(drawn, known.classified)
        distinguished |= _distinguish_errors(known.classified, detected, drawn)
    top, bottom = (first + places for places in detection.ends(score, settings.ends))
    arrays = {
        "top": top,
        "bottom": bottom,
        "activated": detected.activated,
        "top_images": pictures(subject, top[:SHOWN], settings.seed),
        "bottom_images": pictures(subject, bottom[:SHOWN], settings.seed),
        "score": score,
        "first_index": first,
    }
    summary = _summarize(source, settings, rates, detected, score, classes)
    return {"warnings": lines} | summary | {"told": distinguished}, arrays


def _scores(detected: Detected) -> dict[str, np.ndarray]:
    return {"sum": detected.score, "balanced": detected.balanced_score}


def _distinguish_labels(
    subject: GeneratorSubject, low: Neurons, detected: Detected, labels: Labelled, seed: int
) -> dict[str, Any]:
    """How well the scores distinguish labelled artifacts, wherever among the samples they are."""

    @jax.jit
    def count(args: Any, indices: Array) -> Int[Array, "b l"]:
        params, neurons = args
        neurons = {name: neurons[name] for name in detected.layers}  # jit sorts them
        return detection.activated_numbers(subject.generator, params, neurons, seed, indices)

    numbers = in_batches(partial(count, (subject.params, dict(low))), CHUNK, labels.indices)
    balanced = detection.balance(numbers, detected.activated.mean(axis=0))
    scores = {"sum": numbers.sum(axis=1), "balanced": balanced}
    classes = sample_labels(subject.generator, labels.indices)
    return tell(scores, labels.artifact, classes)


def _distinguish_errors(
    classified: Subject, detected: Detected, samples: Samples
) -> dict[str, Any]:
    """How well the scores distinguish what the classifier gets wrong, by the name of that."""
    generator = classified.models[0].generator
    classes = sample_labels(generator, samples.indices)
    name = f"{outcome_names(generator)[1]} ({classified.classifiers[0]})"
    return {name: tell(_scores(detected), ~samples.right[0], classes)}


def _summarize(
    source: ActivationRates,
    settings: Settings,
    rates: Rates,
    detected: Detected,
    score: Score,
    classes: Int[np.ndarray, " n"] | None,
) -> dict[str, Any]:
    threshold, size = settings.threshold, settings.ends
    summary = {
        "num_samples": settings.num_samples,
        "first_index": source.num_samples,
        "threshold": threshold,
        "rates": source.identity,
        "ends": size,
        "layers": layer_table(detected, rates, threshold, dead=not settings.exclude_dead),
        "score": {"kind": settings.combine, **score_summary(score, size)},
        "sum_and_balanced": agreement(detected, size),
    }
    return summary if classes is None else summary | {"classes": class_table(score, classes, size)}


def _draw(title: str, score: str, folder: Path, result: Result) -> tuple[str, ...]:
    return plots.detection.draw(folder, result.arrays, title, SCORES[score])


def _describe(summary: Summary) -> Iterator[str]:
    yield (
        f"{summary['num_samples']:,} samples from index {summary['first_index']:,} on; LR: "
        f"activated by at most {summary['threshold']:g} of {summary['rates']['num_samples']:,} "
        "samples"
    )
    for name, layer in summary["layers"].items():
        yield (
            f"  {name}: {layer['low_rate']:,} of {layer['neurons']:,} neurons are LR "
            f"({layer['low_rate_without_never']:,} without those never activated); a sample "
            f"activates {layer['low_rate_activated_per_image']:,.1f} of them "
            f"({layer['by_the_rates']:,.1f} by the rates), {layer['share_of_sum']:.0%} of the sum"
        )
    yield from _describe_score(summary)
    for name, table in summary["told"].items():
        yield (
            f"does the score distinguish {name} samples ({table['positive']:,}) from the others "
            f"({table['negative']:,})? Area under the ROC curve (0.5: no), 95 % over samples:"
        )
        for part in ("auc", "auc_within_classes"):
            for kind, area in table.get(part, {}).items():
                where = "" if part == "auc" else ", within classes"
                yield f"  {kind}{where}: {format_area(area)}"


def _describe_score(summary: Summary) -> Iterator[str]:
    score, both = summary["score"], summary["sum_and_balanced"]
    decimals = 1 if score["kind"] == "sum" else 3
    mean, deviation, top, bottom = (
        f"{score[name]:,.{decimals}f}"
        for name in ("mean", "standard_deviation", "top_from", "bottom_to")
    )
    yield f"score ({SCORES[score['kind']]}): mean {mean}, standard deviation {deviation}"
    yield f"Top {summary['ends']:,}: from {top} on; Bottom {summary['ends']:,}: up to {bottom}"
    yield (
        f"sum and balanced score: rank correlation {both['rank_correlation']:.3f}; "
        f"{both['top_in_common']:.0%} of Top and {both['bottom_in_common']:.0%} of Bottom in common"
    )
    for end in ("top", "bottom") if "classes" in summary else ():
        largest = sorted(summary["classes"], key=lambda row: -row[f"share_of_{end}"])[:3]
        shares = (f"{row['class']} ({row[f'share_of_{end}']:.0%})" for row in largest)
        yield f"classes most frequent in {end.capitalize()}: {', '.join(shares)}"
