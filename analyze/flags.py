"""The flags that entry points share, the models they load, and how every one starts and fails."""

import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging

from ganfail_jax import caches, hosts, memory, zoo
from ganfail_jax.analysis.outputs import SCORES, Models
from ganfail_jax.analysis.ranking import NORMALIZATIONS
from ganfail_jax.analysis.rates import early_layers, find_layers
from ganfail_jax.data.pipelines import DATASETS
from ganfail_jax.errors import InputError
from ganfail_jax.types import NOISES, Generator, Noise, Params
from ganfail_jax.weights.store import Stored

FLAGS = flags.FLAGS
INTERRUPTED = 130


def define_dataset(default: str = "mnist_c") -> None:
    flags.DEFINE_string("dataset", default, "Name of the dataset.")


def define_mnist_dir() -> None:
    flags.DEFINE_string(
        "mnist_dir", None, "Folder of the four MNIST idx files (else GANFAIL_MNIST_DIR, else TFDS)."
    )


def define_seed() -> None:
    largest = 2**32 - 1
    flags.DEFINE_integer("seed", 0, "Seed of everything random.", 0, largest)


def define_run() -> None:
    define_seed()
    flags.DEFINE_string("out", None, "Folder for the results (default: a name below runs/).")


def define_generator() -> None:
    text = "Bundled name, folder or published file (default of analyses: the dataset's)."
    flags.DEFINE_string("generator", None, text)


def define_models(several: bool = False) -> None:
    """The generator and one classifier, or several to compare."""
    define_generator()
    flags.DEFINE_float("truncation_psi", 1.0, "1: no truncation; 0: the mean latent.")
    if several:
        text = "Bundled names or folders, by commas (default: all that the dataset has)."
        flags.DEFINE_list("classifiers", None, text)
    else:
        text = "Bundled name or folder (default: the dataset's own)."
        flags.DEFINE_string("classifier", None, text)


POPULATION = "like real images, every sample has noise of its own"
ONE_IMAGE = "it is one image before and after"
CHOI = "as in the authors' code"
LABELLED = "that of the labelled images"


def define_noise(default: Noise, why: str) -> None:
    """For every command that makes images.

    Args:
        why: this default, such as one of the above.
    """
    text = "The generator's noise inputs: random, drawn for each sample; const, the same planes for"
    text += f" all, stored with the weights; none. Default {default}: {why}."
    flags.DEFINE_enum("noise", default, NOISES, text)


def with_noise(generator: Generator) -> Generator:
    """The generator with the noise of --noise.

    Raises:
        InputError: it has no noise inputs, but some noise is asked for.
    """
    if not generator.has_noise and FLAGS["noise"].present and FLAGS.noise != "none":
        raise InputError("this generator has no noise inputs: leave --noise out")
    return generator.with_noise(FLAGS.noise)


def noise_of(made: Mapping[str, Any]) -> str:
    """The noise by the identity of an earlier result; those that do not tell had const."""
    return made.get("noise", "const")


def check_labelled_noise(generator: Generator) -> None:
    """
    Raises:
        InputError: labels are asked for, but the images are others than those labelled.
    """
    if generator.has_noise and generator.noise != "const":
        raise InputError(
            f"labels are of images with constant noise, not --noise={generator.noise}: leave it out"
        )


def define_hosts() -> None:
    """For several processes; SLURM and TPU pods need none of these."""
    flags.DEFINE_string("coordinator", None, "host:port of the first of several processes.")
    flags.DEFINE_integer("num_processes", None, "How many processes there are.", 1)
    flags.DEFINE_integer("process_id", None, "Which of them this is, from 0.", 0)


def define_num_samples(num_samples: int, least: int = 1) -> None:
    flags.DEFINE_integer("num_samples", num_samples, "Number of generated images.", least)


def define_batch_size(batch_size: int) -> None:
    flags.DEFINE_integer("batch_size", batch_size, "Images per step; does not change results.", 1)


def define_layers(default: str | None = None) -> None:
    usual = default or "the paper's early ones"
    text = f"Layers by any of their names, by commas; all (default: {usual})."
    flags.DEFINE_list("layers", default, text)


def chosen_layers(generator: Generator, default: int = 3) -> list[str]:
    """--layers in forward order.

    Args:
        default: number of resolutions that the paper's early layers are taken of.

    Raises:
        InputError: one is unknown, or there is none.
    """
    if FLAGS.layers == []:
        raise InputError("--layers is empty; give some, or leave it out for the paper's")
    if FLAGS.layers == ["all"]:
        return list(generator.layers)
    if FLAGS.layers is None:
        return early_layers(generator.layers, default)
    return find_layers(generator.layers, FLAGS.layers)


def define_threshold() -> None:
    text = "R: neurons that at most this share of the samples activate are LR, the others HR."
    flags.DEFINE_float("threshold", 0.3, text, 0.0, 1.0)


def define_exclude_dead() -> None:
    text = "Neurons that never fired are not LR (the authors' code; in the paper they are)."
    flags.DEFINE_bool("exclude_dead", False, text)


def define_indices(default: str = "of Top and Bottom") -> None:
    text = f"Samples to draw, by index, such as 0,7,123 (default: {default})."
    flags.DEFINE_list("indices", None, text)


def given_indices() -> list[int] | None:
    """--indices; raises as `whole_numbers`."""
    return whole_numbers("indices", "indices of samples count from 0")


def whole_numbers(flag: str, rule: str) -> list[int] | None:
    """A flag that lists whole numbers.

    Args:
        rule: what they are, for the message.

    Raises:
        InputError: one is none below 2^31, or there is none.
    """
    texts = FLAGS[flag].value
    if texts == []:
        raise InputError(f"--{flag} is empty; give some, or leave it out")
    for text in texts or ():
        if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**31):
            raise InputError(f"--{flag} has {text!r}; {rule}")
    return None if texts is None else [int(text) for text in texts]


def define_resume() -> None:
    flags.DEFINE_bool("resume", True, "Go on from an unfinished run in --out.")


def define_score() -> None:
    text = "Output whose gradient ranks; softmax: paper."
    flags.DEFINE_enum("score", "softmax", list(SCORES), text)
    flags.DEFINE_enum("normalize", "none", NORMALIZATIONS, "std: per standard deviation.")


def define_ranking(several: bool = False) -> None:
    """What the analyses that start from a ranking need; of several classifiers all are ranked."""
    define_score()
    flags.DEFINE_integer("ranking_samples", 10_000, "Samples that make the ranking.", 2)
    if not several:
        flags.DEFINE_string("ranking", None, "Folder of analyze.rank to use instead.")


def out_folder(*parts: str) -> Path:
    """--out, or runs/<first part>/<the others joined>."""
    return Path(FLAGS.out) if FLAGS.out else Path("runs", parts[0], "-".join(parts[1:]))


def all_flags() -> dict[str, Any]:
    """Every flag of the project with its value, for the record."""
    modules = FLAGS.flags_by_module_dict().items()
    mine = [flag for name, defined in modules if _is_ours(name) for flag in defined]
    return {flag.name: flag.value for flag in mine}


def _is_ours(module: str) -> bool:
    return module.startswith(("analyze", "train")) or module == sys.argv[0]


def _unique_names(paths: list[str]) -> list[str]:
    short = [Path(path).name for path in paths]
    return short if len({*short}) == len(short) else paths


def _defaults() -> zoo.Defaults:
    if FLAGS.dataset not in DATASETS:
        names = ", ".join(DATASETS)
        raise InputError(f"no dataset is called {FLAGS.dataset!r}; datasets are {names}")
    return zoo.defaults(FLAGS.dataset)


def default_classifier() -> str:
    """The dataset's first.

    Raises:
        InputError: unknown dataset.
    """
    return _defaults().classifiers[0]


def read_generator(name: str) -> Stored:
    """A generator's weights; what its file left open, such as which network is meant, is told."""
    stored = zoo.read_generator(name)
    if "remarks" in stored.about:
        print(f"{Path(name).name}: {stored.about['remarks']}", flush=True)
    return stored


def load_generator() -> tuple[Generator, Params, dict[str, Any]]:
    """The generator asked for, its parameters, and what identifies its samples in a result.

    Raises:
        InputError: unknown dataset, unreadable weights, or noise for a generator without inputs.
    """
    name = FLAGS.generator or _defaults().generator
    generator, params = zoo.load_generator(name)
    generator = with_noise(generator)
    stored = read_generator(name)
    identity = {
        "generator": Path(name).name,
        "generator_sha256": stored.sha256,
        "seed": FLAGS.seed,
        "noise": generator.noise,
    }
    if "remarks" in stored.about:
        identity["generator_remarks"] = stored.about["remarks"]
    return generator, params, identity


def load_models() -> tuple[tuple[Models, ...], dict[str, Any]]:
    """The generator with each classifier asked for, and what identifies them in a result.

    Raises:
        InputError: unknown dataset, unreadable weights, or models that do not fit each other.
    """
    several = "classifiers" in FLAGS
    asked = FLAGS.classifiers if several else [FLAGS.classifier] if FLAGS.classifier else None
    if not asked:
        asked = list(_defaults().classifiers if several else _defaults().classifiers[:1])
    if len({*asked}) < len(asked):
        raise InputError(f"--classifiers names one twice: {', '.join(asked)}")
    generator, params, identity = load_generator()
    if generator.mapping is None and FLAGS.truncation_psi != 1:
        name = FLAGS.generator or identity["generator"]
        raise InputError(f"{name} has no truncation; --truncation_psi must be 1")
    models, seen_by = with_classifiers(generator, params, asked)
    return models, identity | seen_by | {"truncation_psi": FLAGS.truncation_psi}


def with_classifiers(
    generator: Generator, params: Params, names: list[str]
) -> tuple[tuple[Models, ...], dict[str, Any]]:
    """The generator with each of these classifiers, and what identifies them in a result.

    Raises:
        InputError: unreadable weights, or models that do not fit each other.
    """
    models = tuple(Models(generator, params, *zoo.load_classifier(name)) for name in names)
    for name, each in zip(names, models, strict=True):
        _check_fit(FLAGS.generator or _defaults().generator, name, each)
    return models, {
        "classifiers": _unique_names(names),
        "classifier_sha256": [zoo.read_classifier(name).sha256 for name in names],
    }


def _check_fit(generator_name: str, classifier_name: str, models: Models) -> None:
    generator, classifier = models.generator, models.classifier
    if generator.image_shape != classifier.image_shape:
        made, taken = ("x".join(map(str, m.image_shape)) for m in (generator, classifier))
        raise InputError(
            f"generator {generator_name} makes {made} images, but classifier "
            f"{classifier_name} takes {taken}; give two that fit"
        )
    if generator.num_classes not in (0, classifier.num_classes):
        raise InputError(
            f"generator {generator_name} has {generator.num_classes} classes, but classifier "
            f"{classifier_name} has {classifier.num_classes}; give two that fit"
        )


def class_index(name: str, models: Models) -> int:
    """A class by its name.

    Raises:
        InputError: there is no such class.
    """
    names = models.classifier.class_names
    if name not in names:
        raise InputError(f"no class {name!r}; the classes are {', '.join(names)}")
    return names.index(name)


def run(main: Callable[[], None]) -> None:
    """Parse flags and run; a fault of the input ends in one line and a non-zero status."""

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise InputError(f"what is {argv[1]!r}? Flags are given as --name=value")
            logging.set_verbosity(logging.WARNING)  # JAX and Orbax tell of every backend and file
            jax.config.update("jax_default_matmul_precision", "highest")
            memory.keep_freed_memory()
            caches.keep_compiled_programs()
            if "coordinator" in FLAGS:
                hosts.start(FLAGS.coordinator, FLAGS.num_processes, FLAGS.process_id)
            main()
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            hosts.leave(1)
        except jax.errors.JaxRuntimeError as error:
            if jax.process_count() == 1:
                raise
            reason = str(error).splitlines()[0]
            print(f"error: another process has ended, or was not heard: {reason}", file=sys.stderr)
            hosts.leave(1)
        except BrokenPipeError:  # the reader of our output, such as head, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
            hosts.leave(INTERRUPTED)

    app.run(guarded, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    try:
        rest = FLAGS(argv)
        for name, value in all_flags().items():
            if isinstance(value, float) and not math.isfinite(value):
                raise flags.IllegalFlagValueError(f"flag --{name}={value}: not a finite number")
        return rest
    except flags.Error as error:
        print(f"error: {' '.join(str(error).split())}; see --helpfull", file=sys.stderr)
        sys.exit(1)
