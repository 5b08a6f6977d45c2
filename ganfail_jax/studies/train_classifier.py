"""Train a classifier that is to be characterised, and measure it (Le Coz 2022, sec. 3.2)."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import files
from ganfail_jax.data.pipelines import Dataset, load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.nn import classifiers
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.results import writable_folder
from ganfail_jax.statistics.proportions import wilson
from ganfail_jax.training import checkpoints
from ganfail_jax.training import classifier as training
from ganfail_jax.training.classifier import ClassifierConfig
from ganfail_jax.weights import store
from ganfail_jax.writing import only_writer

WEIGHTS = "best"  # the folder of the weights within the run's, where the zoo looks for them
TRAINING_SETS = {"mnist_c": {"corrupted": "mnist_c", "clean": "mnist"}}  # of the two classifiers


class Data(NamedTuple):
    """Images to train on, and those that classifiers are measured on, by name."""

    train: Dataset
    test: Mapping[str, Dataset]


def mnist_c(train_on: str, mnist_dir: str | None = None) -> Data:
    """Data of one of the paper's two classifiers; both are measured on the same images.

    Raises:
        InputError: MNIST is missing or damaged.
    """
    train = load_dataset(TRAINING_SETS["mnist_c"][train_on], "train", mnist_dir=mnist_dir)
    mixed = load_dataset("mnist_c", "test", mnist_dir=mnist_dir)
    half = mixed.attributes["noise_severity"] > 0
    corrupted = mixed.select(half)
    clean = load_dataset("mnist", "test", mnist_dir=mnist_dir)
    return Data(train, {"mnist": clean, "mnist_c": mixed, "mnist_c corrupted half": corrupted})


def own(train: Dataset, test: Dataset) -> Data:
    """Data of the user's own pictures, measured on those that are held out.

    Raises:
        InputError: they have no classes.
    """
    if len(train.class_names) < 2:
        raise InputError(f"{train.name} has no classes: put its pictures into a folder per class")
    return Data(train, {train.name: test})


def fitting(data: Data, config: ClassifierConfig) -> ClassifierConfig:
    """The configuration for images of other size, colours and classes than the digits.

    Raises:
        InputError: the images are not square, or of a size that the network cannot halve twice.
    """
    height, width, channels = data.train.images.shape[1:]
    margin = 2 if height % 4 == 0 else 1
    if height != width or height % 2 or height < 2 * margin + 4:
        raise InputError(
            f"images of {data.train.name} are {width}x{height}; this network takes squares of an "
            "even number of pixels, at least 8: give --resolution"
        )
    network = CNNConfig(
        image_shape=(height, width, channels),
        crop=height - 2 * margin,
        num_classes=len(data.train.class_names),
    )
    return replace(config, network=network, max_shift=margin)


def plan(
    config: ClassifierConfig, data: Data, folder: Path, about: Mapping[str, Any]
) -> Callable[[], Mapping[str, Any]]:
    """The training in a folder, resumed or reused if the folder holds it; returns what it records.

    Args:
        about: recorded with the weights.

    Raises:
        TrainingError: the folder holds another classifier.
    """
    _recorded(config, data, folder)
    return partial(_train_once, config, data, folder, about)


def _recorded(
    config: ClassifierConfig, data: Data, folder: Path
) -> tuple[Path, Mapping[str, Any]] | None:
    """The weights that the folder holds and what they record; raises as `plan`."""
    for weights in (folder / WEIGHTS, folder):  # the folder itself: of earlier versions
        if store.is_weights_folder(weights):
            recorded = store.load(weights).about
            wanted = training.identity(config, data.train)
            training.check_same(folder, recorded.get("run", {"config": {}}), wanted)
            return weights, recorded
    return None


def _train_once(
    config: ClassifierConfig, data: Data, folder: Path, about: Mapping[str, Any]
) -> Mapping[str, Any]:
    with only_writer(writable_folder(folder)):
        store.settle(folder / WEIGHTS)
        present = _recorded(config, data, folder)
        if present is None:
            present = _train(config, data, folder, about)
        else:
            print(f"{folder} already holds this classifier")
        shutil.rmtree(folder / checkpoints.STATES, ignore_errors=True)
    return _report(*present)


def _train(
    config: ClassifierConfig, data: Data, folder: Path, about: Mapping[str, Any]
) -> tuple[Path, Mapping[str, Any]]:
    print(f"training on {data.train.name} for {config.steps} steps; {data.train.source}")
    params = training.train(config, data.train, folder)
    classifier = classifiers.build(config.network, data.train.class_names)
    recorded = {
        **about,
        "class_names": list(data.train.class_names),
        "seed": config.seed,
        "epochs": config.steps * config.batch_size / len(data.train.labels),
        "accuracy": {  # test set -> correct, n
            name: training.accuracy(classifier, params, images)
            for name, images in data.test.items()
        },
        "run": training.identity(config, data.train),
    }
    weights = folder / WEIGHTS
    store.save(weights, "classifier", config.network.to_dict(), params, recorded)
    return weights, recorded


def _report(weights: Path, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    with files.expected(weights):
        for name, (correct, n) in recorded["accuracy"].items():
            low, high = wilson(np.asarray(correct), np.asarray(n))
            share = f"{correct / n:.2%} ({correct} of {n}; 95 % interval {low:.2%} to {high:.2%})"
            print(f"accuracy on {name} test: {share}")
    print(f"weights: {weights / store.CONFIG}, {weights / store.ARRAYS}")
    return recorded
