"""Which images is a classifier of artifacts trained on, and which held out? Flags, and choice."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from jaxtyping import Float32, Int

from analyze import image_choice
from analyze.image_choice import Compared
from analyze.labelled import define_labels
from ganfail_jax.data import image_sets
from ganfail_jax.data.labels import Labels, read_labels
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.features import Features
from ganfail_jax.training.artifact_classifier import ARTIFACT, CLASSES, NORMAL, REAL, Split, split
from ganfail_jax.types import Generator, Params

FLAGS = flags.FLAGS


class LabelledImages(NamedTuple):
    """n images: those with a person's label first, then the real ones."""

    generated: Compared
    real: Compared | None
    indices: Int[np.ndarray, " n"]  # of generated samples; places among the real images drawn
    class_names: tuple[str, ...]
    identity: Mapping[str, Any]  # of the images and their labels, beside the generator's
    labels: Int[np.ndarray, " n"]
    split: Split

    def seen(self, features: Features) -> Float32[np.ndarray, "n d"]:
        """Features of all images, kept on disk."""
        kinds = {"generated images": self.generated, "real images": self.real}
        found = [images.seen(features, text) for text, images in kinds.items() if images]
        return np.concatenate(found)

    def told(self) -> dict[str, dict[str, list[int]]]:
        """Part and class -> indices, ascending."""
        return {
            part: {
                name: sorted(self.indices[places[self.labels[places] == k]].tolist())
                for k, name in enumerate(self.class_names)
            }
            for part, places in self.split._asdict().items()
        }

    def sizes(self) -> dict[str, dict[str, int]]:
        """Part and class -> number of images."""
        return {
            part: {name: len(indices) for name, indices in classes.items()}
            for part, classes in self.told().items()
        }


def define() -> None:
    image_choice.define_real()
    define_labels()
    text = "Real images (default: as many as normal ones); 0: none."
    flags.DEFINE_integer("num_real", None, text, 0)
    text = "Share of every class that is not trained on."
    flags.DEFINE_float("held_out", 0.3, text, 0.01, 0.99)


def chosen(generator: Generator, params: Params, identity: Mapping[str, Any]) -> LabelledImages:
    """By the flags.

    Args:
        identity: of the generator's samples.

    Raises:
        InputError: labels or images are missing, damaged, misfitting or too few.
    """
    labelled = _read_labelled(identity["generator_sha256"])
    normal = int((~labelled.artifact).sum())
    most = normal if FLAGS.num_real is None else FLAGS.num_real
    real = _real_images(generator.image_shape, most)
    num_real = 0 if real is None else real.images.shape[0]
    labels = np.where(labelled.artifact, ARTIFACT, NORMAL)
    labels = np.concatenate([labels, np.full(num_real, REAL)])

    made = image_sets.generated(generator, params, 1, seed=FLAGS.seed)
    which = hashlib.sha256(labelled.indices.tobytes()).hexdigest()
    source = {**identity, "indices": which}
    whose = real and {"name": real.name, "images": real.key, "number": num_real}
    return LabelledImages(
        Compared(identity["generator"], made.select(labelled.indices), str(source)),
        real,
        np.concatenate([labelled.indices, np.arange(num_real)]),
        CLASSES[: 2 if real is None else 3],
        {"labels": labelled.sha256, "real": whose},
        labels,
        split(labels, FLAGS.held_out, np.random.default_rng(FLAGS.seed)),
    )


def _read_labelled(generator_sha256: str) -> Labels:
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


def _real_images(shape: tuple[int, int, int], most: int) -> Compared | None:
    """As many of the real images that the flags name; None: there are none.

    Raises:
        InputError: those asked for are missing, damaged or of another shape.
    """
    if most == 0:
        return None
    try:
        return image_choice.real_images(shape, "the generator's images", most)
    except InputError as error:
        if any(FLAGS[name].present for name in ("images", "dataset", "mnist_dir", "num_real")):
            raise
        print(f"no real images, so the classes are artifact and normal ({error})", flush=True)
        return None
