"""How fast does accuracy fall with distance in StyleSpace? (Le Coz 2022, sec. 2.4, 3.3, fig. 6)

    python -m analyze.accuracy --dataset=mnist_c

Bins fresh samples by their distance from the mean of the well classified ones, for every classifier
and every class, and compares the slopes and the areas of the curves.
"""

from absl.flags import DEFINE_enum, DEFINE_integer, FlagValues

from ganfail_jax.analysis.latent_accuracy import BINNINGS
from ganfail_jax.cli import models, rankings
from ganfail_jax.cli.bounds import MOST, MOST_SAMPLES, MOST_SHOWN
from ganfail_jax.cli.flags import (
    define_dataset,
    define_num_samples,
    define_run,
    run_from,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import accuracy


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 10_000)
    models.define_several_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    rankings.define_rankings(flags)
    text = "How many top dimensions make a distance; 0: all."
    DEFINE_integer("top", 100, text, 0, MOST, flag_values=flags)
    text = "Bins of distance, before sparse ones go."
    DEFINE_integer("bins", 12, text, 1, MOST_SHOWN, flag_values=flags)
    text = "Bins of equal width or of equal numbers."
    DEFINE_enum("binning", "width", BINNINGS, text, flag_values=flags)
    text = "Samples that a point of a curve needs."
    DEFINE_integer("min_samples", 50, text, 1, MOST_SAMPLES, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.several_from(flags)
    source = rankings.rankings_from(flags, subject)
    settings = settings_from(accuracy.Settings, flags)
    return accuracy.plan(subject, source, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
