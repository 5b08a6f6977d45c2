"""Trains a class-conditional StyleGAN2 with adaptive augmentation (Karras et al. 2020).

    python -m train.stylegan2 --dataset=mnist_c --preset=mnist_c

Killed and started again, it goes on from its last checkpoint to the identical result. Where the
dataset has a bundled classifier, the snapshot of the lowest score is kept (training/quality.py).
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
from absl import flags

from analyze import flags as common
from ganfail_jax import zoo
from ganfail_jax.data.pipelines import Dataset, load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.nn import stylegan2
from ganfail_jax.training import checkpoints, loop, quality
from ganfail_jax.training.gan import PRESETS, GANConfig
from ganfail_jax.weights import store

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_run()
flags.DEFINE_string("preset", "mnist_c", "mnist_c: for two CPU cores; paper32: NVIDIA's `auto`.")
flags.DEFINE_float("total_kimg", None, "Length in thousands of images (default: the preset's).")
flags.DEFINE_integer(
    "batch_size",
    None,
    "Images per step (default: the preset's); r1_gamma and ema_kimg of the preset follow it.",
)
flags.DEFINE_float("learning_rate", None, "Of both networks; may change when a run goes on.")
flags.DEFINE_float("ema_kimg", None, "Half-life of the average; may change when a run goes on.")
flags.DEFINE_string("start_from", None, "Bundled generator or folder whose weights to start from.")
flags.DEFINE_float("warmup_kimg", None, "At first only the discriminator learns.")
common.define_resume()
for name, kimg in loop.Schedule()._asdict().items():
    flags.DEFINE_float(f"{name}_kimg", kimg, f"Thousands of images per {name}; 0: at the end only.")


def configure() -> GANConfig:
    """The preset with what the flags change.

    Raises:
        InputError: there is no such preset, or a number makes no sense.
    """
    if FLAGS.preset not in PRESETS:
        raise InputError(f"no preset is called {FLAGS.preset!r}; presets are {', '.join(PRESETS)}")
    preset = PRESETS[FLAGS.preset]
    ratio = (FLAGS.batch_size or preset.batch_size) / preset.batch_size
    # NVIDIA: gamma ~ 1 / batch, ema_kimg ~ batch
    scaled = replace(preset, r1_gamma=preset.r1_gamma / ratio, ema_kimg=preset.ema_kimg * ratio)
    names = ("total_kimg", "batch_size", "seed", "learning_rate", "ema_kimg", "warmup_kimg")
    asked = {name: FLAGS[name].value for name in names}
    return replace(scaled, **{name: v for name, v in asked.items() if v is not None})


def evaluator(config: GANConfig, dataset: Dataset) -> loop.Evaluate | None:
    """The measure by which the best snapshot is kept; None without a bundled classifier."""
    defaults = zoo.DEFAULTS.get(dataset.name)
    if defaults is None or defaults.classifiers[0] not in zoo.bundled_names(zoo.CLASSIFIERS):
        print(f"no bundled classifier for {dataset.name}: no best snapshot is kept")
        return None
    classifier, params = zoo.load_classifier(defaults.classifiers[0])
    generator = stylegan2.build(config.generator)
    return quality.evaluator(generator, classifier, params, dataset.images)


def report(folder: Path) -> None:
    for part in ("best", "latest"):
        if store.is_weights_folder(folder / part):
            about = store.load(folder / part).about
            numbers = "".join(f", {k} {v:.4g}" for k, v in about["measured"].items())
            print(f"{folder / part}: {about['images_seen']:,} images seen{numbers}")
    print(f"also {folder}/checkpoints, {folder}/sheets and {folder}/tensorboard")


def main() -> None:
    jax.config.update("jax_default_matmul_precision", None)  # only analyses need "highest"
    config = configure()
    kimg: dict[str, Any] = {name: FLAGS[f"{name}_kimg"].value for name in loop.Schedule._fields}
    folder = common.out_folder("train", "stylegan2", FLAGS.dataset, FLAGS.preset, str(FLAGS.seed))
    dataset = load_dataset(FLAGS.dataset, "train", mnist_dir=FLAGS.mnist_dir)
    if (folder / checkpoints.RUN).exists() and not FLAGS.resume:
        raise InputError(f"{folder} holds a run; go on with it by --resume or choose another --out")
    devices = f"{jax.device_count()} x {jax.devices()[0].device_kind}"
    print(f"training StyleGAN2 (preset {FLAGS.preset}) on {dataset.source}")
    print(f"{config.total_kimg:g} kimg in batches of {config.batch_size} on {devices} -> {folder}")
    loop.train(
        config,
        dataset,
        folder,
        schedule=loop.Schedule(**kimg),
        evaluate=evaluator(config, dataset),
        start=FLAGS.start_from and zoo.read_generator(FLAGS.start_from),
    )
    report(folder)


if __name__ == "__main__":
    common.run(main)
