"""Two sets of images that a metric compares: where the real ones are from, and their features."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags
from jaxtyping import Float32

from ganfail_jax.data.image_folder import load_folder
from ganfail_jax.data.image_sets import Images, in_memory
from ganfail_jax.data.pipelines import load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import feature_cache
from ganfail_jax.metrics.features import Features, extract_features
from ganfail_jax.types import Generator

FLAGS = flags.FLAGS


class Compared(NamedTuple):
    """One of the two sets."""

    name: str
    images: Images
    key: str  # what determines the images, but for their number


def define_images() -> None:
    """Beside --dataset and --mnist_dir."""
    text = "Folder of real pictures (else: --dataset's training images)."
    flags.DEFINE_string("images", None, text)


def real_images(generator: Generator, most: int | None = None) -> Compared:
    """The pictures of --images or of the dataset.

    Args:
        most: so many of them, drawn at random by --seed; None or more than there are: all.

    Raises:
        InputError: they are missing, damaged or of another size than the generator's.
    """
    if FLAGS.images:
        name, images = Path(FLAGS.images).name, load_folder(FLAGS.images, generator.image_shape)
    else:
        dataset = load_dataset(FLAGS.dataset, "train", mnist_dir=FLAGS.mnist_dir)
        print(f"real images: {dataset.source}")
        if dataset.images.shape[1:] != generator.image_shape:
            raise InputError(
                f"images of {dataset.name} are {dataset.images.shape[1:]}, the generator makes "
                f"{generator.image_shape}; give --images"
            )
        name, images = dataset.name, dataset.images
    if most is not None and most < len(images):
        images = images[np.random.default_rng(FLAGS.seed).permutation(len(images))[:most]]
    found = in_memory(images)
    return Compared(name, found, feature_cache.images_hash(found))


def extract(features: Features, compared: Compared, progress: str) -> Float32[np.ndarray, "n d"]:
    """The features of one set, kept on disk."""
    return extract_features(
        features,
        compared.images,
        batch_size=FLAGS.batch_size,
        cache=feature_cache.open_cache(features.identity, compared.name, compared.key),
        progress=progress,
    )
