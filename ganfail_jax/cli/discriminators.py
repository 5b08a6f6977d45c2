"""Flags that name a discriminator and the real images that it judges, and what they name."""

from pathlib import Path

import numpy as np
from absl.flags import FlagValues

from ganfail_jax import zoo
from ganfail_jax.cli.datasets import dataset_from
from ganfail_jax.cli.models import defaults_from
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.errors import InputError
from ganfail_jax.names import last_part
from ganfail_jax.studies.d_values import Judge, Real
from ganfail_jax.studies.subject import GeneratorSubject
from ganfail_jax.types import Discriminator
from ganfail_jax.weights.store import Stored


def define_discriminator(flags: FlagValues) -> None:
    """Beside --generator and --dataset."""
    text = "Folder of a training run or of its discriminator (default: that of --generator)."
    DEFINE_path("discriminator", None, text, flag_values=flags)


def judge_from(flags: FlagValues, subject: GeneratorSubject) -> Judge:
    """The discriminator that the flags name.

    Raises:
        InputError: there is none, or its weights are unreadable.
    """
    own = flags.generator or defaults_from(flags).generator
    name = flags.discriminator or own
    if flags.discriminator is None and not (Path(own) / zoo.DISCRIMINATOR).is_dir():
        raise InputError(
            f"{own} has no discriminator at hand; give --discriminator=RUN of train.stylegan2 or "
            f"train.pggan, which with --start_from={own} trains one against a continuation of it"
        )
    stored, folder = zoo.read_discriminator(name), Path(name).resolve()
    identity = {
        "discriminator": last_part(folder.parent if folder.name == zoo.DISCRIMINATOR else folder),
        "discriminator_sha256": stored.sha256,
        "images_seen": stored.about.get("images_seen"),
        "relation": _relation(stored, subject),
    }
    return Judge(*zoo.load_discriminator(name), identity)


def _relation(stored: Stored, subject: GeneratorSubject) -> str:
    generator = subject.identity["generator_sha256"]
    if stored.about.get("generator_sha256") == generator:
        return "its own"
    match stored.about:
        case {"start_from": {"sha256": sha256}} if sha256 == generator:
            return "trained against a continuation of it"
    return "of another generator, or of another step of its run"


def real_from(flags: FlagValues, discriminator: Discriminator, most: int) -> Real | None:
    """Images of --images or --dataset with their classes, drawn at random with --seed.

    Args:
        most: no more than so many; 0: None.

    Raises:
        InputError: they are missing, damaged, or do not fit the discriminator.
    """
    if not most:
        return None
    shape, classes = discriminator.image_shape, discriminator.num_classes
    if flags.images is not None:
        if classes:
            raise InputError(
                f"the discriminator judges images of {classes} classes, which --images does not "
                "say; leave it out"
            )
        name = last_part(Path(flags.images).resolve())
        images, labels = read_folder(flags.images, shape, like="the discriminator's images"), None
    else:
        dataset = dataset_from(flags, channels=shape[2])
        if dataset.images.shape[1:] != shape or classes not in (0, len(dataset.class_names)):
            own, judged = ("x".join(map(str, s)) for s in (dataset.images.shape[1:], shape))
            raise InputError(
                f"{dataset.name} has images of {own} in "
                f"{len(dataset.class_names)} classes, the discriminator judges {judged} in "
                f"{classes}; give --images=FOLDER, or --num_real=0 for none"
            )
        print(f"real images: {dataset.source}")
        name, images, labels = dataset.name, dataset.images, dataset.labels
    drawn = np.random.default_rng(flags.seed).permutation(images.shape[0])[:most]
    labels = np.zeros(len(drawn), np.int32) if labels is None else labels[drawn]
    return Real(name, images.select(drawn), labels)
