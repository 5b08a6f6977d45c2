"""How often is each neuron of a generator activated? (Choi 2022, sec. 3.1)

    python -m analyze.rates --dataset=mnist_c

Counts, for every neuron of the early layers, how many of 30,000 samples activate it: the same
counts on one device, on several, and on several hosts. --published reads the authors' own rates.
"""

from absl.flags import FlagValues

from ganfail_jax.cli import models
from ganfail_jax.cli import rates as rate_flags
from ganfail_jax.cli.flags import run_from, settings_from
from ganfail_jax.cli.hosts import define_hosts
from ganfail_jax.cli.layers import layers_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import rates


def define(flags: FlagValues) -> None:
    rate_flags.define_study(flags, 30_000)
    define_hosts(flags)
    rate_flags.define_published(flags)


def plan(flags: FlagValues) -> Task:
    subject = models.generator_from(flags)
    layers = layers_from(flags, subject.generator)
    published = rate_flags.published_from(flags, subject.generator, layers)
    settings = settings_from(rates.Settings, flags, layers=layers)
    return rates.plan(subject, settings, run_from(flags), published=published)


if __name__ == "__main__":
    main(__doc__, define, plan)
