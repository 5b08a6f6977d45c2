"""The flags that entry points share, the models they load, and how every one starts and fails."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from absl import app, flags, logging

from ganfail_jax import zoo
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.data.pipelines import DATASETS
from ganfail_jax.errors import InputError

FLAGS = flags.FLAGS
INTERRUPTED = 130


def define_dataset(default: str = "mnist_c") -> None:
    flags.DEFINE_string("dataset", default, "Name of the dataset.")


def define_mnist_dir() -> None:
    flags.DEFINE_string(
        "mnist_dir", None, "Folder of the four MNIST idx files (else GANFAIL_MNIST_DIR, else TFDS)."
    )


def define_run() -> None:
    largest = 2**32 - 1
    flags.DEFINE_integer("seed", 0, "Seed of everything random.", 0, largest)
    flags.DEFINE_string("out", None, "Folder for the results (default: a name below runs/).")


def define_models() -> None:
    flags.DEFINE_string("generator", None, "Bundled name or folder (default: the dataset's own).")
    flags.DEFINE_string("classifier", None, "Bundled name or folder (default: the dataset's own).")
    flags.DEFINE_float("truncation_psi", 1.0, "1: no truncation; 0: the mean latent.")


def define_sampling(num_samples: int, batch_size: int) -> None:
    flags.DEFINE_integer("num_samples", num_samples, "Number of generated images.")
    flags.DEFINE_integer("batch_size", batch_size, "Images per step; no influence on the result.")
    flags.DEFINE_bool("resume", True, "Go on from an unfinished run in --out.")


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


def load_models() -> tuple[Models, dict[str, Any]]:
    """The generator and the classifier asked for, and the identity of a result made with them.

    Raises:
        InputError: unknown dataset, unreadable weights, or models that do not fit each other.
    """
    if FLAGS.dataset not in DATASETS:
        raise InputError(
            f"no dataset is called {FLAGS.dataset!r}; datasets are {', '.join(DATASETS)}"
        )
    if FLAGS.num_samples < 1 or FLAGS.batch_size < 1:
        given = f"{FLAGS.num_samples} and {FLAGS.batch_size}"
        raise InputError(f"num_samples and batch_size must be at least 1, not {given}")
    names = {"generator": FLAGS.generator, "classifier": FLAGS.classifier}
    if None in names.values():
        defaults = zoo.defaults(FLAGS.dataset)._asdict()
        names = {what: name or defaults[what] for what, name in names.items()}
    models = Models(
        *zoo.load_generator(names["generator"]), *zoo.load_classifier(names["classifier"])
    )
    generator, classifier = models.generator, models.classifier
    if generator.image_shape != classifier.image_shape:
        made, taken = ("x".join(map(str, m.image_shape)) for m in (generator, classifier))
        raise InputError(
            f"generator {names['generator']} makes {made} images, but classifier "
            f"{names['classifier']} takes {taken}; give two that fit"
        )
    if generator.num_classes not in (0, classifier.num_classes):
        raise InputError(
            f"generator {names['generator']} has {generator.num_classes} classes, but classifier "
            f"{names['classifier']} has {classifier.num_classes}; give two that fit"
        )
    identity = {
        "dataset": FLAGS.dataset,
        **{what: Path(name).name for what, name in names.items()},
        "generator_sha256": zoo.read_generator(names["generator"]).sha256,
        "classifier_sha256": zoo.read_classifier(names["classifier"]).sha256,
        "num_samples": FLAGS.num_samples,
        "seed": FLAGS.seed,
        "truncation_psi": FLAGS.truncation_psi,
    }
    return models, identity


def run(main: Callable[[], None]) -> None:
    """Parse flags and run; a fault of the input ends in one line and a non-zero status."""

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise InputError(f"what is {argv[1]!r}? Flags are given as --name=value")
            logging.set_verbosity(logging.WARNING)  # JAX and Orbax tell of every backend and file
            jax.config.update("jax_default_matmul_precision", "highest")
            main()
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
            sys.exit(INTERRUPTED)

    app.run(guarded, flags_parser=_parse)


def _parse(argv: list[str]) -> list[str]:
    try:
        return FLAGS(argv)
    except flags.Error as error:
        print(f"error: {' '.join(str(error).split())}; see --help", file=sys.stderr)
        sys.exit(1)
