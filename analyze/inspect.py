"""What does a file of generator weights hold? Nothing in it is run.

    python -m analyze.inspect --generator=mnist_c --sheet=samples.png

Prints the network's settings, the dimensions of its StyleSpace and its layers by all their names.
"""

from functools import partial

from absl.flags import FlagValues

from ganfail_jax.cli import models
from ganfail_jax.cli.main import Task, main
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.studies.inspect_generator import inspect


def define(flags: FlagValues) -> None:
    models.define_generator(flags)
    models.define_noise(flags, "const", "samples as analyze.label shows them")
    text = "PNG to write with samples 0 to 39; classes take turns."
    DEFINE_path("sheet", None, text, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    if not flags.generator:
        raise InputError("which generator? Give --generator=FILE, a folder or a bundled name")
    return partial(inspect, models.inspected_from(flags), flags.sheet)


if __name__ == "__main__":
    main(__doc__, define, plan)
