"""GANs of 8x8 and 4x4 images, shared by the tests because compiling them takes most of the time."""

from dataclasses import replace

import numpy as np

from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.data.pipelines import Dataset
from ganfail_jax.nn.pggan import PGGANConfig
from ganfail_jax.nn.pggan_discriminator import PGGANDiscriminatorConfig
from ganfail_jax.nn.stylegan2_discriminator import StyleGAN2DiscriminatorConfig
from ganfail_jax.training.pggan_step import PGGANRun
from ganfail_jax.training.stylegan2_run import StyleGAN2Run
from tests import tiny

CONDITIONAL = StyleGAN2Run(
    generator=tiny.CONFIG,
    discriminator=StyleGAN2DiscriminatorConfig(
        resolution=8, num_classes=3, channel_base=64, channel_max=8, mapping_layers=1
    ),
    batch_size=4,
    r1_interval=4,
    pl_interval=2,
    ema_kimg=0.02,
    augment=False,
    total_kimg=0.04,  # 10 steps
    seed=3,
)
AUGMENTED = replace(
    CONDITIONAL,
    generator=replace(tiny.CONFIG, resolution=4, num_classes=0),
    discriminator=replace(CONDITIONAL.discriminator, resolution=4, num_classes=0),
    style_mixing=0.0,
    augment=True,
    ada_interval=2,
    ada_kimg=0.05,
    ada_target=0.0,
)
GROWING = PGGANRun(
    generator=PGGANConfig(resolution=8, num_classes=3, z_dim=6, channel_base=32, channel_max=6),
    discriminator=PGGANDiscriminatorConfig(
        resolution=8, num_classes=3, channel_base=64, channel_max=8
    ),
    batch_size=4,
    penalty_interval=2,
    stable_kimg=0.012,  # 3 steps of 4 px, then 3 in which 8 px come in
    fade_kimg=0.012,
    ema_kimg=0.02,
    total_kimg=0.04,
    seed=3,
)


def dataset(size: int = 8) -> Dataset:
    images = np.random.default_rng(7).integers(0, 256, (30, size, size, 1), np.uint8)
    labels = np.arange(len(images), dtype=np.int32) % 3
    return Dataset("made_up", in_memory(images), labels, tiny.CLASS_NAMES, "made up", {})
