"""Does the discriminator recognise artifacts? (Tousi 2021, sec. 3, fig. 3)

    python -m analyze.d_values --generator=RUN --labels=FILE.csv

Draws the histogram of the discriminator's output, the "D-value", for labelled artifacts, for normal
generations and for real images. A training run keeps its discriminator; for a generator without one
--discriminator names the run of another.
"""

from absl.flags import DEFINE_integer, FlagValues

from ganfail_jax.cli import discriminators, images, labels, models
from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.flags import define_dataset, define_mnist_dir, define_run, run_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import d_values


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_mnist_dir(flags)
    define_run(flags, batch_size=64)
    models.define_generator(flags)
    models.define_noise(flags, "const", models.LABELLED)
    labels.define_labels(flags)
    discriminators.define_discriminator(flags)
    images.define_real(flags)
    text = "Real images beside them, drawn at random; 0: none."
    DEFINE_integer("num_real", 1_000, text, 0, MOST_SAMPLES, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    subject = models.generator_from(flags)
    labelled = labels.labels_from(flags, subject, least=2)
    judge = discriminators.judge_from(flags, subject)
    d_values.check_fit(subject, judge)  # before images are read
    real = discriminators.real_from(flags, judge.discriminator, flags.num_real)
    return d_values.plan(subject, judge, labelled, real, run_from(flags), seed=flags.seed)


if __name__ == "__main__":
    main(__doc__, define, plan)
