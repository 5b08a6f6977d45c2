"""What do the dimensions that break the classifier do to the picture, in words? (beyond the papers)

    python -m analyze.describe --dataset=mnist_c

Moves well classified samples along each top dimension, within the observed range, and measures what
a person would see: brighter, noisier, blurred, thinner, leaning, off the centre. Dimensions that do
the same are one failure mode.
"""

from absl.flags import DEFINE_float, DEFINE_integer, FlagValues

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
from ganfail_jax.studies import describe


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=200)
    define_num_samples(flags, 2_000, least=2)
    models.define_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    rankings.define_ranking(flags)
    DEFINE_integer("top", 10, "Top dimensions described.", 1, MOST_SHOWN, flag_values=flags)
    text = "Well classified samples that are moved."
    DEFINE_integer("moved", 400, text, 2, MOST, flag_values=flags)
    text = "Length of a move in standard deviations of the dimension, cut at the observed range."
    DEFINE_float("deviations", 2.0, text, 0.01, 100.0, flag_values=flags)
    text = "Change that a word needs, in standard deviations of what it says over the samples."
    DEFINE_float("least", 0.1, text, 0.0, 100.0, flag_values=flags)
    text = "Cosine between their changes from which dimensions are one failure mode."
    DEFINE_float("similarity", 0.5, text, -1.0, 1.0, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    source = rankings.ranking_from(flags, subject)
    settings = settings_from(describe.Settings, flags)
    return describe.plan(subject, source, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
