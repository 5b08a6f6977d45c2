"""Trains one of the two classifiers of Le Coz 2022, sec. 3.2, and measures it on the test sets.

    python -m train.classifier --dataset=mnist_c --train_on=corrupted

"corrupted" is the training set as the paper made it (half clean, half blurred and noisy), "clean"
the same digits untouched. The paper reports 97 % on the corrupted test set for the former.
"""

from typing import Any

import scipy
from absl import flags

from analyze import flags as common
from ganfail_jax.data.pipelines import Dataset, load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.nn import classifiers
from ganfail_jax.results import writable_folder
from ganfail_jax.training import classifier as training
from ganfail_jax.weights import store

TRAINING_SETS = {"mnist_c": {"corrupted": "mnist_c", "clean": "mnist"}}

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_run()
flags.DEFINE_enum("train_on", "corrupted", ["corrupted", "clean"], "Which of the two classifiers.")
flags.DEFINE_integer("steps", 4000, "Training steps of 128 images.", lower_bound=1)


def test_sets(mnist_dir: str | None) -> dict[str, Dataset]:
    """Name -> images on which both classifiers are measured."""
    mixed = load_dataset("mnist_c", "test", mnist_dir=mnist_dir)
    half = mixed.attributes["noise_severity"] > 0
    corrupted = mixed._replace(images=mixed.images[half], labels=mixed.labels[half])
    clean = load_dataset("mnist", "test", mnist_dir=mnist_dir)
    return {"mnist": clean, "mnist_c": mixed, "mnist_c corrupted half": corrupted}


def report(about: dict[str, Any]) -> None:
    for name, (correct, n) in about["accuracy"].items():
        low, high = scipy.stats.binomtest(correct, n).proportion_ci(method="wilson")
        share = f"{correct / n:.2%} ({correct} of {n}; 95 % interval {low:.2%} to {high:.2%})"
        print(f"accuracy on {name} test: {share}")


def main() -> None:
    if FLAGS.dataset not in TRAINING_SETS:
        known = ", ".join(TRAINING_SETS)
        raise InputError(f"no classifier for dataset {FLAGS.dataset!r}; datasets are {known}")
    folder = common.out_folder("classifier", FLAGS.dataset, FLAGS.train_on, str(FLAGS.seed))
    name = TRAINING_SETS[FLAGS.dataset][FLAGS.train_on]
    dataset = load_dataset(name, "train", mnist_dir=FLAGS.mnist_dir)
    config = training.ClassifierConfig(steps=FLAGS.steps, seed=FLAGS.seed)
    identity = training.identity(config, dataset)
    if store.is_weights_folder(folder):
        about = store.load(folder).about
        training.check_same(folder, about.get("run", {"config": {}}), identity)
        print(f"{folder} already holds this classifier")
    else:
        writable_folder(folder.absolute().parent)
        writable_folder(folder)
        print(f"training on {name} for {config.steps} steps; {dataset.source}")
        params = training.train(config, dataset, folder)
        classifier = classifiers.build(config.network, dataset.class_names)
        about = {
            "dataset": FLAGS.dataset,
            "train_on": FLAGS.train_on,
            "class_names": list(dataset.class_names),
            "seed": FLAGS.seed,
            "epochs": config.steps * config.batch_size / len(dataset.images),
            "accuracy": {  # test set -> correct, n
                name: training.accuracy(classifier, params, images)
                for name, images in test_sets(FLAGS.mnist_dir).items()
            },
            "run": identity,
        }
        store.save(folder, "classifier", config.network.to_dict(), params, about)
    report(about)
    print(f"weights: {folder / store.CONFIG}, {folder / store.ARRAYS}")


if __name__ == "__main__":
    common.run(main)
