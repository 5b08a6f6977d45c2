"""How good is a generator? FID, KID, precision, recall, density, coverage and realism.

Generated images are compared with real ones by the features of a network, which every output names.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from ganfail_jax import plots
from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.metrics.evaluation import measure
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import COPY
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import warnings
from ganfail_jax.studies.images import ImageSet

SHOWN = 20  # least and most realistic images, at most
BY_NEIGHBOURS = {"pr", "realism"}


class Sets(NamedTuple):
    """What is compared, by which features."""

    generated: ImageSet
    real: ImageSet
    features: Features


class Settings(NamedTuple):
    """What is measured."""

    metrics: Mapping[str, int]  # fid, kid, pr, realism -> number of generated images
    neighbours: int = 3  # k of precision, recall and realism


def plan(
    sets: Sets,
    settings: Settings,
    run: Run = Run(),
    *,
    subject: str,
    identity: Mapping[str, Any],
    names: tuple[str, ...],
) -> Job:
    """The job.

    Args:
        subject: the generated images, for a person.
        identity: of the generated images.
        names: for the default folder.

    Raises:
        InputError: there are too few images.
    """
    neighbours = settings.neighbours if BY_NEIGHBOURS & settings.metrics.keys() else None
    if min(sets.real.images.shape[0], *settings.metrics.values()) <= (neighbours or 1):
        why = f" by --neighbours={neighbours}" if neighbours else ""
        raise InputError(f"more than {neighbours or 1} images of each kind are needed{why}")
    title = f"{subject} against {sets.real.name}, {sets.features.name}"
    compared = {
        "images": sets.real.key,
        "metrics": dict(settings.metrics),
        "neighbours": neighbours,
        "features": sets.features.identity,
    }
    return Job(
        folder=run.folder("evaluate", *names, shown=[] if neighbours else ["neighbours"]),
        identity={**identity, **compared},
        subject=title,
        compute=partial(_compute, sets, settings),
        draw=partial(_draw, title),
        describe=_describe,
        settings=run,
    )


def _compute(sets: Sets, settings: Settings, sweep: Sweep) -> tuple[Summary, Arrays]:
    real = sets.real.features(sets.features, sweep.batch_size, "real images")
    generated = sets.generated.features(sets.features, sweep.batch_size, "generated images")
    metrics, name = settings.metrics, sets.features.name
    lines = [
        *warnings.of_values(generated, "generated images have the same features"),
        *warnings.of_values(real, "real images have the same features"),
    ]
    if np.array_equal(generated, real):
        lines.append("the two sets have the same features, image by image: are they one set?")
    measured, scores = measure(
        metrics, real, generated, features=name, neighbours=settings.neighbours
    )
    arrays = {} if scores is None else _extremes(sets.generated.images, scores)
    summary = {"warnings": lines, "measurements": [each.summary() for each in measured]}
    return summary, arrays


def _extremes(images: Images, scores: Float64[np.ndarray, " n"]) -> dict[str, np.ndarray]:
    """The least and the most realistic images, in rising order; no image is both."""
    order = np.argsort(scores, kind="stable")
    order = order[scores[order] < COPY]
    n = min(SHOWN, len(order) // 2)
    arrays = {"realism": scores}
    for name, some in (("least", order[:n]), ("most", order[len(order) - n :])):
        arrays |= {name: images.take(some), f"{name}_realism": scores[some]}
    return arrays


def _draw(title: str, folder: Path, result: Result) -> list[str]:
    if not len(result.arrays.get("least", ())):  # not measured, or nothing but copies of real ones
        return []
    plots.realism.draw_extremes(folder / "realism.png", result.arrays, title)
    return ["realism.png"]


def _describe(summary: Summary) -> Iterator[str]:
    for fields in summary["measurements"]:
        yield str(Measurement(**fields))
