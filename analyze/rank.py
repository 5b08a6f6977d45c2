"""Which StyleSpace dimensions break this classifier? (Le Coz 2022, sec. 2.2)

    python -m analyze.rank --dataset=mnist_c

Ranks all dimensions by the mean gradient of the classifier's output for the true class, measures
how stable the ranking is and whether it holds on fresh samples, and shows one image pushed along
the top dimensions.
"""

from absl.flags import DEFINE_integer, DEFINE_string, FlagValues

from ganfail_jax.cli import models, rankings
from ganfail_jax.cli.bounds import MOST
from ganfail_jax.cli.flags import (
    define_dataset,
    define_num_samples,
    define_run,
    run_from,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import rank


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 10_000, least=2)
    models.define_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    rankings.define_score(flags)
    text = "Replicates that measure rank stability."
    DEFINE_integer("bootstrap", 100, text, 2, MOST, flag_values=flags)
    DEFINE_integer("top", 10, "How many top dimensions are reported.", 1, MOST, flag_values=flags)
    text = "Class of the image on the push sheet (default: any)."
    DEFINE_string("show_class", None, text, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    settings = settings_from(rank.Settings, flags, score=rankings.score_from(flags, subject))
    return rank.plan(subject, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
