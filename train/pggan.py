"""Trains a progressively growing GAN (Karras et al. 2018).

    python -m train.pggan --dataset=mnist_c --preset=mnist_c

Every resolution is faded in over --fade_kimg and then trained for --stable_kimg; from the last one
on it is trained to the end. Killed and started again, it goes on from its last checkpoint to the
identical result. Where the dataset has a bundled classifier, the snapshot of the lowest score at
full resolution is kept (training/quality.py).
"""

from dataclasses import replace

from absl import flags

from analyze import flags as common
from ganfail_jax.training.pggan_step import PRESETS, PGGANRun
from train import entry

FLAGS = flags.FLAGS
entry.define_flags("mnist_c: for two CPU cores; paper32: the paper's settings, 32 px.")
flags.DEFINE_enum("loss", None, ["wgan_gp", "r1"], "Default: the preset's.")
flags.DEFINE_float("gp_weight", None, "Weight of WGAN-GP's gradient penalty.")
flags.DEFINE_float("r1_gamma", None, "Weight of R1.")
flags.DEFINE_integer("first_resolution", None, "Where growing begins.")
flags.DEFINE_float("stable_kimg", None, "Thousands of images per resolution after its fade-in.")
flags.DEFINE_float("fade_kimg", None, "Thousands of images per fade-in.")
SETTINGS = ("loss", "gp_weight", "r1_gamma", "first_resolution", "stable_kimg", "fade_kimg")


def scale(preset: PGGANRun, ratio: float) -> PGGANRun:
    """The average is over the same number of steps."""
    return replace(preset, ema_kimg=preset.ema_kimg * ratio)


def configure() -> PGGANRun:
    return entry.configure(PRESETS, scale, SETTINGS)


def main() -> None:
    entry.train("pggan", "PGGAN", configure())


if __name__ == "__main__":
    common.run(main)
