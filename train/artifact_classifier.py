"""Trains a classifier of artifacts from a person's labels (Tousi 2021, sec. 3.2).

    python -m train.artifact_classifier --generator=FILE --labels=labels.csv

A frozen network and one linear layer, classes artifact, normal and real. Real images come from
--images=FOLDER or the training set of --dataset; without any there are two classes. A part of the
labels is held out: what is printed was measured on it, and the weights tell which samples it is, so
that what is tried later can be tried on samples that no training has seen.

The classifier sees an image alone, not the class it was generated for: a label that depends on the
class asked for, as those of mnist_c's generators, can be learnt only as far as it shows in the
image.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from absl import flags
from jaxtyping import Array

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots, results
from ganfail_jax.analysis.detection_summary import format_area
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.metrics.features import Features, over_devices
from ganfail_jax.nn import artifact_classifier
from ganfail_jax.training import artifact_classifier as training
from ganfail_jax.training import checkpoints, linear_probe
from ganfail_jax.training.artifact_classifier import CLASSES
from ganfail_jax.training.held_out_sheet import KINDS, sheet
from ganfail_jax.types import Params
from ganfail_jax.weights import store
from train import backbones, labelled_images
from train.backbones import Backbone
from train.labelled_images import LabelledImages

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_generator()
common.define_noise("const", common.LABELLED)
common.define_batch_size(100)
common.define_run()
common.define_resume()
backbones.define()
labelled_images.define()
flags.DEFINE_bool("balance", True, "Classes weigh alike, however many samples they have.")
flags.DEFINE_integer("draws", 10, "Random splits of the label-efficiency curve; 0: no curve.", 0)
WEIGHTS = "best"  # the folder of the weights within the result's, where the zoo finds them
AT_ONCE = 25  # images per device and step


def extractor(backbone: Backbone) -> Features:
    """What the linear layer sees of 8-bit images."""
    config, none = backbone.config, jnp.zeros((backbone.config.num_features, 2))
    network = artifact_classifier.build(replace(config, num_classes=2), CLASSES[:2])
    params = artifact_classifier.variables(backbone.layers, none, jnp.zeros(2))

    def pooled(params: Params, images: Array) -> Array:
        return artifact_classifier.pool(config, network.features(params, images))

    spread = over_devices(pooled, params)
    return Features(
        name=f"{config.backbone} for artifact classifiers",
        dim=config.num_features,
        extract=lambda images: spread(to_float(images)),
        preprocessing=str(config.entry),
        weights=backbone.identity["sha256"],
        at_once=AT_ONCE,
    )


def _share(share: dict[str, Any]) -> str:
    if share["value"] is None:
        return "none"
    low, high = share["interval95"]
    whole = f" ({share['hits']} of {share['of']})"
    return f"{share['value']:.1%}{whole} [{low:.1%}, {high:.1%}]"


def _spread(found: dict[str, Any]) -> str:
    deviation = found["deviation"]
    return f"{found['mean']:.3f}" + ("" if deviation is None else f" ({deviation:.3f})")


def describe(summary: entry.Summary) -> Iterator[str]:
    for part in ("train", "held_out"):
        numbers = ", ".join(f"{n} {name}" for name, n in summary["samples"][part].items())
        yield f"{part.replace('_', ' ')}: {numbers}"
    penalty, tried = summary["penalty"]["penalty"], summary["penalty"]["penalties"]
    edge = " (the end of those tried)" if penalty in (tried[0], tried[-1]) else ""
    yield f"penalty {penalty:.3g}{edge}, of the least cross-entropy in {linear_probe.FOLDS} folds"
    found = summary["held_out"]
    yield "on what was held out, 95 % intervals in brackets:"
    yield (
        f"  accuracy {_share(found['accuracy'])}; always the most frequent class: "
        f"{found['most_frequent']:.1%}"
    )
    for name in summary["class_names"]:
        recall, precision = (_share(found[kind][name]) for kind in ("recall", "precision"))
        yield f"  {name}: recall {recall}, precision {precision}"
    for name, area in found["auc"].items():
        yield f"  area under the ROC curve, {name.replace('_', ' ')}: {format_area(area)}"
    for row in summary.get("label_efficiency", ()):
        accuracy, area = (_spread(row[name]) for name in ("accuracy", "auc"))
        yield (
            f"  {row['labels']} training labels, mean (standard deviation) of {row['draws']} "
            f"random splits: accuracy {accuracy}, area {area}"
        )


def compute(
    samples: LabelledImages, backbone: Backbone, about: Mapping[str, Any], folder: Path
) -> tuple[entry.Summary, entry.Arrays]:
    """Train and measure; save the weights below `folder`.

    Args:
        about: what the weights tell of how they were made, besides what is found here.
    """
    features = samples.seen(extractor(backbone))
    labels, split = samples.labels, samples.split
    k = len(samples.class_names)
    train, rng = split.train, np.random.default_rng(FLAGS.seed)
    probe, choice = linear_probe.choose(
        features[train], labels[train], k, balance=FLAGS.balance, rng=rng
    )
    logits = probe.logits(features[split.held_out])
    measured = training.measure(logits, labels[split.held_out])
    penalty = choice._asdict() | {"losses": choice.losses.tolist()}
    summary: dict[str, Any] = {
        "class_names": list(samples.class_names),
        "samples": samples.sizes(),
        "penalty": penalty,
        "held_out": measured,
    }
    arrays = {
        "class_names": np.asarray(samples.class_names),
        "confusion": np.asarray(measured["confusion"]),
        "held_out_labels": labels[split.held_out],
        "held_out_logits": logits,
    }
    if FLAGS.draws:
        asked: dict[str, Any] = {name: FLAGS[name].value for name in ("draws", "balance", "seed")}
        curve = training.label_efficiency(features, labels, share=FLAGS.held_out, **asked)
        summary["label_efficiency"] = curve.summary()
        arrays |= curve._asdict()
    kernel, bias = (jnp.asarray(x, jnp.float32) for x in probe)
    params = artifact_classifier.variables(backbone.layers, kernel, bias)
    network = artifact_classifier.build(backbone.config, samples.class_names)
    images = samples.generated.images
    places = split.held_out[split.held_out < images.shape[0]]  # of generated ones, which are first
    arrays |= sheet(network, params, images, labels, logits[: len(places)], places)
    for kind in KINDS:
        arrays[f"{kind}_indices"] = samples.indices[arrays.pop(f"{kind}_places")]
    about = {
        **about,
        "class_names": list(samples.class_names),
        "samples": samples.told(),
        "penalty": penalty,
        "measured": results.without_nan(measured),
    }
    config = backbone.config.to_dict()
    store.save(folder / WEIGHTS, artifact_classifier.KIND, config, params, about)
    return summary, arrays


def _check_free(folder: Path) -> None:
    """Weights of something else would be replaced.

    Raises:
        InputError: another training run is there.
    """
    weights = folder / WEIGHTS
    other = store.is_weights_folder(weights) and store.kind(weights) != artifact_classifier.KIND
    if other or (folder / checkpoints.RUN).exists():
        raise InputError(f"{folder} holds another training run; choose another --out")


def main() -> None:
    print("training a classifier of artifacts", flush=True)
    generator, params, identity = common.load_generator()
    common.check_labelled_noise(generator)
    samples = labelled_images.chosen(generator, params, identity)
    backbone = backbones.chosen(generator.image_shape, len(samples.class_names))
    identity |= {**samples.identity, "backbone": backbone.identity}
    identity |= {name: FLAGS[name].value for name in ("held_out", "balance", "draws")}
    kind, name = backbone.config.backbone, identity["generator"]
    who = f"{kind} on generator {name}"
    folder = common.out_folder("artifact_classifier", name, kind, str(FLAGS.seed))
    _check_free(folder)
    entry.conclude(
        folder,
        identity,
        who,
        partial(compute, samples, backbone, identity),
        lambda folder, arrays: [*plots.artifact_classifier.draw(folder, arrays, who), WEIGHTS],
        describe,
    )


if __name__ == "__main__":
    common.run(main)
