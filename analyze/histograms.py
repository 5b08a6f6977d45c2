"""Do the top dimensions separate misclassified samples from others? (Le Coz 2022, sec. 3.2, fig. 4)

    python -m analyze.histograms --dataset=mnist_c

Compares fresh samples of the two outcomes along every dimension, in the direction in which the
ranking degrades: areas under the ROC curve, tests, and histograms of top and random dimensions.
"""

from absl.flags import DEFINE_integer, DEFINE_string, FlagValues

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
from ganfail_jax.studies import histograms


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 10_000, least=10)
    models.define_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    rankings.define_ranking(flags)
    text = "Top dimensions that are compared with all the others."
    DEFINE_integer("top", 10, text, 1, MOST, flag_values=flags)
    text = "Top and random dimensions in the figure; 3: paper."
    DEFINE_integer("panels", 6, text, 1, MOST_SHOWN, flag_values=flags)
    text = "Class in the figure of histograms (default: all)."
    DEFINE_string("show_class", None, text, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    source = rankings.ranking_from(flags, subject)
    settings = settings_from(histograms.Settings, flags)
    return histograms.plan(subject, source, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
