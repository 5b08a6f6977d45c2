"""Flags that say how the pictures of a dataset become images, and the dataset that they name."""

import numpy as np
from absl.flags import DEFINE_bool, DEFINE_enum, DEFINE_integer, FlagValues

from ganfail_jax.cli.flags import define_dataset, define_mnist_dir
from ganfail_jax.data import stored
from ganfail_jax.data.pictures import RESIZES
from ganfail_jax.data.pipelines import DATASETS, Dataset, load_dataset, mirrored, unknown
from ganfail_jax.data.stored import Options
from ganfail_jax.errors import InputError
from ganfail_jax.studies.subject import GeneratorSubject

OF_PICTURES = ("resolution", "resize", "skip_bad")


def define_pictures(flags: FlagValues) -> None:
    """Beside --dataset and --mnist_dir."""
    text = "Pixels of a side that --dataset's pictures get (default: their own, if all have one)."
    DEFINE_integer("resolution", None, text, 1, 2**14, flag_values=flags)
    text = "How: crop, the central square; pad, the whole on black; squash, the whole distorted."
    DEFINE_enum("resize", "crop", RESIZES, text, flag_values=flags)
    text = "Leave out pictures of --dataset that are damaged, transparent, deep or animated."
    DEFINE_bool("skip_bad", False, text, flag_values=flags)


def define_training_set(flags: FlagValues) -> None:
    """Dataset and pictures, for training."""
    define_dataset(flags)
    define_mnist_dir(flags)
    define_pictures(flags)
    text = "Train on mirrored images too."
    DEFINE_bool("mirror", False, text, flag_values=flags)


def dataset_from(flags: FlagValues, split: str = "train", channels: int | None = None) -> Dataset:
    """A split of --dataset.

    Args:
        channels: that the user's own pictures get; None: as they have.

    Raises:
        InputError: there is no such dataset, or it is damaged.
    """
    if flags.dataset in DATASETS:
        check_no_picture_flags(flags)
        return load_dataset(flags.dataset, split, mnist_dir=flags.mnist_dir)
    if not stored.is_stored(flags.dataset):
        raise unknown(flags.dataset)
    if flags["mnist_dir"].present:
        raise InputError(f"--mnist_dir does not go with --dataset={flags.dataset}: leave it out")
    options = Options(flags.resolution, flags.resize, flags.skip_bad, channels)
    return stored.open_dataset(flags.dataset, split, options)


def training_set_from(flags: FlagValues) -> Dataset:
    """The training set by the flags of `define_training_set`; raises as `dataset_from`."""
    dataset = dataset_from(flags)
    return mirrored(dataset) if flags.mirror else dataset


def define_label_distribution(flags: FlagValues) -> None:
    text = "Classes of generated images: uniform, as many of each; data, as --dataset has them."
    DEFINE_enum("label_distribution", "uniform", ["uniform", "data"], text, flag_values=flags)


def with_label_distribution(flags: FlagValues, subject: GeneratorSubject) -> GeneratorSubject:
    """The generator whose samples have the classes of --label_distribution.

    Raises:
        InputError: those of the data, but the generator or --images has none, or as `dataset_from`.
    """
    if flags.label_distribution == "uniform":
        return subject
    if flags.images:
        raise InputError("--label_distribution=data takes the classes of --dataset, not --images")
    dataset, k = dataset_from(flags), subject.generator.num_classes
    if k != len(dataset.class_names) or not k:
        raise InputError(
            f"--label_distribution=data: {dataset.name} has {len(dataset.class_names)} classes, "
            f"the generator {k}"
        )
    shares = tuple((np.bincount(dataset.labels, minlength=k) / len(dataset.labels)).tolist())
    return subject._replace(
        generator=subject.generator._replace(label_shares=shares),
        identity={**subject.identity, "label_shares": list(shares)},
    )


def check_no_picture_flags(flags: FlagValues) -> None:
    """
    Raises:
        InputError: a flag about the user's own pictures is given, but the images are others.
    """
    for name in OF_PICTURES:
        if flags[name].present:
            raise InputError(
                f"--{name} is about the pictures of --dataset=FOLDER, .zip, .npz or tfds:NAME: "
                "leave it out"
            )
