"""Write a published generator as our own weights folder, which loads faster.

    python -m analyze.convert --generator=network.pkl --out=network

Nothing in the published file is run. The new folder serves wherever a --generator is given.
"""

from pathlib import Path

from absl.flags import FlagValues

from ganfail_jax import zoo
from ganfail_jax.cli import models
from ganfail_jax.cli.main import Task, main
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.studies import convert


def define(flags: FlagValues) -> None:
    models.define_generator(flags)
    text = "Folder to write; it must not exist."
    DEFINE_path("out", None, text, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    if not flags.generator or not flags.out:
        raise InputError("give --generator=FILE and --out=FOLDER")
    _, params = zoo.load_generator(flags.generator)
    return convert.plan(models.read_generator(flags.generator), params, Path(flags.out))


if __name__ == "__main__":
    main(__doc__, define, plan)
