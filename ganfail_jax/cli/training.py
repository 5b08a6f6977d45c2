"""Flags that say how a GAN is trained, and the training that they describe."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import jax
from absl.flags import DEFINE_float, DEFINE_integer, DEFINE_string, FlagValues

from ganfail_jax import zoo
from ganfail_jax.cli.bounds import MOST, MOST_KIMG
from ganfail_jax.cli.datasets import define_training_set, training_set_from
from ganfail_jax.cli.flags import (
    ELSEWHERE,
    define_out,
    define_resume,
    define_seed,
    given_from,
)
from ganfail_jax.cli.main import Task
from ganfail_jax.cli.models import read_generator
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.data.pipelines import Dataset
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run
from ganfail_jax.metrics import networks
from ganfail_jax.studies import train_gan
from ganfail_jax.training.loop import MAY_CHANGE, Judge, Schedule, Start
from ganfail_jax.training.recipe import RunConfig
from ganfail_jax.weights.store import Stored

Config = TypeVar("Config", bound=RunConfig)
EVERY = {  # field of `Schedule` -> what is done
    "log": "Write metrics",
    "checkpoint": "Keep the state of the run",
    "evaluate": "Measure the averaged generator",
    "sheet": "Draw a sheet of samples",
}
MAY_DIFFER = {  # flags with which the same run is resumed
    *(ELSEWHERE - {"batch_size"}),
    *MAY_CHANGE,
    *(f"{name}_kimg" for name in EVERY),
    "inception_weights",
}


def define_training(flags: FlagValues, presets: str) -> None:
    """What every GAN has: settings, and where the run's data, start and results are."""
    define_training_set(flags)
    define_seed(flags)
    define_out(flags)
    define_resume(flags)
    DEFINE_string("preset", "mnist_c", presets, flag_values=flags)
    for name, text in {
        "total_kimg": "Length in thousands of images (default: the preset's).",
        "learning_rate": "Learning rate of both networks; may change when a run is resumed.",
        "ema_kimg": "Half-life of the averaged weights, in thousands of images; may change too.",
    }.items():
        DEFINE_float(name, None, text, 0.0, MOST_KIMG, flag_values=flags)
    text = "Images per step (default: the preset's); other settings follow it."
    DEFINE_integer("batch_size", None, text, 1, MOST, flag_values=flags)
    for name, text in {
        "start_from": "Generator whose weights to start from.",
        "start_discriminator": "Folder of a training run, or weights, whose discriminator to start "
        "from.",
        "inception_weights": "File of Inception's weights, for the score (default: of an installed "
        "package, if any).",
    }.items():
        DEFINE_path(name, None, text, flag_values=flags)
    for name, kimg in Schedule()._asdict().items():
        text = f"{EVERY[name]} every so many thousands of images; 0: only at the end."
        DEFINE_float(f"{name}_kimg", kimg, text, 0.0, MOST_KIMG, flag_values=flags)


def config_from(flags: FlagValues, presets: Mapping[str, Config]) -> Config:
    """The preset with what the flags of its fields' names change.

    Raises:
        InputError: there is no such preset, or a number makes no sense.
    """
    if flags.preset not in presets:
        raise InputError(f"no preset is called {flags.preset!r}; presets are {', '.join(presets)}")
    config: Any = presets[flags.preset]
    if flags.batch_size is not None:
        config = config.with_batch_size(flags.batch_size)
    names = {field.name for field in fields(config)} & {*flags}
    values: dict[str, Any] = {name: flags[name].value for name in names}
    return replace(config, **{name: v for name, v in values.items() if v is not None})


def training_from(flags: FlagValues, method: str, config: RunConfig) -> Task:
    """The training that the flags describe.

    Args:
        method: its name for a person, and in lower case for the default folder.

    Raises:
        InputError: data or weights are missing, damaged or do not fit, or as `train_gan.plan`.
    """
    dataset = training_set_from(flags)
    names = (method.lower(), dataset.name, flags.preset, flags.seed)
    given = given_from(flags, MAY_DIFFER)
    folder = Run(out=flags.out, given=given).folder("train", *names)
    devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    print(f"training {method} (preset {flags.preset}) on {dataset.source}")
    print(f"{config.total_kimg:g} kimg in batches of {config.batch_size} on {devices} -> {folder}")
    kimg: dict[str, Any] = {name: flags[f"{name}_kimg"].value for name in Schedule._fields}
    return train_gan.plan(
        config,
        dataset,
        folder,
        schedule=Schedule(**kimg),
        judge=judge_from(flags, config, dataset),
        start=Start(
            _read(read_generator, flags.start_from),
            _read(zoo.read_discriminator, flags.start_discriminator),
        ),
        resume=flags.resume,
    )


def judge_from(flags: FlagValues, config: RunConfig, dataset: Dataset) -> Judge | None:
    """By the dataset's bundled classifier, and by Inception where its weights are at hand.

    None without such a classifier.
    """
    defaults = zoo.DEFAULTS.get(dataset.name) if dataset.key is None else None
    if defaults is None or defaults.classifiers[0] not in zoo.bundled_names(zoo.CLASSIFIERS):
        print(f"no bundled classifier for {dataset.name}: no best snapshot is kept")
        return None
    classifier, params = zoo.load_classifier(defaults.classifiers[0])
    features = networks.load_if_any("inception", flags.inception_weights)
    judge = train_gan.judge(config, dataset, classifier, params, features)
    print(f"snapshots are scored on {judge.scored_on}")
    return judge


def _read(read: Callable[[str], Stored], name: str | None) -> Stored | None:
    return None if name is None else read(name)
