"""How good is a generator? FID, KID, precision, recall, density, coverage and realism.

    python -m analyze.evaluate --dataset=mnist_c --metrics=fid,kid,pr,realism

Generated images, or the pictures in a folder (--generated), are compared with a dataset's training
images, or with the pictures in another folder (--images), by the features of a network, which every
output names. Features are cached on disk, so an interrupted run resumes, and more images reuse what
fewer had extracted.
"""

from absl.flags import DEFINE_integer, FlagValues

from ganfail_jax.cli import models
from ganfail_jax.cli.bounds import MOST
from ganfail_jax.cli.features import define_features
from ganfail_jax.cli.flags import (
    define_dataset,
    define_mnist_dir,
    define_num_samples,
    define_run,
    run_from,
)
from ganfail_jax.cli.images import comparison_from, define_comparison
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import evaluate


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_mnist_dir(flags)
    define_run(flags, batch_size=250)
    define_num_samples(flags, 10_000, least=2)
    models.define_models(flags)
    models.define_noise(flags, "random", models.POPULATION)
    define_features(flags)
    define_comparison(flags)
    text = "k of precision, recall and realism."
    DEFINE_integer("neighbours", 3, text, 1, MOST, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    comparison = comparison_from(flags)
    return evaluate.plan(
        evaluate.Sets(comparison.generated, comparison.real, comparison.features),
        evaluate.Settings(comparison.metrics, flags.neighbours),
        run_from(flags),
        subject=comparison.subject,
        identity=comparison.identity,
        names=(*comparison.names, *flags.metrics),
    )


if __name__ == "__main__":
    main(__doc__, define, plan)
