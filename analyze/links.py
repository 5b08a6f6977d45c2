"""Where do the papers meet: failing dimensions, LR neurons and errors? (beyond the papers)

    python -m analyze.links --dataset=mnist_c

Does a move along a dimension that breaks the classifier activate more rarely activated (LR) neurons
than one along others? Does their number distinguish what is misclassified, also within classes?
Does their ablation turn misclassified images into well classified ones without harming the others?
"""

from absl.flags import DEFINE_float, DEFINE_integer, DEFINE_list, FlagValues

from ganfail_jax.cli import classifiers, models, rankings, rates
from ganfail_jax.cli.bounds import MOST, MOST_SHOWN
from ganfail_jax.cli.flags import run_from, settings_from
from ganfail_jax.cli.layers import layers_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import links


def define(flags: FlagValues) -> None:
    rates.define_study(flags, 10_000, least=2)
    rates.define_rates(flags)
    rankings.define_ranking(flags)
    classifiers.define_classifier(flags, "default: the dataset's own")
    text = "Top dimensions along which samples are moved, and as many random ones."
    DEFINE_integer("top", 10, text, 2, MOST_SHOWN, flag_values=flags)
    text = "Well classified samples that are moved."
    DEFINE_integer("moved", 400, text, 2, MOST, flag_values=flags)
    text = "Length of a move in standard deviations of the dimension, cut at the observed range."
    DEFINE_float("deviations", 2.0, text, 0.01, 100.0, flag_values=flags)
    text = "Sets of neurons to ablate, each beside as many at random: LR:R and HR:R."
    DEFINE_list("sets", list(links.SETS), text, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    layers = layers_from(flags, subject.generator.generator)
    counted = rates.rates_from(flags, subject.generator, layers)
    ranking = rankings.ranking_from(flags, subject)
    settings = settings_from(links.Settings, flags)
    return links.plan(subject, counted, ranking, settings, run_from(flags)).run


if __name__ == "__main__":
    main(__doc__, define, plan)
