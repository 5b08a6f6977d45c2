"""Flags that say how a GAN is trained, and the training that they describe."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import jax
from absl.flags import DEFINE_float, DEFINE_integer, DEFINE_string, FlagValues

from ganfail_jax import runtime, zoo
from ganfail_jax.cli.bounds import MOST, MOST_KIMG
from ganfail_jax.cli.classifiers import ENTRY, define_classifier
from ganfail_jax.cli.datasets import define_training_set, training_set_from
from ganfail_jax.cli.features import named_classifier
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
from ganfail_jax.data.pipelines import DATASETS, Dataset
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run
from ganfail_jax.metrics import networks
from ganfail_jax.names import last_part
from ganfail_jax.studies import train_gan
from ganfail_jax.training.auto import Situation
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
    "classifier",
    *ENTRY,
}
AUTO, DIGITS = "auto", "mnist_c"  # presets: by images and machine; of the bundled datasets


def define_training(flags: FlagValues, presets: str) -> None:
    """What every GAN has: settings, and where the run's data, start and results are."""
    define_training_set(flags)
    define_seed(flags)
    define_out(flags)
    define_resume(flags)
    text = f"{presets} auto: by images and machine (default: {DIGITS} for digits, else {AUTO})."
    DEFINE_string("preset", None, text, flag_values=flags)
    define_classifier(flags, "whose score keeps the best snapshot; default: the dataset's, if any")
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


def preset_from(flags: FlagValues, presets: Collection[str]) -> str:
    """The name of --preset; without the flag that of the digits, or `auto` for other pictures.

    Raises:
        InputError: there is no such preset.
    """
    name = flags.preset or (DIGITS if flags.dataset in DATASETS else AUTO)
    if name not in presets and name != AUTO:
        listed = ", ".join([AUTO, *presets])
        raise InputError(f"no preset is called {name!r}; presets are {listed}")
    return name


def situation_of(dataset: Dataset) -> Situation:
    """The images and the devices that a training will have."""
    devices = jax.devices()
    return Situation(
        dataset.images.shape[1:],
        len(dataset.class_names),
        len(devices),
        devices[0].platform == "cpu",
        runtime.memory_of_device(),
    )


def config_from(flags: FlagValues, preset: Config) -> Config:
    """The preset with what the flags of its fields' names change.

    Raises:
        InputError: a number makes no sense.
    """
    config: Any = preset
    if flags.batch_size is not None:
        config = config.with_batch_size(flags.batch_size)
    names = {field.name for field in fields(config)} & {*flags}
    values: dict[str, Any] = {name: flags[name].value for name in names}
    return replace(config, **{name: v for name, v in values.items() if v is not None})


def training_from(
    flags: FlagValues,
    method: str,
    presets: Mapping[str, Config],
    auto: Callable[[Situation], Config],
) -> Task:
    """The training that the flags describe.

    Args:
        method: its name for a person, and in lower case for the default folder.
        auto: makes the preset of this name.

    Raises:
        InputError: there is no such preset, data or weights are missing, damaged or do not fit, or
            as `train_gan.plan`.
    """
    preset = preset_from(flags, presets)
    dataset = training_set_from(flags)
    made = auto(situation_of(dataset)) if preset == AUTO else presets[preset]
    config = config_from(flags, made)
    names = (method.lower(), dataset.name, preset, flags.seed)
    given = given_from(flags, MAY_DIFFER)
    folder = Run(out=flags.out, given=given).folder("train", *names)
    devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    print(f"training {method} (preset {preset}) on {dataset.source}")
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
    """By --classifier or the dataset's bundled one, and by Inception where its weights are found.

    None without such a classifier.

    Raises:
        InputError: the classifier cannot be read, or does not fit images and classes.
    """
    defaults = zoo.DEFAULTS.get(dataset.name) if dataset.key is None else None
    bundled = defaults and defaults.classifiers[0]
    name = flags.classifier or bundled
    if name is None or (name == bundled and name not in zoo.bundled_names(zoo.CLASSIFIERS)):
        why = f"no bundled classifier for {dataset.name}"
        print(f"{why}: no best snapshot is kept; give a --classifier to keep one")
        return None
    named = named_classifier(flags, name, dataset.images.shape[1:])
    features = networks.load_if_any("inception", flags.inception_weights)
    origin = f"{last_part(name)} ({named.sha256[:12]})" if flags.classifier else ""
    judge = train_gan.judge(config, dataset, named.classifier, named.params, features, origin)
    print(f"snapshots are scored on {judge.scored_on}")
    return judge


def _read(read: Callable[[str], Stored], name: str | None) -> Stored | None:
    return None if name is None else read(name)
