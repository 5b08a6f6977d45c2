"""Which latent space separates classes and outcomes best? (Le Coz 2022, sec. 3.1, fig. 3)

    python -m analyze.embed --dataset=mnist_c

Draws t-SNE maps of the latent z, the intermediate latent w and StyleSpace, and measures in each
space how well neighbours and a linear model predict the class of a sample and its outcome.
"""

from absl.flags import DEFINE_float, DEFINE_integer, FlagValues

from ganfail_jax.analysis import embedding
from ganfail_jax.cli import models
from ganfail_jax.cli.bounds import MOST
from ganfail_jax.cli.flags import (
    define_dataset,
    define_num_samples,
    define_run,
    run_from,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import embed


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 10_000, least=10)
    models.define_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    text = "Samples on the maps, at most num_samples."
    DEFINE_integer("embedded", 2_500, text, 3, MOST, flag_values=flags)
    DEFINE_integer("neighbours", 10, "k of the nearest neighbours.", 1, MOST, flag_values=flags)
    text = "Samples that neighbours are sought among and a linear model learns from, at most 4/5."
    DEFINE_integer("reference", embedding.REFERENCE, text, 2, MOST, flag_values=flags)
    DEFINE_float("perplexity", 30.0, "Perplexity of t-SNE.", 1.0, MOST, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    return embed.plan(subject, settings_from(embed.Settings, flags), run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
