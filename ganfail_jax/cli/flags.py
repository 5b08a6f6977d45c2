"""Flags that commands share, defined; and records that have fields of their names."""

from collections.abc import Collection
from typing import Any, TypeVar

from absl.flags import (
    DEFINE_bool,
    DEFINE_integer,
    DEFINE_list,
    FlagValues,
    ValidationError,
    register_validator,
)

from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.data import stored
from ganfail_jax.data.label_table import LARGEST
from ganfail_jax.data.pipelines import DATASETS, unknown
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run

ELSEWHERE = {  # flags that change no result
    *("out", "resume", "batch_size", "mnist_dir", "table", "dry_run"),
    *("coordinator", "num_processes", "process_id"),
}
LARGEST_SEED, LARGEST_INDEX = LARGEST["seed"], LARGEST["index"]
Record = TypeVar("Record", bound=tuple)


def define_dataset(flags: FlagValues, default: str = "mnist_c") -> None:
    text = "Dataset: mnist, mnist_c, a folder, .zip or .npz of pictures, or tfds:NAME."
    DEFINE_path("dataset", default, text, flag_values=flags)
    register_validator("dataset", _is_known_dataset, flag_values=flags)


def _is_known_dataset(name: str) -> bool:
    if name in DATASETS or stored.is_stored(name):
        return True
    raise ValidationError(str(unknown(name)))


def define_mnist_dir(flags: FlagValues) -> None:
    text = "Folder of the four MNIST idx files (else GANFAIL_MNIST_DIR, else TFDS)."
    DEFINE_path("mnist_dir", None, text, flag_values=flags)


def define_seed(flags: FlagValues) -> None:
    text = "Seed of everything random."
    DEFINE_integer("seed", 0, text, 0, LARGEST_SEED, flag_values=flags)


def define_out(flags: FlagValues) -> None:
    text = "Folder for the results (default: a name below runs/)."
    DEFINE_path("out", None, text, flag_values=flags)


def define_resume(flags: FlagValues) -> None:
    DEFINE_bool("resume", True, "Continue an unfinished run in --out.", flag_values=flags)


def define_batch_size(flags: FlagValues, batch_size: int) -> None:
    text = "Images per step; does not change results."
    DEFINE_integer("batch_size", batch_size, text, 1, MOST_SAMPLES, flag_values=flags)


def define_run(flags: FlagValues, batch_size: int) -> None:
    """What every study has: where and how it runs, and its seed."""
    define_seed(flags)
    define_out(flags)
    define_resume(flags)
    define_batch_size(flags, batch_size)


def define_dry_run(flags: FlagValues) -> None:
    text = "Only check the flags and say what would be computed, where, and how fast."
    DEFINE_bool("dry_run", False, text, flag_values=flags)


def define_num_samples(flags: FlagValues, num_samples: int, least: int = 1) -> None:
    text = "Number of generated images."
    DEFINE_integer("num_samples", num_samples, text, least, MOST_SAMPLES, flag_values=flags)


def define_indices(flags: FlagValues, default: str = "of Top and Bottom") -> None:
    text = f"Samples to draw, by index, such as 0,7,123 (default: {default})."
    DEFINE_list("indices", None, text, flag_values=flags)


def run_from(flags: FlagValues) -> Run:
    """Where and how a study runs, by the flags of `define_run`; not all studies resume."""
    resume = "resume" not in flags or flags.resume
    given = given_from(flags)
    return Run(flags.batch_size, flags.out, resume, flags.flag_values_dict(), given)


def given_from(flags: FlagValues, but: Collection[str] = ELSEWHERE) -> dict[str, Any]:
    """The flags that have other values than the defaults.

    Args:
        but: those that change no result, or that the names of all folders have.
    """
    names = [name for name in sorted(flags) if name not in but]
    return {n: flags[n].value for n in names if flags[n].value != flags[n].default}


def settings_from(record: type[Record], flags: FlagValues, **others: Any) -> Record:
    """A record whose fields are the values of the flags of the same names.

    Args:
        others: fields that are of no flag, or of one with another name.
    """
    names = [name for name in record._fields if name not in others]  # pyright: ignore
    return record(**{name: flags[name].value for name in names}, **others)


def indices_from(flags: FlagValues) -> list[int] | None:
    """--indices; raises as `whole_numbers`."""
    return whole_numbers(flags, "indices", "indices of samples count from 0")


def whole_numbers(flags: FlagValues, name: str, rule: str) -> list[int] | None:
    """A flag that lists whole numbers.

    Args:
        rule: what they are, for the message.

    Raises:
        InputError: one is not a whole number below 2^31, or there is none.
    """
    texts = flags[name].value
    if texts == []:
        raise InputError(f"--{name} is empty; give some, or leave it out")
    for text in texts or ():
        if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**31):
            raise InputError(f"--{name} has {text!r}; {rule}")
    return None if texts is None else [int(text) for text in texts]
