"""Flags that name a generator and classifiers, and the models that they name."""

from pathlib import Path
from typing import Any

from absl.flags import DEFINE_enum, DEFINE_float, DEFINE_list, DEFINE_string, FlagValues

from ganfail_jax import zoo
from ganfail_jax.data.pipelines import DATASETS
from ganfail_jax.errors import InputError
from ganfail_jax.studies import subject
from ganfail_jax.studies.subject import GeneratorSubject, Subject
from ganfail_jax.types import NOISES, Generator, Noise
from ganfail_jax.weights.store import Stored

POPULATION = "like real images, every sample has noise of its own"
ONE_IMAGE = "it is one image before and after"
CHOI = "as in the authors' code"
LABELLED = "that of the labelled images"


def define_generator(flags: FlagValues) -> None:
    text = "Bundled name, folder or published file (default of analyses: the dataset's)."
    DEFINE_string("generator", None, text, flag_values=flags)


def define_noise(flags: FlagValues, default: Noise, why: str) -> None:
    """For every command that makes images.

    Args:
        why: this default, such as one of the above.
    """
    text = "The generator's noise inputs: random, drawn for each sample; const, the same planes for"
    text += f" all, stored with the weights; none. Default {default}: {why}."
    DEFINE_enum("noise", default, NOISES, text, flag_values=flags)


def define_truncation(flags: FlagValues) -> None:
    text = "1: no truncation; 0: the mean latent."
    DEFINE_float("truncation_psi", 1.0, text, flag_values=flags)


def define_models(flags: FlagValues) -> None:
    """The generator and one classifier."""
    define_generator(flags)
    define_truncation(flags)
    text = "Bundled name or folder (default: the dataset's own)."
    DEFINE_string("classifier", None, text, flag_values=flags)


def define_several_models(flags: FlagValues) -> None:
    """The generator and classifiers to compare."""
    define_generator(flags)
    define_truncation(flags)
    text = "Bundled names or folders, by commas (default: all that the dataset has)."
    DEFINE_list("classifiers", None, text, flag_values=flags)


def defaults_from(flags: FlagValues) -> zoo.Defaults:
    """The models of --dataset.

    Raises:
        InputError: unknown dataset.
    """
    if flags.dataset not in DATASETS:
        names = ", ".join(DATASETS)
        raise InputError(f"no dataset is called {flags.dataset!r}; datasets are {names}")
    return zoo.defaults(flags.dataset)


def with_noise(generator: Generator, flags: FlagValues) -> Generator:
    """The generator with the noise of --noise.

    Raises:
        InputError: it has no noise inputs, but some noise is asked for.
    """
    if not generator.has_noise and flags["noise"].present and flags.noise != "none":
        raise InputError("this generator has no noise inputs: leave --noise out")
    return generator.with_noise(flags.noise)


def check_labelled_noise(generator: Generator) -> None:
    """
    Raises:
        InputError: labels are asked for, but the images are others than those labelled.
    """
    if generator.has_noise and generator.noise != "const":
        raise InputError(
            f"labels are of images with constant noise, not --noise={generator.noise}: leave it out"
        )


def read_generator(name: str) -> Stored:
    """A generator's weights; prints what its file left open, such as which network is meant."""
    stored = zoo.read_generator(name)
    if "remarks" in stored.about:
        print(f"{Path(name).name}: {stored.about['remarks']}", flush=True)
    return stored


def generator_from(flags: FlagValues) -> GeneratorSubject:
    """The generator that the flags name.

    Raises:
        InputError: unknown dataset, unreadable weights, or noise for a generator without inputs.
    """
    name = flags.generator or defaults_from(flags).generator
    generator, params = zoo.load_generator(name)
    generator = with_noise(generator, flags)
    stored = read_generator(name)
    identity: dict[str, Any] = {
        "generator": Path(name).name,
        "generator_sha256": stored.sha256,
        "noise": generator.noise,
    }
    if "remarks" in stored.about:
        identity["generator_remarks"] = stored.about["remarks"]
    return GeneratorSubject(generator, params, identity)


def subject_from(flags: FlagValues) -> Subject:
    """The generator and the classifier that the flags name.

    Raises:
        InputError: unknown dataset, unreadable weights, or models that do not fit each other.
    """
    name = flags.classifier or defaults_from(flags).classifiers[0]
    return with_classifiers(generator_from(flags), [name])


def several_from(flags: FlagValues) -> Subject:
    """The generator and all classifiers that the flags name.

    Raises:
        InputError: one is named twice, or as `subject_from`.
    """
    names = flags.classifiers or list(defaults_from(flags).classifiers)
    if len({*names}) < len(names):
        raise InputError(f"--classifiers names one twice: {', '.join(names)}")
    return with_classifiers(generator_from(flags), names)


def with_classifiers(generator: GeneratorSubject, names: list[str]) -> Subject:
    """The generator with stored classifiers.

    Raises:
        InputError: unreadable weights, or models that do not fit each other.
    """
    classifiers = {name: zoo.load_classifier(name) for name in names}
    hashes = {name: zoo.read_classifier(name).sha256 for name in names}
    return subject.with_classifiers(generator, classifiers, hashes)
