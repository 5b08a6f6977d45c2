"""What do images look like without their rarely activated neurons? (Choi 2022, algorithm 1)

    python -m analyze.ablate --dataset=mnist_c --sets=LR:0.3,HR:0.7,random:0.3

Of fresh samples, those that activate the most LR neurons (Top) and the fewest (Bottom) are drawn
again with the activated neurons of each set at zero. Several --layers are ablated in sequence, one
alone is single ablation.
"""

from absl.flags import DEFINE_integer, DEFINE_list, FlagValues

from ganfail_jax.cli import models, rates
from ganfail_jax.cli.bounds import MOST_SHOWN
from ganfail_jax.cli.flags import define_indices, indices_from, run_from, settings_from
from ganfail_jax.cli.layers import layers_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import ablate


def define(flags: FlagValues) -> None:
    rates.define_study(flags, 10_000)
    rates.define_rates(flags)
    define_indices(flags)
    text = "Sets of neurons to ablate: LR:R, HR:R and random:SHARE."
    DEFINE_list("sets", list(ablate.SETS), text, flag_values=flags)
    text = "How many of Top and how many of Bottom are drawn."
    DEFINE_integer("shown", 6, text, 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    settings = settings_from(ablate.Settings, flags, indices=indices_from(flags))
    subject = models.generator_from(flags)
    layers = layers_from(flags, subject.generator)
    source = rates.rates_from(flags, subject, layers)
    return ablate.plan(subject, source, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
