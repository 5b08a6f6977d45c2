"""Train a classifier that is to be characterised, and measure it (Le Coz 2022, sec. 3.2)."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import files
from ganfail_jax.data import stored
from ganfail_jax.data.pipelines import Dataset, load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.nn import small_resnet
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.nn.small_resnet import SmallResNetConfig
from ganfail_jax.results import writable_folder
from ganfail_jax.statistics.proportions import wilson
from ganfail_jax.training import checkpoints
from ganfail_jax.training import classifier as training
from ganfail_jax.training.classifier import Best, ClassifierConfig
from ganfail_jax.weights import store
from ganfail_jax.writing import only_writer

WEIGHTS = "best"  # the folder of the weights within the run's, where the zoo looks for them
TRAINING_SETS = {"mnist_c": {"corrupted": "mnist_c", "clean": "mnist"}}  # of the two classifiers
KINDS = {CNNConfig: "classifier", SmallResNetConfig: small_resnet.KIND}  # in the weights' folder
NETWORKS = ("digits", small_resnet.KIND)
LEAST_CHOOSING = 100  # images; fewer would choose the step by chance


class Data(NamedTuple):
    """Images to train on, and those that classifiers are measured on, by name."""

    train: Dataset
    test: Mapping[str, Dataset]
    choosing: Dataset | None = None  # that choose the step; None: the last one is kept


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

    A tenth of the others, by their content, does not train but chooses the step: every class that
    occurs is trained on, and where they were fewer than `LEAST_CHOOSING`, none choose.

    Raises:
        InputError: they have no classes.
    """
    if len(train.class_names) < 2:
        raise InputError(f"{train.name} has no classes: put its pictures into a folder per class")
    assert train.content is not None
    chooses = stored.choosing(train.content.digests)
    trained = np.bincount(train.labels[~chooses], minlength=len(train.class_names))
    chooses &= trained[train.labels] > 0
    if np.count_nonzero(chooses) < LEAST_CHOOSING:
        return Data(train, {train.name: test})
    return Data(train.select(~chooses), {train.name: test}, train.select(chooses))


def network_for(data: Data, network: str) -> CNNConfig | SmallResNetConfig:
    """The network of a name in `NETWORKS` for the images and classes of the data.

    Raises:
        InputError: it does not take images of their size.
    """
    height, width, channels = data.train.images.shape[1:]
    num_classes = len(data.train.class_names)
    if network == small_resnet.KIND:
        return small_resnet.fitting((height, width, channels), num_classes)
    margin = _margin(height)
    if height != width or height % 2 or height < 2 * margin + 4:
        raise InputError(
            f"images of {data.train.name} are {width}x{height}; this network takes squares of an "
            "even number of pixels, at least 8: give --resolution"
        )
    return CNNConfig(
        image_shape=(height, width, channels), crop=height - 2 * margin, num_classes=num_classes
    )


def default_shift(network: CNNConfig | SmallResNetConfig) -> int:
    """Pixels: what the CNN's margin allows, of the residual network's images an eighth of a side.

    An eighth are the 4 of 32 pixels with which residual networks are trained on CIFAR-10 (He et al.
    2016, sec. 4.2).
    """
    if isinstance(network, CNNConfig):
        return min(network.margins)
    return min(network.image_shape[:2]) // 8


def _margin(height: int) -> int:
    """Rows above the CNN's crop, which it can halve twice."""
    return 2 if height % 4 == 0 else 1


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
    state = training.train(config, data.train, folder, choosing=data.choosing)
    params, kept = state.params, {}
    if isinstance(state.best, Best):
        assert data.choosing is not None
        params, kept["kept_step"] = state.best.params, int(state.best.step)
        kept["chosen_by"] = (int(state.best.correct), len(data.choosing.labels))
    classifier = training.build(config, data.train.class_names)
    recorded = {
        **about,
        **kept,
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
    store.save(weights, KINDS[type(config.network)], config.network.to_dict(), params, recorded)
    return weights, recorded


def _report(weights: Path, recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    with files.expected(weights):
        if "kept_step" in recorded:
            correct, n = recorded["chosen_by"]
            of = f"{correct:,} of {n:,} images that no step was trained on"
            print(f"step {recorded['kept_step']} is kept: it is right on most, {of}")
        for name, (correct, n) in recorded["accuracy"].items():
            low, high = wilson(np.asarray(correct), np.asarray(n))
            share = f"{correct / n:.2%} ({correct} of {n}; 95 % interval {low:.2%} to {high:.2%})"
            print(f"accuracy on {name} test: {share}")
    print(f"weights: {weights / store.CONFIG}, {weights / store.ARRAYS}")
    return recorded
