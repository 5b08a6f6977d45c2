"""Flags about activation rates, layers and rarely activated neurons, and what they name."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from absl.flags import (
    DEFINE_bool,
    DEFINE_float,
    DEFINE_integer,
    FlagValues,
)

from ganfail_jax.analysis import rates
from ganfail_jax.analysis.rates import Rates
from ganfail_jax.cli import models
from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.flags import define_dataset, define_num_samples, define_run
from ganfail_jax.cli.layers import define_layers
from ganfail_jax.cli.paths import DEFINE_path, DEFINE_paths
from ganfail_jax.errors import InputError
from ganfail_jax.studies import activation_rates
from ganfail_jax.studies.activation_rates import ActivationRates
from ganfail_jax.studies.subject import GeneratorSubject
from ganfail_jax.types import Generator, find_layer


def define_study(flags: FlagValues, num_samples: int, least: int = 1) -> None:
    """What every study of activation rates has, beside flags of its own.

    Args:
        least: samples are needed.
    """
    define_dataset(flags)
    define_run(flags, batch_size=480)
    define_num_samples(flags, num_samples, least)
    models.define_generator(flags)
    models.define_noise(flags, "const", models.CHOI)
    define_layers(flags)
    define_threshold(flags)


def define_threshold(flags: FlagValues) -> None:
    text = "R: neurons that at most this share of the samples activate are LR (low rate), the "
    text += "others HR (high rate)."
    DEFINE_float("threshold", 0.3, text, 0.0, 1.0, flag_values=flags)


def define_exclude_dead(flags: FlagValues) -> None:
    text = "Neurons that are never activated are not LR (the authors' code; in the paper they are)."
    DEFINE_bool("exclude_dead", False, text, flag_values=flags)


def define_rates(flags: FlagValues) -> None:
    """Beside --seed and --batch_size, which the count uses."""
    text = "Samples that make the activation rates."
    DEFINE_integer("rates_samples", 30_000, text, 1, MOST_SAMPLES, flag_values=flags)
    text = "Folder of analyze.rates to use instead."
    DEFINE_path("rates", None, text, flag_values=flags)


def rates_from(
    flags: FlagValues, subject: GeneratorSubject, layers: Sequence[str]
) -> ActivationRates:
    """The rates of these layers, by the flags of `define_rates`.

    Raises:
        InputError: --rates does not fit, or is given with what would count others.
    """
    if flags.rates is None:
        settings = activation_rates.Settings(flags.rates_samples, flags.seed)
        return activation_rates.make(subject, layers, settings)
    if flags["rates_samples"].present:
        raise InputError("--rates has its own number of samples: leave --rates_samples out")
    return activation_rates.read(flags.rates, subject, layers)


def define_published(flags: FlagValues) -> None:
    """Beside --layers and --num_samples."""
    text = "The authors' .npy files instead, one for each of --layers."
    DEFINE_paths("published", [], text, flag_values=flags)


def published_from(flags: FlagValues, generator: Generator, layers: Sequence[str]) -> Rates | None:
    """The rates in --published, whose files are in the order of --layers.

    Args:
        layers: from `layers_from`.

    Raises:
        InputError: a file is unreadable or misfitting, or there is not one for each layer.
    """
    if not flags.published:
        return None
    names = layers if flags.layers in (None, ["all"]) else flags.layers
    if len(flags.published) != len(names):
        raise InputError(
            f"--published has {len(flags.published)} files for the layers {', '.join(names)}"
        )
    known = generator.layers
    files = {find_layer(known, n): Path(f) for n, f in zip(names, flags.published, strict=True)}
    read = partial(rates.read_published, num_samples=flags.num_samples)
    return Rates({name: read(files[name], known[name]) for name in layers}, flags.num_samples)
