"""Trains a class-conditional StyleGAN2 with adaptive augmentation (Karras et al. 2020).

    python -m train.stylegan2 --dataset=mnist_c --preset=mnist_c

Killed and started again, it goes on from its last checkpoint to the identical result. Where the
dataset has a bundled classifier, the snapshot of the lowest score is kept (training/quality.py).
"""

from dataclasses import replace

from absl import flags

from analyze import flags as common
from ganfail_jax.training.stylegan2_step import PRESETS, StyleGAN2Run
from train import entry

FLAGS = flags.FLAGS
entry.define_flags("mnist_c: for two CPU cores; paper32: NVIDIA's `auto`.")
flags.DEFINE_float("warmup_kimg", None, "At first only the discriminator learns.")
text = "The learning rate falls to 0 over the last so many thousands of images; may change."
flags.DEFINE_float("decay_kimg", None, text)
flags.DEFINE_float("class_weight", None, "Weight of the class loss (default: the preset's).")


def scale(preset: StyleGAN2Run, ratio: float) -> StyleGAN2Run:
    """NVIDIA: gamma ~ 1 / batch, ema_kimg ~ batch."""
    return replace(preset, r1_gamma=preset.r1_gamma / ratio, ema_kimg=preset.ema_kimg * ratio)


def configure() -> StyleGAN2Run:
    return entry.configure(PRESETS, scale, ("warmup_kimg", "decay_kimg", "class_weight"))


def main() -> None:
    entry.train("stylegan2", "StyleGAN2", configure())


if __name__ == "__main__":
    common.run(main)
