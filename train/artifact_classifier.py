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

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from absl import flags
from jaxtyping import Array, Int

from analyze import entry, image_choice
from analyze import flags as common
from ganfail_jax import results
from ganfail_jax.data import image_sets
from ganfail_jax.data.image_sets import Images
from ganfail_jax.data.labels import Labels, read_labels
from ganfail_jax.data.pipelines import to_float
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.features import Features, over_devices
from ganfail_jax.nn import artifact_classifier
from ganfail_jax.plots.artifact_classifier import draw
from ganfail_jax.training import artifact_classifier as training
from ganfail_jax.training import linear_probe
from ganfail_jax.training.artifact_classifier import ARTIFACT, CLASSES, NORMAL
from ganfail_jax.training.held_out_sheet import KINDS, sheet
from ganfail_jax.types import Params
from ganfail_jax.weights import store
from train import backbones
from train.backbones import Backbone

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_generator()
common.define_batch_size(100)
common.define_run()
common.define_resume()
backbones.define()
image_choice.define_real()
flags.DEFINE_string("labels", None, "CSV of index, seed and label (analyze.label).")
flags.DEFINE_integer("num_real", None, "Real images (default: as many as normal ones); 0: none.", 0)
flags.DEFINE_float("held_out", 0.3, "Share of every class that is not trained on.", 0.01, 0.99)
flags.DEFINE_bool("balance", True, "Classes weigh alike, however many samples they have.")
flags.DEFINE_integer("draws", 10, "Random splits of the label-efficiency curve; 0: no curve.", 0)
WEIGHTS = "best"  # the folder of the weights within the result's, where the zoo finds them
AT_ONCE = 25  # images per device and step


def read_labelled(generator_sha256: str) -> Labels:
    """--labels.

    Raises:
        InputError: none given, unreadable, of another generator, or of one kind only.
    """
    if FLAGS.labels is None:
        raise InputError("--labels=FILE.csv is needed; analyze.label makes one")
    labels = read_labels(FLAGS.labels, FLAGS.seed, generator_sha256)
    if labels.artifact.all() or not labels.artifact.any():
        kind, other = CLASSES[:2] if labels.artifact.all() else CLASSES[1::-1]
        raise InputError(
            f"all {len(labels.indices)} samples of --seed={FLAGS.seed} in {FLAGS.labels} are "
            f"{kind}; there must be {other} ones too"
        )
    return labels


def real_images(shape: tuple[int, int, int], most: int) -> image_choice.Compared | None:
    """As many of the real images that the flags name; None: there are none.

    Raises:
        InputError: those asked for are missing, damaged or of another shape.
    """
    if most == 0:
        return None
    try:
        return image_choice.real_images(shape, "the generator's images", most)
    except InputError as error:
        if FLAGS.images or FLAGS["dataset"].present:
            raise
        print(f"no real images, so the classes are artifact and normal ({error})", flush=True)
        return None


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


def _area(area: dict[str, Any]) -> str:
    low, high = area["interval95"]
    return f"{area['value']:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")


def _spread(found: dict[str, Any]) -> str:
    deviation = found["deviation"]
    return f"{found['mean']:.3f}" + ("" if deviation is None else f" ({deviation:.3f})")


def describe(summary: entry.Summary) -> Iterator[str]:
    for part in ("train", "held_out"):
        numbers = ", ".join(f"{n} {name}" for name, n in summary["samples"][part].items())
        yield f"{part.replace('_', ' ')}: {numbers}"
    penalty, tried = summary["penalty"]["value"], summary["penalty"]["tried"]
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
        yield f"  area under the ROC curve, {name.replace('_', ' ')}: {_area(area)}"
    for row in summary.get("label_efficiency", ()):
        accuracy, area = (_spread(row[name]) for name in ("accuracy", "auc"))
        yield (
            f"  {row['labels']} training labels, mean (standard deviation) of {row['draws']} "
            f"random splits: accuracy {accuracy}, area {area}"
        )


def main() -> None:
    print("training a classifier of artifacts", flush=True)
    generator, params, identity = common.load_generator()
    labelled = read_labelled(identity["generator_sha256"])
    normal = int((~labelled.artifact).sum())
    real = real_images(generator.image_shape, normal if FLAGS.num_real is None else FLAGS.num_real)
    num_real = 0 if real is None else real.images.shape[0]
    class_names = CLASSES[: 2 if real is None else 3]
    backbone = backbones.chosen(generator.image_shape, len(class_names))
    labels = np.where(labelled.artifact, ARTIFACT, NORMAL)
    labels = np.concatenate([labels, np.full(num_real, training.REAL)])
    split = training.split(labels, FLAGS.held_out, np.random.default_rng(FLAGS.seed))

    made = image_sets.generated(generator, params, 1, seed=FLAGS.seed)
    images = Images(
        (len(labelled.indices), *generator.image_shape),
        lambda rows: made.take(labelled.indices[rows]),
    )
    source = identity | {"indices": hashlib.sha256(labelled.indices.tobytes()).hexdigest()}
    generated = image_choice.Compared(identity["generator"], images, str(source))
    settings = {
        "labels": labelled.sha256,
        "backbone": backbone.identity,
        "real": None
        if real is None
        else {"name": real.name, "images": real.key, "number": num_real},
        **{name: FLAGS[name].value for name in ("held_out", "balance", "draws")},
    }

    def samples_of(part: Int[np.ndarray, " p"]) -> dict[str, list[int]]:
        """Indices of generated samples, places among the real images."""
        indices = np.concatenate([labelled.indices, np.arange(num_real)])
        return {
            name: sorted(indices[part[labels[part] == k]].tolist())
            for k, name in enumerate(class_names)
        }

    parts = {name: samples_of(part) for name, part in split._asdict().items()}

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        extract = extractor(backbone)
        seen = [generated.seen(extract, "generated images")]
        seen += [] if real is None else [real.seen(extract, "real images")]
        features = np.concatenate(seen)
        probe, choice = linear_probe.choose(
            features[split.train],
            labels[split.train],
            len(class_names),
            balance=FLAGS.balance,
            rng=np.random.default_rng(FLAGS.seed),
        )
        logits = probe.logits(features[split.held_out])
        measured = training.measure(logits, labels[split.held_out])
        penalty = {
            "value": choice.penalty,
            "tried": choice.penalties,
            "losses": choice.losses.tolist(),
        }
        summary = {
            "class_names": list(class_names),
            "samples": {part: {k: len(v) for k, v in each.items()} for part, each in parts.items()},
            "penalty": penalty,
            "held_out": measured,
        }
        arrays = {
            "class_names": np.asarray(class_names),
            "confusion": np.asarray(measured["confusion"]),
            "held_out_labels": labels[split.held_out],
            "held_out_logits": logits,
        }
        if FLAGS.draws:
            curve = training.label_efficiency(
                features,
                labels,
                share=FLAGS.held_out,
                draws=FLAGS.draws,
                balance=FLAGS.balance,
                seed=FLAGS.seed,
            )
            summary["label_efficiency"] = curve.summary()
            arrays |= curve._asdict()
        kernel, bias = (jnp.asarray(x, jnp.float32) for x in probe)
        weights = artifact_classifier.variables(backbone.layers, kernel, bias)
        network = artifact_classifier.build(backbone.config, class_names)
        told = split.held_out[split.held_out < len(labelled.indices)]  # generated ones
        arrays |= sheet(network, weights, images, labels, logits[: len(told)], told)
        for kind in KINDS:
            arrays[f"{kind}_indices"] = labelled.indices[arrays.pop(f"{kind}_places")]
        about = {"class_names": list(class_names), **identity, **settings, "samples": parts}
        about |= {"penalty": penalty, "measured": results.without_nan(measured)}
        store.save(
            folder / WEIGHTS, artifact_classifier.KIND, backbone.config.to_dict(), weights, about
        )
        return summary, arrays

    who = f"{backbone.config.backbone} on generator {identity['generator']}"
    entry.conclude(
        common.out_folder(
            "artifact_classifier", identity["generator"], backbone.config.backbone, str(FLAGS.seed)
        ),
        identity | settings,
        who,
        compute,
        lambda folder, arrays: [*draw(folder, arrays, who), WEIGHTS],
        describe,
    )


if __name__ == "__main__":
    common.run(main)
