"""What every command that trains a GAN has in common: its flags, its course and its report."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import jax
from absl import flags

from analyze import flags as common
from ganfail_jax import zoo
from ganfail_jax.data.pipelines import Dataset, load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import networks
from ganfail_jax.training import checkpoints, loop, quality
from ganfail_jax.training.recipe import RunConfig
from ganfail_jax.weights import store

FLAGS = flags.FLAGS
Run = TypeVar("Run", bound=RunConfig)
REAL_FOR_CLASSIFIER, REAL_FOR_INCEPTION = 10_000, 2_000  # real images that the score compares with
SETTINGS = ("total_kimg", "batch_size", "seed", "learning_rate", "ema_kimg")


def define_flags(presets: str) -> None:
    """The flags of `SETTINGS`, and where the run's data, start and results are."""
    common.define_dataset()
    common.define_mnist_dir()
    common.define_run()
    flags.DEFINE_string("preset", "mnist_c", presets)
    flags.DEFINE_float("total_kimg", None, "Length in thousands of images (default: the preset's).")
    flags.DEFINE_integer(
        "batch_size", None, "Images per step (default: the preset's); other settings follow it."
    )
    flags.DEFINE_float("learning_rate", None, "Of both networks; may change when a run goes on.")
    flags.DEFINE_float("ema_kimg", None, "Half-life of the average; may change when a run goes on.")
    flags.DEFINE_string("start_from", None, "Generator whose weights to start from.")
    text = "Folder of a training run, or weights, whose discriminator to start from."
    flags.DEFINE_string("start_discriminator", None, text)
    text = "File of Inception's weights, for the score (default: of an installed package, if any)."
    flags.DEFINE_string("inception_weights", None, text)
    common.define_resume()
    for name, kimg in loop.Schedule()._asdict().items():
        flags.DEFINE_float(
            f"{name}_kimg", kimg, f"Thousands of images per {name}; 0: at the end only."
        )


def configure(
    presets: Mapping[str, Run],
    scale: Callable[[Run, float], Run],
    more: tuple[str, ...] = (),
) -> Run:
    """The preset with what the flags change.

    Args:
        scale: changes what follows the batch size, given its ratio to the preset's.
        more: flags besides SETTINGS that are settings.

    Raises:
        InputError: there is no such preset, or a number makes no sense.
    """
    if FLAGS.preset not in presets:
        raise InputError(f"no preset is called {FLAGS.preset!r}; presets are {', '.join(presets)}")
    preset = presets[FLAGS.preset]
    ratio = (FLAGS.batch_size or preset.batch_size) / preset.batch_size
    asked = {name: FLAGS[name].value for name in (*SETTINGS, *more)}
    return replace(scale(preset, ratio), **{n: v for n, v in asked.items() if v is not None})


def evaluator(
    config: RunConfig, network: Any, dataset: Dataset
) -> tuple[loop.Evaluate | None, str | None]:
    """The measure by which the best snapshot is kept, and what its score is of.

    None without a bundled classifier.
    """
    defaults = zoo.DEFAULTS.get(dataset.name)
    if defaults is None or defaults.classifiers[0] not in zoo.bundled_names(zoo.CLASSIFIERS):
        print(f"no bundled classifier for {dataset.name}: no best snapshot is kept")
        return None, None
    classifier, params = zoo.load_classifier(defaults.classifiers[0])
    features = networks.load_if_any("inception", FLAGS.inception_weights)
    scored_on = features.name if features else "classifier features"
    print(f"snapshots are scored on {scored_on}")
    evaluate = quality.evaluator(
        network.build(config.generator),
        classifier,
        params,
        dataset.images,
        features=features,
        num_real=REAL_FOR_INCEPTION if features else REAL_FOR_CLASSIFIER,
    )
    return evaluate, scored_on


def report(folder: Path) -> None:
    for part in ("best", "latest"):
        if store.is_weights_folder(folder / part):
            about = store.load(folder / part).about
            numbers = "".join(f", {k} {v:.4g}" for k, v in about["measured"].items())
            print(f"{folder / part}: {about['images_seen']:,} images seen{numbers}")
    print(f"also {folder}/checkpoints, {folder}/sheets and {folder}/tensorboard")


def _read(read: Callable[[str], store.Stored], name: str | None) -> store.Stored | None:
    """The stored weights of this name; None without a name."""
    return None if name is None else read(name)


def train(name: str, title: str, config: RunConfig) -> None:
    """Run the training that the flags describe.

    Args:
        name: of the command, for the default folder.
        title: of the method, for a person.
    """
    jax.config.update("jax_default_matmul_precision", None)  # only analyses need "highest"
    kimg: dict[str, Any] = {name: FLAGS[f"{name}_kimg"].value for name in loop.Schedule._fields}
    folder = common.out_folder("train", name, FLAGS.dataset, FLAGS.preset, str(FLAGS.seed))
    dataset = load_dataset(FLAGS.dataset, "train", mnist_dir=FLAGS.mnist_dir)
    if (folder / checkpoints.RUN).exists() and not FLAGS.resume:
        raise InputError(f"{folder} holds a run; go on with it by --resume or choose another --out")
    devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    print(f"training {title} (preset {FLAGS.preset}) on {dataset.source}")
    print(f"{config.total_kimg:g} kimg in batches of {config.batch_size} on {devices} -> {folder}")
    evaluate, scored_on = evaluator(config, zoo.NETWORKS[name][1], dataset)
    loop.train(
        config,
        dataset,
        folder,
        schedule=loop.Schedule(**kimg),
        evaluate=evaluate,
        scored_on=scored_on,
        start=_read(common.read_generator, FLAGS.start_from),
        start_discriminator=_read(zoo.read_discriminator, FLAGS.start_discriminator),
    )
    report(folder)
