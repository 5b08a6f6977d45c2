"""What does an image become along each dimension that breaks the classifier? (Le Coz 2022, fig. 5)

    python -m analyze.shift --dataset=mnist_c --show_class=3

Moves one image along each top dimension, in the degrading direction, by fractions of the smallest
shift that takes the classifier's output for its class to 0.50. With --noise=random the image keeps
its own noise while it is moved.
"""

from absl.flags import (
    DEFINE_enum,
    DEFINE_float,
    DEFINE_integer,
    DEFINE_list,
    DEFINE_string,
    FlagValues,
)

from ganfail_jax.cli import models, rankings
from ganfail_jax.cli.bounds import MOST_DEVIATIONS, MOST_SHOWN
from ganfail_jax.cli.flags import (
    LARGEST_INDEX,
    define_dataset,
    define_run,
    run_from,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import shift


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=50)
    models.define_models(flags)
    models.define_noise(flags, "const", models.ONE_IMAGE)
    rankings.define_ranking(flags)
    text = "How many top dimensions are shown."
    DEFINE_integer("top", 10, text, 1, MOST_SHOWN, flag_values=flags)
    text = "Dimensions to show instead, such as b0008/conv0[17], by commas."
    DEFINE_list("dims", None, text, flag_values=flags)
    text = "Whose ranking chooses the dimensions: all samples, or those of the class."
    DEFINE_enum("group", "all", shift.GROUPS, text, flag_values=flags)
    DEFINE_string("show_class", None, "Class of the image (default: any).", flag_values=flags)
    text = "Index of the sample (default: a confident one)."
    DEFINE_integer("start", None, text, 0, LARGEST_INDEX, flag_values=flags)
    text = "Fractions of the reference shift."
    DEFINE_list("progress", [*shift.PROGRESS], text, flag_values=flags)
    text = "Largest reference shift tried, in standard deviations."
    DEFINE_float("limit", 20.0, text, 0.1, MOST_DEVIATIONS, flag_values=flags)
    text = "Steps up to the limit that bracket the reference shift."
    DEFINE_integer("grid", 24, text, 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    source = rankings.ranking_from(flags, subject)
    settings = settings_from(shift.Settings, flags)
    return shift.plan(subject, source, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
