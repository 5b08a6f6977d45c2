"""Where do classifiers fail differently? (beyond Le Coz 2022, sec. 2.4, 3.3)

    python -m analyze.compare --dataset=mnist_c

Compares two or more classifiers on the same fresh samples: how often each is right, the dimensions
that break both or only one, and the images that one gets right and the other does not.
"""

from absl.flags import DEFINE_integer, FlagValues

from ganfail_jax.cli import models, rankings
from ganfail_jax.cli.bounds import MOST, MOST_SHOWN
from ganfail_jax.cli.flags import (
    define_dataset,
    define_num_samples,
    define_run,
    run_from,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import compare


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 10_000)
    models.define_several_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    rankings.define_rankings(flags)
    text = "How many top dimensions of each are compared."
    DEFINE_integer("top", 20, text, 1, MOST, flag_values=flags)
    text = "Most images of each sheet of disagreements."
    DEFINE_integer("shown", 32, text, 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.several_from(flags)
    source = rankings.rankings_from(flags, subject)
    settings = settings_from(compare.Settings, flags)
    return compare.plan(subject, source, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
