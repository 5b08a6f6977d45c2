"""The flags that entry points share, and how every entry point starts and fails."""

import sys
from collections.abc import Callable
from pathlib import Path

from absl import app, flags

from ganfail_jax.errors import InputError

FLAGS = flags.FLAGS
INTERRUPTED = 130


def define_dataset(default: str = "mnist_c") -> None:
    flags.DEFINE_string("dataset", default, "Name of the dataset.")
    flags.DEFINE_string(
        "mnist_dir", None, "Folder of the four MNIST idx files (else GANFAIL_MNIST_DIR, else TFDS)."
    )


def define_run() -> None:
    flags.DEFINE_integer("seed", 0, "Seed of everything random.")
    flags.DEFINE_string("out", None, "Folder for the results (default: a name below runs/).")


def define_models() -> None:
    flags.DEFINE_string("generator", None, "Bundled name or folder (default: the dataset's own).")
    flags.DEFINE_string("classifier", None, "Bundled name or folder (default: the dataset's own).")
    flags.DEFINE_float("truncation_psi", 1.0, "1: no truncation; 0: the mean latent.")


def define_sampling(num_samples: int, batch_size: int) -> None:
    flags.DEFINE_integer("num_samples", num_samples, "Number of generated images.", lower_bound=1)
    flags.DEFINE_integer("batch_size", batch_size, "Images per step; no influence on the result.")
    flags.DEFINE_bool("resume", True, "Go on from an unfinished run in --out.")


def out_folder(*parts: str) -> Path:
    """--out, or runs/<parts joined>."""
    return Path(FLAGS.out) if FLAGS.out else Path("runs", parts[0], "-".join(parts[1:]))


def run(main: Callable[[], None]) -> None:
    """Parse flags and run; a fault of the input ends in one line and a non-zero status."""

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise InputError(f"unexpected argument {argv[1]!r}; flags are given as --name=value")
            main()
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
            sys.exit(INTERRUPTED)

    app.run(guarded)
