"""Does the discriminator tell artifacts? (Tousi 2021, sec. 3, fig. 3)

    python -m analyze.d_values --generator=RUN --labels=FILE.csv

Draws the histogram of the discriminator's output, the "D-value", for labelled artifacts, for normal
generations and for real images. A training run keeps its discriminator; for a generator without one
--discriminator names the run of another.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from jaxtyping import Float, Int

from analyze import entry, image_choice, labelled
from analyze import flags as common
from ganfail_jax import plots, zoo
from ganfail_jax.analysis import d_values
from ganfail_jax.analysis.detection_summary import classes_of, format_area
from ganfail_jax.data import image_sets
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.data.pipelines import load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.metrics.feature_cache import images_hash
from ganfail_jax.types import Discriminator, Generator, Params

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_generator()
common.define_noise("const", common.LABELLED)
common.define_batch_size(64)
common.define_run()
common.define_resume()
labelled.define_labels()
text = "Folder of a training run or of its discriminator (default: that of --generator)."
flags.DEFINE_string("discriminator", None, text)
flags.DEFINE_integer("real", 1_000, "Real images beside them, drawn at random; 0: none.", 0)
image_choice.define_real()
SHOWN = 6  # artifacts and normals in the row of images, at most


class Real(NamedTuple):
    """The real images that are looked at."""

    name: str
    images: image_sets.Images
    labels: Int[np.ndarray, " n"]  # 0: unknown, and of no account


def load_discriminator(
    generator: Generator, identity: Mapping[str, Any]
) -> tuple[Discriminator, Params, dict[str, Any]]:
    """The discriminator asked for, its parameters, and what there is to know of it.

    Raises:
        InputError: there is none, or none that fits the generator.
    """
    own = FLAGS.generator or zoo.defaults(FLAGS.dataset).generator
    name = FLAGS.discriminator or own
    if FLAGS.discriminator is None and not (Path(own) / zoo.DISCRIMINATOR).is_dir():
        raise InputError(
            f"{own} has no discriminator at hand; give --discriminator=RUN of train.stylegan2 or "
            f"train.pggan, which with --start_from={own} trains one against a continuation of it"
        )
    discriminator, params = zoo.load_discriminator(name)
    if generator.image_shape != discriminator.image_shape:
        made, judged = ("x".join(map(str, m.image_shape)) for m in (generator, discriminator))
        raise InputError(
            f"the discriminator of {name} judges images of {judged}, but the generator makes "
            f"{made}; give two that fit"
        )
    if generator.num_classes != discriminator.num_classes:
        raise InputError(
            f"the discriminator of {name} knows {discriminator.num_classes} classes, but the "
            f"generator {generator.num_classes}; give two that fit"
        )
    stored = zoo.read_discriminator(name)
    about, mine = stored.about, identity["generator_sha256"]
    if about.get("generator_sha256") == mine:
        relation = "its own"
    elif about.get("start_from", {}).get("sha256") == mine:
        relation = "trained against a continuation of it"
    else:
        relation = "of another generator, or of another step of its run"
    folder = Path(name).resolve()
    seen = {
        "discriminator": folder.parent.name if folder.name == zoo.DISCRIMINATOR else folder.name,
        "discriminator_sha256": stored.sha256,
        "images_seen": about.get("images_seen"),
        "relation": relation,
    }
    return discriminator, params, seen


def choose_real(discriminator: Discriminator) -> Real | None:
    """By --real, --images and --dataset.

    Raises:
        InputError: they are missing, damaged, or do not fit the discriminator.
    """
    if not FLAGS.real:
        return None
    shape, classes = discriminator.image_shape, discriminator.num_classes
    if FLAGS.images is not None:
        if classes:
            raise InputError(
                f"the discriminator judges images of {classes} classes, which --images does not "
                "tell; leave it out"
            )
        name = Path(FLAGS.images).resolve().name
        images, labels = read_folder(FLAGS.images, shape, like="the discriminator's images"), None
    else:
        dataset = load_dataset(FLAGS.dataset, "train", mnist_dir=FLAGS.mnist_dir)
        if dataset.images.shape[1:] != shape or classes not in (0, len(dataset.class_names)):
            raise InputError(
                f"{dataset.name} has images of {dataset.images.shape[1:]} in "
                f"{len(dataset.class_names)} classes, the discriminator judges {shape} in "
                f"{classes}; give --images=FOLDER, or --real=0 for none"
            )
        print(f"real images: {dataset.source}")
        name, labels = dataset.name, dataset.labels
        images = image_sets.in_memory(dataset.images)
    drawn = np.random.default_rng(FLAGS.seed).permutation(images.shape[0])[: FLAGS.real]
    labels = np.zeros(len(drawn), np.int32) if labels is None else labels[drawn]
    return Real(name, images.select(drawn), labels)


def described(values: Float[np.ndarray, " n"]) -> dict[str, Any]:
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "standard_deviation": float(values.std()),
    }


def main() -> None:
    print("asking the discriminator for artifacts", flush=True)
    if FLAGS.labels is None:
        raise InputError("give --labels=FILE.csv of index, seed and label; analyze.label makes one")
    generator, params, identity = common.load_generator()
    common.check_labelled_noise(generator)
    discriminator, discriminator_params, seen = load_discriminator(generator, identity)
    labels = labelled.read_labelled(identity["generator_sha256"])
    real = choose_real(discriminator)
    identity |= seen | {"labels": labels.sha256}
    if real is not None:
        identity |= {"real": real.name, "real_images": images_hash(real.images)}
    who = (
        f"generator {identity['generator']}, discriminator {seen['discriminator']} "
        f"({seen['relation']}; {seen['images_seen'] or 0:,} images seen)"
    )

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        del folder
        values = d_values.of_samples(
            generator,
            params,
            discriminator,
            discriminator_params,
            labels.indices,
            seed=FLAGS.seed,
            batch_size=FLAGS.batch_size,
        )
        of_real = np.zeros(0, np.float32)
        if real is not None:
            take = real.images.take
            of_real = d_values.of_images(
                discriminator,
                discriminator_params,
                lambda numbers: to_float(take(numbers)),
                real.labels,
                batch_size=FLAGS.batch_size,
            )
        artifact = labels.artifact
        populations = {"normal": values[~artifact], "artifact": values[artifact], "real": of_real}
        classes = classes_of(generator, labels.indices)
        shown = d_values.spread(values, artifact, SHOWN)
        told = d_values.told(values, artifact, classes, of_real)
        area = told["artifact from normal"]["auc"]["d_value"]
        summary = {
            **seen,
            "real": real and real.name,
            "d_values": {name: described(x) for name, x in populations.items() if len(x)},
            "told": told,
        }
        arrays = {
            "indices": labels.indices,
            "artifact": artifact,
            "d_values": values,
            "real_d_values": of_real,
            "area": [area["value"], *area["interval95"]],
            "shown": shown,
            "shown_images": labelled.pictures(generator, params, labels.indices[shown]),
        }
        return summary, arrays

    entry.conclude(
        common.out_folder("d_values", identity["generator"], str(FLAGS.seed)),
        identity,
        who,
        compute,
        lambda folder, arrays: plots.d_values.draw(folder, arrays, who),
        describe,
    )


def describe(summary: entry.Summary) -> Iterator[str]:
    yield f"the discriminator is {summary['relation']}; {summary['images_seen'] or 0:,} images seen"
    for name, part in summary["d_values"].items():
        yield (
            f"  {name} ({part['n']:,}): mean D-value {part['mean']:.3f}, "
            f"standard deviation {part['standard_deviation']:.3f}"
        )
    yield "is the D-value of the first lower? Area under the ROC curve (0.5: no), 95 % interval:"
    for name, table in summary["told"].items():
        for part in ("auc", "auc_within_classes"):
            if part in table:
                where = "" if part == "auc" else ", within classes"
                yield f"  {name}{where}: {format_area(table[part]['d_value'])}"


if __name__ == "__main__":
    common.run(main)
