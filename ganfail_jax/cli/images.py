"""Flags that name sets of real and of generated images, and the sets that they name."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from absl.flags import DEFINE_list, FlagValues, register_validator
from jaxtyping import Int64

from ganfail_jax.cli import features
from ganfail_jax.cli.datasets import (
    OF_PICTURES,
    check_no_picture_flags,
    dataset_from,
    define_label_distribution,
    define_pictures,
    with_label_distribution,
)
from ganfail_jax.cli.features import Shape
from ganfail_jax.cli.models import generator_from
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.evaluation import requests
from ganfail_jax.metrics.features import Features
from ganfail_jax.names import last_part
from ganfail_jax.studies.images import ImageSet, of_images, of_samples, shuffled
from ganfail_jax.studies.subject import check_truncation

GENERATED = "the generator's images"


class Comparison(NamedTuple):
    """A generated and a real set, and what is asked about them."""

    subject: str  # the generated images, for a person
    generated: ImageSet
    real: ImageSet
    metrics: Mapping[str, int]  # each with its number of generated images
    identity: Mapping[str, Any]  # of the generated images
    features: Features
    names: tuple[str, ...]  # for the folder of the result


def define_real(flags: FlagValues) -> None:
    """Beside --dataset and --mnist_dir."""
    define_pictures(flags)
    text = "Folder of real pictures (else: --dataset's training set)."
    DEFINE_path("images", None, text, flag_values=flags)
    empty = "--images is empty; give a folder, or leave it out"
    register_validator("images", lambda folder: folder != "", empty, flag_values=flags)


def define_comparison(flags: FlagValues) -> None:
    """Beside the flags of models, features and --num_samples."""
    define_real(flags)
    text = "Folder of pictures in place of a generator's images; fewer than all are drawn at random"
    DEFINE_path("generated", None, f"{text}, always the same ones.", flag_values=flags)
    define_label_distribution(flags)
    text = "Metrics, by commas: fid, kid, pr, realism; fid50k: of 50,000 images."
    DEFINE_list("metrics", ["fid", "kid", "pr", "realism"], text, flag_values=flags)


def real_images_from(
    flags: FlagValues, shape: Shape | None, like: str = GENERATED, most: int | None = None
) -> ImageSet:
    """The pictures of --images, or the training images of --dataset.

    Args:
        shape: that of what they are compared with; None: any.
        like: what that is, for a person.
        most: no more than so many of them, drawn at random with --seed; None: all.

    Raises:
        InputError: they are missing, damaged or of another shape.
    """
    if flags.images:
        check_no_picture_flags(flags)
        images = _pictures(flags.images, shape, like)
        n, name = images.shape[0], _name(flags.images)
        drawn = _drawn(flags, n, most)
        return of_images(name, images if drawn is None else images.select(drawn))
    # what --images does: colours become grey where one channel is wanted
    dataset = dataset_from(flags, channels=3 if shape is None else shape[2])
    own = dataset.images.shape[1:]
    if shape not in (None, own):
        theirs, wanted = ("x".join(map(str, each)) for each in (own, shape or ()))
        raise InputError(
            f"images of {dataset.name} are {theirs}, but {wanted} is wanted, like {like}; give "
            + ("--images=FOLDER" if dataset.key is None else f"--resolution={(shape or own)[0]}")
        )
    print(f"real images: {dataset.source}", flush=True)
    if (drawn := _drawn(flags, len(dataset.labels), most)) is not None:
        dataset = dataset.select(drawn)
    if dataset.key is None:
        return of_images(dataset.name, dataset.images)
    return ImageSet(dataset.name, dataset.images, dataset.key)


def _drawn(flags: FlagValues, n: int, most: int | None) -> Int64[np.ndarray, " m"] | None:
    """So many of n at random; None: all."""
    if most is None or most >= n:
        return None
    return np.random.default_rng(flags.seed).permutation(n)[:most]


def real_images_if_any(flags: FlagValues, shape: Shape, default: int) -> ImageSet | None:
    """--num_real of the real images; None: none are wanted, or the default dataset's do not fit.

    Args:
        shape: that of the generator's images.
        default: how many where --num_real does not say.

    Raises:
        InputError: those that flags name are missing, damaged or of another shape.
    """
    most = default if flags.num_real is None else flags.num_real
    if most == 0:
        return None
    try:
        return real_images_from(flags, shape, most=most)
    except InputError as error:
        named = ("images", "dataset", "mnist_dir", "num_real", *OF_PICTURES)
        if any(flags[name].present for name in named):
            raise
        print(f"no real images, so the classes are artifact and normal ({error})", flush=True)
        return None


def comparison_from(flags: FlagValues) -> Comparison:
    """By the flags of `define_comparison`.

    Raises:
        InputError: flags that contradict each other; images that are missing, damaged, too few or
            of a size that does not fit.
    """
    of_folder = flags.generated is not None
    return _comparison_of_pictures(flags) if of_folder else _comparison_of_samples(flags)


def _comparison_of_samples(flags: FlagValues) -> Comparison:
    metrics = requests(flags.metrics, flags.num_samples)
    source, psi = with_label_distribution(flags, generator_from(flags)), flags.truncation_psi
    shape = source.generator.image_shape
    check_truncation(source, psi)
    n = max(metrics.values())
    generated = of_samples(source, n, seed=flags.seed, truncation_psi=psi)
    compared_by = features.features_for(flags, shape)
    real = real_images_from(flags, shape)
    return Comparison(
        subject=f"generator {generated.name}",
        generated=generated,
        real=real,
        metrics=metrics,
        identity={**source.identity, "seed": flags.seed, "truncation_psi": psi},
        features=compared_by,
        names=(generated.name, real.name, str(flags.seed)),
    )


def _comparison_of_pictures(flags: FlagValues) -> Comparison:
    _check_flags_of_pictures(flags)
    own, shape = _classifier_of_pictures(flags)
    pictures = _pictures(flags.generated, shape, "the classifier's images")
    n = pictures.shape[0]
    metrics = requests(flags.metrics, flags.num_samples if flags["num_samples"].present else n)
    for name, size in metrics.items():
        if size > n:
            raise InputError(
                f"{name} of {size:,} pictures is asked for, but {flags.generated} has {n:,}; "
                f"--metrics={name} without --num_samples takes all"
            )
    if min(metrics.values()) < n:
        pictures = shuffled(pictures)
    every = of_images(_name(flags.generated), pictures)
    generated = every._replace(images=pictures.first(max(metrics.values())))
    real = real_images_from(flags, shape, "the classifier's images")
    (height, width), (h, w) = pictures.shape[1:3], real.images.shape[1:3]
    if (height, width) != (h, w):
        print(
            f"warning: pictures of {generated.name} are {width}x{height}, of {real.name} {w}x{h}: "
            "features depend on the size; resize one set"
        )
    return Comparison(
        subject=f"pictures {generated.name}",
        generated=generated,
        real=real,
        metrics=metrics,
        identity={"generated": generated.name, "generated_images": generated.key},
        features=features.features_from(flags, own),
        names=(generated.name, real.name),
    )


def _check_flags_of_pictures(flags: FlagValues) -> None:
    for name in ("generator", "truncation_psi", "noise", "seed", "label_distribution"):
        if flags[name].present:
            raise InputError(f"--generated takes pictures, no generator: leave --{name} out")
    for name in ("dataset", "mnist_dir"):
        if flags.images and flags[name].present:
            raise InputError(f"--generated is compared with --images: leave --{name} out")
    if not (flags.images or flags["dataset"].present):
        raise InputError("give what to compare with: --images=FOLDER or --dataset=NAME")


def _classifier_of_pictures(flags: FlagValues) -> tuple[Features | None, Shape | None]:
    """Of --classifier, where its features are asked for: they and its images' shape."""
    name = flags.classifier
    if (name is not None) != (flags.features == "classifier"):
        raise InputError("with --generated, --classifier and --features=classifier go together")
    return (None, None) if name is None else features.of_classifier(flags, name)


def _name(folder: str) -> str:
    return last_part(os.path.abspath(folder))


def _pictures(folder: str, shape: Shape | None, like: str) -> Images:
    images = read_folder(folder, shape, like=like)
    print(f"{images.shape[0]:,} pictures in {folder}", flush=True)
    return images
