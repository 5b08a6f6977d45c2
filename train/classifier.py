"""Train one of the two classifiers of Le Coz 2022, sec. 3.2, and measure it on the test sets.

    python -m train.classifier --dataset=mnist_c --train_on=corrupted

"corrupted" is the training set as the paper made it (half clean, half blurred and noisy), "clean"
the same digits untouched. The paper reports 97 % on the corrupted test set for the former.
"""

from absl.flags import DEFINE_enum, DEFINE_integer, FlagValues

from ganfail_jax.cli.bounds import MOST_STEPS
from ganfail_jax.cli.flags import (
    define_dataset,
    define_mnist_dir,
    define_out,
    define_seed,
    given_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run
from ganfail_jax.studies import train_classifier
from ganfail_jax.training.classifier import ClassifierConfig


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_mnist_dir(flags)
    define_seed(flags)
    define_out(flags)
    kinds = ["corrupted", "clean"]
    DEFINE_enum("train_on", "corrupted", kinds, "Which of the two classifiers.", flag_values=flags)
    text = "Training steps of 128 images."
    DEFINE_integer("steps", 4000, text, 1, MOST_STEPS, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    if flags.dataset not in train_classifier.TRAINING_SETS:
        known = ", ".join(train_classifier.TRAINING_SETS)
        raise InputError(f"no classifier for dataset {flags.dataset!r}; datasets are {known}")
    return train_classifier.plan(
        ClassifierConfig(steps=flags.steps, seed=flags.seed),
        train_classifier.mnist_c(flags.train_on, flags.mnist_dir),
        Run(out=flags.out, given=given_from(flags)).folder(
            "classifier", flags.dataset, flags.train_on, flags.seed
        ),
        {"dataset": flags.dataset, "train_on": flags.train_on},
    )


if __name__ == "__main__":
    main(__doc__, define, plan)
