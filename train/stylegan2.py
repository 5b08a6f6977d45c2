"""Train a class-conditional StyleGAN2 with adaptive augmentation (Karras et al. 2020).

    python -m train.stylegan2 --dataset=mnist_c --preset=mnist_c
    python -m train.stylegan2 --dataset=FOLDER --classifier=runs/my_classifier

When it is interrupted, the same command resumes from the last checkpoint, to the identical result.
Where there is a classifier, --classifier or the dataset's bundled one, the snapshot of the lowest
score is kept (ganfail_jax/training/quality.py).
"""

from absl.flags import DEFINE_float, FlagValues

from ganfail_jax.cli.bounds import MOST_KIMG, MOST_WEIGHT
from ganfail_jax.cli.main import Task, main
from ganfail_jax.cli.training import define_training, training_from
from ganfail_jax.training import auto
from ganfail_jax.training.stylegan2_run import PRESETS


def define(flags: FlagValues) -> None:
    define_training(flags, "mnist_c: for two CPU cores; paper32: NVIDIA's `auto`, 32 px;")
    text = "Thousands of images at the start from which only the discriminator learns."
    DEFINE_float("warmup_kimg", None, text, 0.0, MOST_KIMG, flag_values=flags)
    text = "Thousands of images at the end over which the learning rate falls to 0; may change."
    DEFINE_float("decay_kimg", None, text, 0.0, MOST_KIMG, flag_values=flags)
    text = "Weight of the class loss (default: the preset's)."
    DEFINE_float("class_weight", None, text, 0.0, MOST_WEIGHT, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    return training_from(flags, "StyleGAN2", PRESETS, auto.stylegan2)


if __name__ == "__main__":
    main(__doc__, define, plan)
