"""Train a GAN, keeping its best snapshot, and say what was written."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ganfail_jax.data.pipelines import Dataset
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.features import Features
from ganfail_jax.training import checkpoints, loop, quality
from ganfail_jax.training.loop import RECIPES, Judge, Schedule, Start, Training
from ganfail_jax.training.recipe import RunConfig
from ganfail_jax.types import Classifier, Params
from ganfail_jax.weights import store

REAL_FOR_CLASSIFIER, REAL_FOR_FEATURES = 10_000, 2_000  # real images that the score compares with


def judge(
    config: RunConfig,
    dataset: Dataset,
    classifier: Classifier,
    params: Params,
    features: Features | None = None,
    origin: str = "",
) -> Judge:
    """Snapshots are measured by `training.quality`, their score by features.

    Args:
        features: of the score; None: the classifier's.
        origin: of the classifier, which tells its scores from another's.

    Raises:
        InputError: the images or the classes of generator, classifier and data do not fit together,
            or classifier and data have the same classes in another order.
    """
    names = classifier.class_names
    same = {*names} == {*dataset.class_names}
    if config.generator.num_classes and same and names != dataset.class_names:
        raise InputError(
            f"the classifier has the classes of {dataset.name} in another order, "
            f"{', '.join(names)} instead of {', '.join(dataset.class_names)}; train it on these "
            "data, or give its --class_names"
        )
    evaluate = quality.evaluator(
        RECIPES[type(config)](config).network.build(config.generator),
        classifier,
        params,
        dataset.images,
        features=features,
        num_real=REAL_FOR_FEATURES if features else REAL_FOR_CLASSIFIER,
    )
    own = "features" if classifier.features else "logits"
    of = f" of {origin}" if origin else ""
    return Judge(evaluate, features.name if features else f"classifier {own}{of}")


def plan(
    config: RunConfig,
    dataset: Dataset,
    folder: Path,
    *,
    schedule: Schedule = Schedule(),
    judge: Judge | None = None,
    start: Start = Start(),
    resume: bool = True,
) -> Callable[[], Any]:
    """The training of a GAN in a folder, which is resumed if it was begun there.

    It runs in JAX's default precision of matrix products; only analyses need the highest.

    Args:
        judge: None: no best snapshot is kept.
        resume: False: a run in the folder is refused.

    Raises:
        InputError: data, networks, weights and devices do not fit together, or as `resume` says.
    """
    if not resume and (folder / checkpoints.RUN).exists():
        raise InputError(f"{folder} holds a run; resume it by --resume or choose another --out")
    training = loop.prepare(config, dataset, folder, schedule=schedule, judge=judge, start=start)
    return partial(_train, training)


def _train(training: Training) -> Any:
    state = loop.train(training)
    folder = training.folder
    for part in ("best", "latest"):
        if store.is_weights_folder(folder / part):
            about = store.load(folder / part).about
            numbers = "".join(f", {k} {v:.4g}" for k, v in about["measured"].items())
            print(f"{folder / part}: {about['images_seen']:,} images seen{numbers}")
    print(f"also {folder}/checkpoints, {folder}/sheets and {folder}/tensorboard")
    return state
