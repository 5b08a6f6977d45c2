"""Train a classifier of artifacts from a person's labels, and measure it (Tousi 2021, sec. 3.2).

A frozen network and one linear layer. What is measured was held out, and the weights record which
samples that are, so that what is tried later can be tried on samples that no training has used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ganfail_jax import plots, results
from ganfail_jax.data.labels import Labelled
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.metrics.features import Features, over_devices
from ganfail_jax.nn import artifact_classifier
from ganfail_jax.nn.artifact_classifier import ArtifactClassifierConfig
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.degenerate import at_chance
from ganfail_jax.statistics.intervals import show_entry
from ganfail_jax.studies import labelled_images
from ganfail_jax.studies.images import ImageSet
from ganfail_jax.studies.labelled_images import LabelledImages
from ganfail_jax.studies.subject import GeneratorSubject
from ganfail_jax.training import artifact_classifier as training
from ganfail_jax.training import checkpoints, linear_probe
from ganfail_jax.training.artifact_classifier import CLASSES
from ganfail_jax.training.held_out_sheet import KINDS, sheet
from ganfail_jax.types import Params
from ganfail_jax.weights import store

WEIGHTS = "best"  # the folder of the weights within the result's, where the zoo looks for them
AT_ONCE = 25  # images per device and step


class Backbone(NamedTuple):
    """The frozen network; the number of its configuration's classes does not matter."""

    config: ArtifactClassifierConfig
    layers: Params
    identity: Mapping[str, Any]  # network, file and its SHA-256


class Settings(NamedTuple):
    """What changes the result."""

    seed: int = 0  # of the samples, and of everything random
    held_out: float = 0.3  # the share of every class that is not trained on
    balance: bool = True  # classes weigh alike, however many samples they have
    draws: int = 10  # random splits of the label-efficiency curve; 0: no curve


def plan(
    subject: GeneratorSubject,
    labels: Labelled,
    real: ImageSet | None,
    backbone: Backbone,
    settings: Settings = Settings(),
    run: Run = Run(),
) -> Job:
    """The job; it writes the weights into a folder within its result's.

    Args:
        real: images of the third class; None: there are two.

    Raises:
        InputError: a class has too few images, or the folder holds another training run.
    """
    samples = labelled_images.label(
        subject, labels, real, seed=settings.seed, held_out=settings.held_out
    )
    kind = backbone.config.backbone
    config = replace(backbone.config, num_classes=len(samples.class_names))
    identity = {
        **subject.identity,
        **samples.identity,
        "backbone": backbone.identity,
        **settings._asdict(),
    }
    title = f"{kind} on generator {subject.name}"
    folder = run.folder("artifact_classifier", subject.name, kind, settings.seed)
    _check_free(folder)
    return Job(
        folder=folder,
        identity=identity,
        subject=title,
        compute=partial(
            _compute, samples, backbone._replace(config=config), settings, identity, folder
        ),
        draw=partial(_draw, title),
        describe=_describe,
        settings=run,
    )


def _check_free(folder: Path) -> None:
    """Weights of something else would be replaced.

    Raises:
        InputError: another training run is there.
    """
    weights = folder / WEIGHTS
    other = store.is_weights_folder(weights) and store.kind(weights) != artifact_classifier.KIND
    if other or (folder / checkpoints.RUN).exists():
        raise InputError(f"{folder} holds another training run; choose another --out")


def _extractor(backbone: Backbone) -> Features:
    """What the linear layer takes of 8-bit images."""
    config, none = backbone.config, jnp.zeros((backbone.config.num_features, 2))
    network = artifact_classifier.build(replace(config, num_classes=2), CLASSES[:2])
    params = artifact_classifier.variables(backbone.layers, none, jnp.zeros(2))

    def pooled(params: Params, images: Array) -> Array:
        return artifact_classifier.pool(config, network.feature_map(params, images))

    spread = over_devices(pooled, params)
    return Features(
        name=f"{config.backbone} for artifact classifiers",
        dim=config.num_features,
        extract=lambda images: spread(to_float(images)),
        preprocessing=str(config.entry),
        weights=backbone.identity["sha256"],
        at_once=AT_ONCE,
    )


def _compute(
    samples: LabelledImages,
    backbone: Backbone,
    settings: Settings,
    identity: Mapping[str, Any],
    folder: Path,
    sweep: Sweep,
) -> tuple[Summary, Arrays]:
    """Train and measure; save the weights below the folder, which record the identity."""
    features = samples.features(_extractor(backbone), sweep.batch_size)
    labels, split, names = samples.labels, samples.split, samples.class_names
    probe, choice = linear_probe.choose(
        features[split.train],
        labels[split.train],
        len(names),
        balance=settings.balance,
        rng=np.random.default_rng(settings.seed),
    )
    logits = probe.logits(features[split.held_out])
    measured = training.measure(logits, labels[split.held_out])
    penalty = choice._asdict() | {"losses": choice.losses.tolist()}
    parts = samples.parts()
    confusion = np.asarray(measured["confusion"])
    of_both = confusion.sum(axis=1), confusion.sum(axis=0)
    summary: dict[str, Any] = {
        "warnings": at_chance("the artifact classifier", int(confusion.trace()), *of_both),
        "class_names": list(names),
        "samples": {
            part: {name: len(indices) for name, indices in classes.items()}
            for part, classes in parts.items()
        },
        "penalty": penalty,
        "held_out": measured,
    }
    arrays = {
        "class_names": np.asarray(names),
        "confusion": confusion,
        "held_out_labels": labels[split.held_out],
        "held_out_logits": logits,
    }
    if settings.draws:
        curve = training.label_efficiency(
            features,
            labels,
            share=settings.held_out,
            draws=settings.draws,
            balance=settings.balance,
            seed=settings.seed,
        )
        summary["label_efficiency"] = curve.summary()
        arrays |= curve._asdict()
    kernel, bias = (jnp.asarray(x, jnp.float32) for x in probe)
    params = artifact_classifier.variables(backbone.layers, kernel, bias)
    arrays |= _held_out(samples, backbone, params, logits)
    about = {
        **identity,
        "class_names": list(names),
        "samples": parts,
        "penalty": penalty,
        "measured": results.without_nan(measured),
    }
    config = backbone.config.to_dict()
    store.save(folder / WEIGHTS, artifact_classifier.KIND, config, params, about)
    return summary, arrays


def _held_out(
    samples: LabelledImages, backbone: Backbone, params: Params, logits: np.ndarray
) -> dict[str, np.ndarray]:
    """The surest of the generated images held out, with where the network looks."""
    images, places = samples.generated.images, samples.split.held_out
    places = places[places < images.shape[0]]  # of generated ones, which are first
    network = artifact_classifier.build(backbone.config, samples.class_names)
    arrays = sheet(network, params, images, samples.labels, logits[: len(places)], places)
    for kind in KINDS:
        arrays[f"{kind}_indices"] = samples.indices[arrays.pop(f"{kind}_places")]
    return arrays


def _draw(title: str, folder: Path, result: Result) -> list[str]:
    return [*plots.artifact_classifier.draw(folder, result.arrays, title), WEIGHTS]


def _share(share: Mapping[str, Any]) -> str:
    if share["value"] is None:
        return "none"
    low, high = share["interval95"]
    whole = f" ({share['hits']} of {share['of']})"
    return f"{share['value']:.1%}{whole} [{low:.1%}, {high:.1%}]"


def _spread(values: Mapping[str, Any]) -> str:
    deviation = values["deviation"]
    return f"{values['mean']:.3f}" + ("" if deviation is None else f" ({deviation:.3f})")


def _describe(summary: Summary) -> Iterator[str]:
    for part in ("train", "held_out"):
        numbers = ", ".join(f"{n} {name}" for name, n in summary["samples"][part].items())
        yield f"{part.replace('_', ' ')}: {numbers}"
    penalty, tried = summary["penalty"]["penalty"], summary["penalty"]["penalties"]
    edge = " (the end of those tried)" if penalty in (tried[0], tried[-1]) else ""
    yield f"penalty {penalty:.3g}{edge}, of the least cross-entropy in {linear_probe.FOLDS} folds"
    measured = summary["held_out"]
    yield "on what was held out; brackets: 95 % over these samples, the classifier held"
    yield (
        f"  accuracy {_share(measured['accuracy'])}; always the most frequent class: "
        f"{measured['most_frequent']:.1%}"
    )
    for name in summary["class_names"]:
        recall, precision = (_share(measured[kind][name]) for kind in ("recall", "precision"))
        yield f"  {name}: recall {recall}, precision {precision}"
    for name, area in measured["auc"].items():
        yield f"  area under the ROC curve, {name.replace('_', ' ')}: {show_entry(area)}"
    for row in summary.get("label_efficiency", ()):
        accuracy, area = (_spread(row[name]) for name in ("accuracy", "auc"))
        yield (
            f"  {row['labels']} training labels, mean (standard deviation) of {row['draws']} "
            f"random splits: accuracy {accuracy}, area {area}"
        )
