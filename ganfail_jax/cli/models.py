"""Flags that name a generator and classifiers, and the models that they name."""

from pathlib import Path

from absl.flags import DEFINE_enum, DEFINE_float, FlagValues

from ganfail_jax import own_models, runtime, zoo
from ganfail_jax.cli import classifiers
from ganfail_jax.cli.bounds import MOST_PSI
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.studies import subject
from ganfail_jax.studies.inspect_generator import Inspected
from ganfail_jax.studies.subject import GeneratorSubject, Subject
from ganfail_jax.types import NOISES, Generator, Noise
from ganfail_jax.weights.store import Stored

POPULATION = "like real images, every sample has noise of its own"
ONE_IMAGE = "it is one image before and after"
CHOI = "as in the authors' code"
LABELLED = "that of the labelled images"


def define_generator(flags: FlagValues) -> None:
    text = f"Generator: bundled name, folder, published file, or {classifiers.OWN} "
    text += "(default: the dataset's)."
    DEFINE_path("generator", None, text, flag_values=flags)


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
    DEFINE_float("truncation_psi", 1.0, text, -MOST_PSI, MOST_PSI, flag_values=flags)


def define_models(flags: FlagValues) -> None:
    """The generator and one classifier."""
    define_generator(flags)
    define_truncation(flags)
    classifiers.define_classifier(flags, "default: the dataset's own")


def define_several_models(flags: FlagValues) -> None:
    """The generator and classifiers to compare."""
    define_generator(flags)
    define_truncation(flags)
    classifiers.define_classifiers(flags)


def defaults_from(flags: FlagValues) -> zoo.Defaults:
    """The models of --dataset.

    Raises:
        InputError: it has none.
    """
    return zoo.defaults(flags.dataset)


def with_noise(generator: Generator, flags: FlagValues) -> Generator:
    """The generator with the noise of --noise.

    Raises:
        InputError: it has no noise inputs, but some noise is asked for.
    """
    if not generator.has_noise and flags["noise"].present and flags.noise != "none":
        raise InputError("this generator has no noise inputs: leave --noise out")
    return generator.with_noise(flags.noise)


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
    loaded = subject.load(name, flags.noise)
    with_noise(loaded.generator, flags)
    _limit_batch_size(flags, loaded.generator)
    if "generator_remarks" in loaded.identity:
        print(f"{loaded.name}: {loaded.identity['generator_remarks']}", flush=True)
    return loaded


def _limit_batch_size(flags: FlagValues, generator: Generator) -> None:
    """Lower --batch_size, which changes no result, to what the memory holds."""
    most = runtime.most_at_once(generator) if "batch_size" in flags else None
    if most is not None and flags.batch_size > most:
        print(f"{most:,} samples at once instead of {flags.batch_size:,}, for want of memory")
        flags.batch_size = most


def inspected_from(flags: FlagValues) -> Inspected:
    """The generator that --generator names, and what is known of its weights.

    Raises:
        InputError: unreadable weights, or noise for a generator without inputs.
    """
    name = flags.generator
    if own_models.is_factory(name):
        made = subject.load(name)
        stored = Stored("generator", {"factory": name}, {}, {}, made.identity["generator_sha256"])
        return Inspected(stored, with_noise(made.generator, flags), made.params)
    generator, params = zoo.load_generator(name)
    return Inspected(zoo.read_generator(name), with_noise(generator, flags), params)


def subject_from(flags: FlagValues) -> Subject:
    """The generator and the classifier that the flags name.

    Raises:
        InputError: unknown dataset, unreadable weights, or models that do not fit each other.
    """
    names = [flags.classifier or defaults_from(flags).classifiers[0]]
    return _classified(flags, "classifier", names)


def several_from(flags: FlagValues) -> Subject:
    """The generator and all classifiers that the flags name.

    Raises:
        InputError: one is named twice, or as `subject_from`.
    """
    names = flags.classifiers or list(defaults_from(flags).classifiers)
    if len({*names}) < len(names):
        raise InputError(f"--classifiers names one twice: {', '.join(names)}")
    return _classified(flags, "classifiers", names)


def _classified(flags: FlagValues, flag: str, names: list[str]) -> Subject:
    """The generator with these classifiers; a misfit that the flag did not name is explained."""
    generator, entry = generator_from(flags), classifiers.entry_from(flags)
    try:
        return subject.load_classifiers(generator, names, entry)
    except InputError as error:
        if flags[flag].value:
            raise
        whose = f"this classifier is that of --dataset={flags.dataset}; name another by --{flag}"
        raise InputError(f"{error} ({whose})") from error
