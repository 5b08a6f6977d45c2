"""Train a progressively growing GAN (Karras et al. 2018).

    python -m train.pggan --dataset=mnist_c --preset=mnist_c

Every resolution is faded in over --fade_kimg and then trained for --stable_kimg; the last one is
trained to the end. When it is interrupted, the same command resumes from the last checkpoint, to
the identical result. Where there is a classifier, --classifier or the dataset's bundled one, the
snapshot of the lowest score at full resolution is kept (ganfail_jax/training/quality.py).
"""

from absl.flags import DEFINE_enum, DEFINE_float, DEFINE_integer, FlagValues

from ganfail_jax.cli.bounds import MOST, MOST_KIMG, MOST_WEIGHT
from ganfail_jax.cli.main import Task, main
from ganfail_jax.cli.training import define_training, training_from
from ganfail_jax.training import auto
from ganfail_jax.training.pggan_step import PRESETS


def define(flags: FlagValues) -> None:
    define_training(flags, "mnist_c: for two CPU cores; paper32: the paper's, 32 px;")
    DEFINE_enum(
        "loss",
        None,
        ["wgan_gp", "r1"],
        "Loss of both networks (default: the preset's).",
        flag_values=flags,
    )
    DEFINE_integer(
        "first_resolution",
        None,
        "Resolution at which growing begins (default: the preset's).",
        4,
        MOST,
        flag_values=flags,
    )
    for name, text in {
        "gp_weight": "Weight of WGAN-GP's gradient penalty.",
        "r1_gamma": "Weight of R1.",
    }.items():
        DEFINE_float(name, None, text, 0.0, MOST_WEIGHT, flag_values=flags)
    for name, text in {
        "stable_kimg": "Thousands of images per resolution after its fade-in.",
        "fade_kimg": "Thousands of images per fade-in.",
    }.items():
        DEFINE_float(name, None, text, 0.0, MOST_KIMG, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    return training_from(flags, "PGGAN", PRESETS, auto.pggan)


if __name__ == "__main__":
    main(__doc__, define, plan)
