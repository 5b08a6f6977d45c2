"""Train a classifier: one of the two of Le Coz 2022, sec. 3.2, or one of your own pictures.

    python -m train.classifier --dataset=mnist_c --train_on=corrupted
    python -m train.classifier --dataset=FOLDER

"corrupted" is the training set as the paper made it (half clean, half blurred and noisy), "clean"
the same digits untouched. The paper reports 97 % on the corrupted test set for the former. Of your
own pictures a tenth, chosen by their content, is held out and measured; a tenth of the others
chooses the training step that is kept.
"""

from absl.flags import DEFINE_bool, DEFINE_enum, DEFINE_integer, FlagValues

from ganfail_jax.cli.bounds import MOST, MOST_STEPS
from ganfail_jax.cli.datasets import dataset_from, define_training_set, training_set_from
from ganfail_jax.cli.flags import define_out, define_seed, given_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Run
from ganfail_jax.studies import train_classifier
from ganfail_jax.training.classifier import ClassifierConfig, balanced_weights


def define(flags: FlagValues) -> None:
    define_training_set(flags)
    define_seed(flags)
    define_out(flags)
    kinds = ["corrupted", "clean"]
    text = "mnist_c: which of the two classifiers."
    DEFINE_enum("train_on", "corrupted", kinds, text, flag_values=flags)
    text = "Own pictures: classes weigh alike in the loss, however many pictures they have."
    DEFINE_bool("balance", False, text, flag_values=flags)
    text = "The digits' CNN, or a small residual network (default: digits for mnist_c alone)."
    DEFINE_enum("network", None, train_classifier.NETWORKS, text, flag_values=flags)
    text = "Pixels of random shifts, at most (default: the digits' margin, else 1/8 of a side)."
    DEFINE_integer("shift", None, text, 0, MOST, flag_values=flags)
    text = "Training steps of 128 images."
    DEFINE_integer("steps", 4000, text, 1, MOST_STEPS, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    weights = None
    if flags.dataset == "mnist":
        raise InputError("the classifier of mnist is --dataset=mnist_c --train_on=clean")
    if flags.dataset in train_classifier.TRAINING_SETS:
        for name in ("mirror", "balance"):
            if flags[name].value:
                raise InputError(f"--{name} is for pictures of your own: leave it out")
        data, kind = train_classifier.mnist_c(flags.train_on, flags.mnist_dir), flags.train_on
        about = {"dataset": flags.dataset, "train_on": flags.train_on}
    elif flags["train_on"].present:
        raise InputError("--train_on is for --dataset=mnist_c: leave it out")
    else:
        train = training_set_from(flags)
        data, kind = train_classifier.own(train, dataset_from(flags, "test")), "own"
        if flags.balance:
            weights = balanced_weights(data.train.labels, len(train.class_names))
        about = {"dataset": train.name}
    network = train_classifier.network_for(
        data, flags.network or train_classifier.NETWORKS[kind == "own"]
    )
    shift = train_classifier.default_shift(network) if flags.shift is None else flags.shift
    config = ClassifierConfig(
        network=network,
        steps=flags.steps,
        max_shift=shift,
        class_weights=weights,
        seed=flags.seed,
    )
    names = ("classifier", data.train.name, kind, flags.seed)
    folder = Run(out=flags.out, given=given_from(flags)).folder(*names)
    return train_classifier.plan(config, data, folder, about)


if __name__ == "__main__":
    main(__doc__, define, plan)
