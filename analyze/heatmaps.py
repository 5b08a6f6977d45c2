"""Where in an image are the rarely activated neurons? (Choi 2022, figs. 1 and 4)

    python -m analyze.heatmaps --dataset=mnist_c

For a few of the samples with the most and with the fewest activated LR neurons, or for --indices:
each layer's share of LR among the activated neurons at every position, as it is and under
sequential ablation of the layers before, and the images after the ablation.
"""

from absl.flags import DEFINE_integer, FlagValues

from ganfail_jax.cli import models, rates
from ganfail_jax.cli.bounds import MOST_SHOWN
from ganfail_jax.cli.flags import define_indices, indices_from, run_from, settings_from
from ganfail_jax.cli.hosts import define_hosts
from ganfail_jax.cli.layers import layers_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.errors import InputError
from ganfail_jax.studies import heatmaps


def define(flags: FlagValues) -> None:
    rates.define_study(flags, 2_000, least=2)
    define_hosts(flags)
    rates.define_exclude_dead(flags)
    rates.define_rates(flags)
    define_indices(flags)
    text = "Samples shown of either end of --num_samples."
    DEFINE_integer("shown", 3, text, 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    settings = settings_from(heatmaps.Settings, flags, indices=indices_from(flags))
    for name in ("num_samples", "shown") if settings.indices is not None else ():
        if flags[name].present:
            raise InputError(f"--indices are the samples shown: leave --{name} out")
    subject = models.generator_from(flags)
    layers = layers_from(flags, subject.generator, heatmaps.RESOLUTIONS)
    source = rates.rates_from(flags, subject, layers)
    return heatmaps.plan(subject, source, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
