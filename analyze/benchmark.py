"""How fast are the passes that analyses and training are made of, and what is the floor?

    python -m analyze.benchmark

Every pass is given as images per second, and as a share of the floating point rate that a large
float32 matrix product reaches on the same devices: the operations are those that XLA counts. A pass
that is timed alone says little on a busy machine; compare figures of one run only.
"""

from absl.flags import DEFINE_bool, FlagValues

from ganfail_jax.cli import models
from ganfail_jax.cli.flags import (
    define_batch_size,
    define_dataset,
    define_out,
    define_seed,
    run_from,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.metrics import networks
from ganfail_jax.studies import benchmark


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_seed(flags)
    define_out(flags)
    define_batch_size(flags, 250)
    models.define_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    text = "Measure training steps too (compiles for about a minute)."
    DEFINE_bool("training", True, text, flag_values=flags)
    text = "Measure whole commands too, in processes of their own (a TPU serves one process alone)."
    DEFINE_bool("commands", True, text, flag_values=flags)
    text = "File of Inception's weights, to measure it too."
    DEFINE_path("inception_weights", None, text, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.subject_from(flags)
    inception = networks.load_if_any("inception", flags.inception_weights)
    settings = settings_from(benchmark.Settings, flags)
    return benchmark.plan(subject, settings, run_from(flags), inception)


if __name__ == "__main__":
    main(__doc__, define, plan)
