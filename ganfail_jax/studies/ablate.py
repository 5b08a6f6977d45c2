"""What do images look like without their rarely activated neurons? (Choi 2022, algorithm 1)

Fresh samples with the most (Top) and the fewest (Bottom) activated LR neurons, or samples by index,
drawn with the activated neurons of each of several sets at zero.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ganfail_jax import plots
from ganfail_jax.analysis.ablation import Choice, ablation, ablation_keys, parse_choice
from ganfail_jax.analysis.detection import check_ends, detect, ends
from ganfail_jax.analysis.rates import Rates, low_rate
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.latents import renderer
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep, in_batches
from ganfail_jax.studies import warnings
from ganfail_jax.studies.activation_rates import ActivationRates
from ganfail_jax.studies.pictures import plain_indices
from ganfail_jax.studies.subject import GeneratorSubject

SETS = ("LR:0.1", "LR:0.3", "LR:0.5", "LR:0.7", "HR:0.7", "random:0.3")
AT_ONCE = 16  # images rendered
Sample = tuple[int, str]  # index and what is written above it


class Settings(NamedTuple):
    """What changes the result."""

    sets: Sequence[str] = SETS  # of neurons: LR:R, HR:R and random:SHARE
    num_samples: int = 10_000  # those that follow the samples of the rates
    seed: int = 0
    threshold: float = 0.3  # largest rate of an LR neuron, for Top and Bottom
    shown: int = 6  # samples of Top and of Bottom
    indices: Sequence[int] | None = None  # samples to draw instead


def plan(
    subject: GeneratorSubject,
    source: ActivationRates,
    settings: Settings = Settings(),
    run: Run = Run(),
) -> Job:
    """The job; the layers ablated, in sequence, are those of the rates.

    Raises:
        InputError: a set is not one, or the two ends overlap.
    """
    choices = [Choice("none", 0.0), *map(parse_choice, settings.sets)]
    indices = plain_indices(settings.indices)
    settings = settings._replace(indices=indices)
    if indices is None:
        check_ends(settings.num_samples, settings.shown)
    identity = {**subject.identity, **settings._asdict()}
    identity |= {"layers": source.layers, "rates": source.identity, "sets": list(settings.sets)}
    identity["indices"] = None if indices is None else list(map(str, indices))
    title = f"generator {subject.name}"
    return Job(
        folder=run.folder("ablate", subject.name, settings.seed),
        identity=identity,
        subject=title,
        compute=partial(_compute, subject, source, settings, choices),
        draw=partial(
            _draw, f"Images without sets of neurons of {', '.join(source.layers)}: {title}"
        ),
        describe=_describe,
        settings=run,
    )


def _compute(
    subject: GeneratorSubject,
    source: ActivationRates,
    settings: Settings,
    choices: Sequence[Choice],
    sweep: Sweep,
) -> tuple[Summary, Arrays]:
    rates = source.rates(sweep)
    if settings.indices is None:
        shown = _extremes(subject, rates, settings, sweep)
    else:
        shown = [(index, f"sample {index}") for index in settings.indices]
    indices = [index for index, _ in shown]
    images = _render(subject, rates, settings.seed, choices, indices)
    changes = 127.5 * np.abs(images - images[0]).mean(axis=(2, 3, 4))
    names = [*map(str, choices)]
    without = [name for name, change in zip(names, changes, strict=True) if not change.any()]
    lines = [
        *warnings.of_rates(rates, settings.threshold),
        *warnings.of_values(images[0], "samples shown have the same pixels"),
        *(f"{name} changes no pixel of the samples shown" for name in without[1:]),
    ]
    summary = {
        "warnings": lines,
        "layers": source.layers,
        "indices": indices,
        "pixel_changes": dict(zip(names, changes.tolist(), strict=True)),
    }
    arrays = {
        "images": images,
        "changes": changes,
        "rows": [choice.text for choice in choices],
        "heads": [head for _, head in shown],
    }
    return summary, arrays


def _extremes(
    subject: GeneratorSubject, rates: Rates, settings: Settings, sweep: Sweep
) -> list[Sample]:
    """Fresh samples with the most and the fewest activated LR neurons."""
    first = rates.num_samples
    score = detect(
        subject.generator,
        subject.params,
        low_rate(rates, settings.threshold),
        settings.num_samples,
        sweep.named("scoring samples"),
        seed=settings.seed,
        first_index=first,
    ).score
    top, bottom = ends(score, settings.shown)
    return [
        (first + int(i), f"{name}: {score[i]:,} LR\nsample {first + int(i)}")
        for name, places in (("Top", top), ("Bottom", bottom[::-1]))
        for i in places
    ]


def _render(
    subject: GeneratorSubject,
    rates: Rates,
    seed: int,
    choices: Sequence[Choice],
    indices: Sequence[int],
) -> Float[np.ndarray, "r n h w c"]:
    """Images of every set r."""
    render = renderer(subject.generator, seed)

    def one_set(choice: Choice, some: np.ndarray) -> jax.Array:
        edits = ablation(choice, rates, [*rates.counts], ablation_keys(seed, jnp.asarray(some)))
        return render(subject.params, some, edits)

    samples = np.asarray(indices, np.int32)
    return np.stack([in_batches(partial(one_set, choice), AT_ONCE, samples) for choice in choices])


def _draw(title: str, folder: Path, result: Result) -> list[str]:
    plots.ablation.draw_ablated(folder / "ablated.png", result.arrays, title)
    return ["ablated.png"]


def _describe(summary: Summary) -> Iterator[str]:
    yield f"without activated neurons of {', '.join(summary['layers'])}; mean change of a pixel:"
    for name, changes in summary["pixel_changes"].items():
        if name != "none":
            yield f"  {name:<11} {np.mean(changes):.1f} of 255, {len(changes)} images"
