"""Does the discriminator recognise artifacts? (Tousi 2021, sec. 3, fig. 3)

Its output, the "D-value", for labelled artifacts, for normal generations and for real images.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ganfail_jax import plots
from ganfail_jax.analysis import d_values
from ganfail_jax.analysis.detection_summary import classes_of, format_area
from ganfail_jax.data.image_sets import Images
from ganfail_jax.data.labels import Labelled
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.metrics.feature_cache import images_hash
from ganfail_jax.results import Result, restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import warnings
from ganfail_jax.studies.fingerprints import of_discriminator
from ganfail_jax.studies.pictures import pictures
from ganfail_jax.studies.subject import GeneratorSubject, check_labelled_noise
from ganfail_jax.types import Discriminator, Params

SHOWN = 6  # artifacts and normals in the row of images, at most


class Judge(NamedTuple):
    """A discriminator, and what identifies it."""

    discriminator: Discriminator
    params: Params
    identity: Mapping[str, Any]  # discriminator, its SHA-256, images_seen and relation

    @property
    def text(self) -> str:
        """What it is to the generator, for a person."""
        return _judge_text(self.identity)


class Real(NamedTuple):
    """The real images that are judged."""

    name: str
    images: Images
    labels: Int[np.ndarray, " n"]  # classes; of no account for a discriminator without any


def judge(
    discriminator: Discriminator,
    params: Params,
    name: str,
    images_seen: int | None = None,
    relation: str = "of unknown training",
) -> Judge:
    """A discriminator in hand; its parameters and its scores of fixed images identify it.

    Args:
        relation: what it is to the generator, for a person.
    """
    sha256 = of_discriminator(discriminator, params)
    identity = {"discriminator": name, "discriminator_sha256": sha256}
    return Judge(
        discriminator, params, identity | {"images_seen": images_seen, "relation": relation}
    )


def plan(
    subject: GeneratorSubject,
    judge: Judge,
    labels: Labelled,
    real: Real | None = None,
    run: Run = Run(),
    *,
    seed: int = 0,
) -> Job:
    """The job for one generator.

    Args:
        labels: of samples of this seed.

    Raises:
        InputError: the discriminator, the real images or the generator's noise do not fit.
    """
    check_labelled_noise(subject.generator)
    check_fit(subject, judge)
    name = judge.identity["discriminator"]
    title = f"generator {subject.name}, discriminator {name} ({judge.text})"
    identity = {**subject.identity, "seed": seed, **judge.identity, "labels": labels.key}
    if real is not None:
        identity |= {"real": real.name, "real_images": images_hash(real.images)}
    return Job(
        folder=run.folder("d_values", subject.name, seed),
        identity=identity,
        subject=title,
        compute=partial(_compute, subject, judge, labels, real, seed),
        draw=partial(_draw, title),
        describe=_describe,
        settings=run,
    )


def check_fit(subject: GeneratorSubject, judge: Judge) -> None:
    """
    Raises:
        InputError: the discriminator takes other images, or knows other classes.
    """
    generator, discriminator = subject.generator, judge.discriminator
    name = judge.identity["discriminator"]
    if generator.image_shape != discriminator.image_shape:
        made, judged = ("x".join(map(str, m.image_shape)) for m in (generator, discriminator))
        raise InputError(
            f"discriminator {name} judges images of {judged}, but the generator makes {made}; give "
            "two that fit"
        )
    if generator.num_classes != discriminator.num_classes:
        raise InputError(
            f"discriminator {name} knows {discriminator.num_classes} classes, but the generator "
            f"{generator.num_classes}; give two that fit"
        )


def _compute(
    subject: GeneratorSubject,
    judge: Judge,
    labels: Labelled,
    real: Real | None,
    seed: int,
    sweep: Sweep,
) -> tuple[Summary, Arrays]:
    size, artifact = sweep.batch_size, labels.artifact
    values = d_values.of_samples(
        subject.generator,
        subject.params,
        judge.discriminator,
        judge.params,
        labels.indices,
        seed=seed,
        batch_size=size,
    )
    of_real = np.zeros(0, np.float32) if real is None else _of_real(judge, real, size)
    shown = d_values.spread(values, artifact, SHOWN)
    areas = d_values.areas(values, artifact, classes_of(subject.generator, labels.indices), of_real)
    area = areas["artifact from normal"]["auc"]["d_value"]
    populations = {"normal": values[~artifact], "artifact": values[artifact], "real": of_real}
    summary = {
        "warnings": warnings.of_labels(artifact)
        + warnings.of_values(values, "samples have the same D-value")
        + warnings.of_values(of_real, "real images have the same D-value"),
        **judge.identity,
        "real": real and real.name,
        "d_values": {name: _summarize(x) for name, x in populations.items() if len(x)},
        "told": areas,
    }
    return summary, {
        "indices": labels.indices,
        "artifact": artifact,
        "d_values": values,
        "real_d_values": of_real,
        "area": [area["value"], *area["interval95"]],
        "shown": shown,
        "shown_images": pictures(subject, labels.indices[shown], seed),
    }


def _of_real(judge: Judge, real: Real, batch_size: int) -> Float[np.ndarray, " n"]:
    return d_values.of_images(
        judge.discriminator,
        judge.params,
        lambda numbers: to_float(real.images.take(numbers)),
        real.labels,
        batch_size=batch_size,
    )


def _summarize(values: Float[np.ndarray, " n"]) -> dict[str, Any]:
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "standard_deviation": float(values.std()),
    }


def _draw(title: str, folder: Path, result: Result) -> tuple[str, ...]:
    return plots.d_values.draw(folder, restore(plots.d_values.DValues, result.arrays), title)


def _judge_text(identity: Mapping[str, Any]) -> str:
    return f"{identity['relation']}; {identity['images_seen'] or 0:,} images seen"


def _describe(summary: Summary) -> Iterator[str]:
    yield f"the discriminator is {_judge_text(summary)}"
    for name, part in summary["d_values"].items():
        yield (
            f"  {name} ({part['n']:,}): mean D-value {part['mean']:.3f}, "
            f"standard deviation {part['standard_deviation']:.3f}"
        )
    yield (
        "is the D-value of the first lower? Area under the ROC curve (0.5: no), 95 % over samples:"
    )
    for name, table in summary["told"].items():
        for part in ("auc", "auc_within_classes"):
            if part in table:
                where = "" if part == "auc" else ", within classes"
                yield f"  {name}{where}: {format_area(table[part]['d_value'])}"
