"""Which two sets of images are compared? Flags, and what they choose."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from jaxtyping import Float32

from analyze import flags as common
from analyze.feature_choice import Shape, of_classifier
from ganfail_jax.data import image_sets
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.data.image_sets import Images, in_memory
from ganfail_jax.data.pipelines import load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.evaluation import requests
from ganfail_jax.metrics.feature_cache import images_hash, open_cache
from ganfail_jax.metrics.features import Features, classifier_features, extract_features
from ganfail_jax.types import Generator, Params

FLAGS = flags.FLAGS


class Compared(NamedTuple):
    """One of the two sets."""

    name: str
    images: Images
    key: str  # what determines the images, but for their number

    def seen(self, features: Features, progress: str) -> Float32[np.ndarray, "n d"]:
        """Features of all images, kept on disk."""
        return extract_features(
            features,
            self.images,
            batch_size=FLAGS.batch_size,
            cache=open_cache(features.identity, self.name, self.key),
            progress=progress,
        )


class Choice(NamedTuple):
    """What is asked for."""

    who: str  # the generated images, for a person
    generated: Compared
    real: Compared
    metrics: Mapping[str, int]  # each with its number of generated images
    identity: dict[str, Any]  # of the result
    classifier: Features | None  # its features, where there is one
    parts: tuple[str, ...]  # of the folder of the result


def define_real() -> None:
    flags.DEFINE_string("images", None, "Folder of real pictures (else: --dataset's training set).")
    empty = "--images is empty; give a folder, or leave it out"
    flags.register_validator("images", lambda folder: folder != "", empty)


def define_generated() -> None:
    text = "Folder of pictures in place of a generator's images; fewer than all are drawn at random"
    flags.DEFINE_string("generated", None, f"{text}, always the same ones.")


def chosen() -> Choice:
    """By the flags.

    Raises:
        InputError: flags that contradict each other; images that are missing, damaged, too few or
            of a size that does not fit.
    """
    return _of_pictures() if FLAGS.generated is not None else _of_generator()


def _of_generator() -> Choice:
    asked = requests(FLAGS.metrics, FLAGS.num_samples)
    (models,), identity = common.load_models()
    generated = own_samples(
        models.generator,
        models.generator_params,
        max(asked.values()),
        identity,
        truncation_psi=FLAGS.truncation_psi,
    )
    name, sha256 = identity["classifiers"][0], identity["classifier_sha256"][0]
    own = classifier_features(name, models.classifier, models.classifier_params, sha256)
    real = real_images(models.generator.image_shape, "the generator's images")
    who, parts = f"generator {generated.name}", (generated.name, real.name, str(FLAGS.seed))
    return Choice(who, generated, real, asked, identity, own, parts)


def own_samples(
    generator: Generator,
    params: Params,
    n: int,
    identity: Mapping[str, Any],
    truncation_psi: float = 1.0,
) -> Compared:
    """Samples 0 .. n - 1 of a generator; `identity` is that of `flags.load_generator`."""
    seed = identity["seed"]
    made = image_sets.generated(generator, params, n, seed=seed, truncation_psi=truncation_psi)
    source = {k: identity[k] for k in ("generator_sha256", "seed", "noise")}
    return Compared(identity["generator"], made, str(source | {"truncation_psi": truncation_psi}))


def _of_pictures() -> Choice:
    for name in ("generator", "truncation_psi", "noise", "seed"):
        if FLAGS[name].present:
            raise InputError(f"--generated takes pictures, no generator: leave --{name} out")
    for name in ("dataset", "mnist_dir"):
        if FLAGS.images and FLAGS[name].present:
            raise InputError(f"--generated is compared with --images: leave --{name} out")
    if not (FLAGS.images or FLAGS["dataset"].present):
        raise InputError("give what to compare with: --images=FOLDER or --dataset=NAME")
    own, shape = _classifier()
    pictures = _pictures(FLAGS.generated, shape, "the classifier's images")
    n = pictures.shape[0]
    asked = requests(FLAGS.metrics, FLAGS.num_samples if FLAGS["num_samples"].present else n)
    for name, size in asked.items():
        if size > n:
            raise InputError(
                f"{name} of {size:,} pictures is asked for, but {FLAGS.generated} has {n:,}; "
                f"--metrics={name} without --num_samples takes all"
            )
    if min(asked.values()) < n:
        pictures = _shuffled(pictures)
    some = pictures.first(max(asked.values()))
    generated = Compared(_name(FLAGS.generated), some, images_hash(pictures))
    real = real_images(shape, "the classifier's images")
    (height, width), (h, w) = pictures.shape[1:3], real.images.shape[1:3]
    if (height, width) != (h, w):
        print(
            f"warning: pictures of {generated.name} are {width}x{height}, of {real.name} {w}x{h}: "
            "features tell sizes apart; resize one set"
        )
    identity = {"generated": generated.name, "generated_images": generated.key}
    parts = (generated.name, real.name)
    return Choice(f"pictures {generated.name}", generated, real, asked, identity, own, parts)


def _shuffled(images: Images) -> Images:
    """In an order that is always the same: the first by name would be those of one subfolder.

    It is the same for all numbers asked for, so that more of them go on where fewer ended.
    """
    return images.select(np.random.default_rng(0).permutation(images.shape[0]))


def _classifier() -> tuple[Features | None, Shape | None]:
    """Of --classifier, where its features are asked for: they and its images' shape."""
    name = FLAGS.classifier
    if (name is not None) != (FLAGS.features == "classifier"):
        raise InputError("with --generated, --classifier and --features=classifier go together")
    if name is None:
        return None, None
    return of_classifier(name)


def real_images(shape: Shape | None, like: str, most: int | None = None) -> Compared:
    """The pictures of --images, or the training images of --dataset.

    Args:
        shape: that of what they are compared with; None: any.
        like: what that is, for a person.
        most: no more than so many of them, drawn at random with --seed; None: all.

    Raises:
        InputError: they are missing, damaged or of another shape.
    """
    if FLAGS.images:
        name, images = _name(FLAGS.images), _pictures(FLAGS.images, shape, like)
    else:
        dataset = load_dataset(FLAGS.dataset, "train", mnist_dir=FLAGS.mnist_dir)
        name, images = dataset.name, in_memory(dataset.images)
        if shape not in (None, images.shape[1:]):
            raise InputError(
                f"images of {name} are {images.shape[1:]}, but {shape} is wanted, like {like}; "
                "give --images"
            )
        print(f"real images: {dataset.source}")
    if most is not None and most < images.shape[0]:
        drawn = np.random.default_rng(FLAGS.seed).permutation(images.shape[0])[:most]
        images = in_memory(images.take(drawn))
    return Compared(name, images, images_hash(images))


def _name(folder: str) -> str:
    return Path(os.path.abspath(folder)).name


def _pictures(folder: str, shape: Shape | None, like: str) -> Images:
    images = read_folder(folder, shape, like=like)
    print(f"{images.shape[0]:,} pictures in {folder}", flush=True)
    return images
