"""Which settings of a GAN suit these images and this machine? The presets `auto`.

On accelerators, StyleGAN2's are those of NVIDIA's configuration `auto` (stylegan2-ada-pytorch,
train.py, `setup_training_loop_kwargs`), with three differences: classes, where there are any, are
conditioned on; what the memory does not hold makes the batch smaller; and the number of devices
need not be a power of two. PGGAN's are the paper's (Karras et al. 2018, appendix A).

On CPUs the same rules hold, but networks are those of the presets `mnist_c`, which two cores train
in hours: a twentieth of the channels, and StyleGAN2 without path length and style mixing, as
NVIDIA's `cifar`. The channels at a resolution are 1024 / resolution and at least 16, so that every
resolution up to 64 px costs the same.
"""

from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from ganfail_jax.errors import InputError
from ganfail_jax.nn.pggan import PGGANConfig
from ganfail_jax.nn.pggan_discriminator import PGGANDiscriminatorConfig
from ganfail_jax.nn.stylegan2 import StyleGAN2Config
from ganfail_jax.nn.stylegan2_discriminator import StyleGAN2DiscriminatorConfig
from ganfail_jax.training import pggan_step, stylegan2_run
from ganfail_jax.training.pggan_step import PGGANRun
from ganfail_jax.training.recipe import RunConfig
from ganfail_jax.training.stylegan2_run import StyleGAN2Run

LEAST_CHANNELS = 16  # of a resolution, on CPUs
WORKSPACE = 6  # times a sample's layers of both networks in float32; R1 takes 3.7 to 4.3 times them
COPIES = 5  # of the parameters: themselves, their average, their gradient and Adam's two moments

AS_PRESET = ("pl_weight", "style_mixing", "total_kimg")  # of StyleGAN2 on CPUs

Config = TypeVar("Config", bound=RunConfig)


class Situation(NamedTuple):
    """What the settings follow from."""

    image_shape: tuple[int, int, int]  # (h, w, c)
    num_classes: int
    devices: int = 1
    cpu: bool = True
    memory: int | None = None  # bytes of a device; None: unknown

    def shared(self) -> dict[str, Any]:
        """Settings that generator and discriminator share; one class is none.

        Raises:
            InputError: the images are not squares of a power of two.
        """
        height, width, channels = self.image_shape
        if height != width or height < 4 or height & (height - 1):
            raise InputError(
                f"images are {width}x{height}, but GANs make squares of 4, 8, 16, 32, ... pixels: "
                "give --resolution"
            )
        classes = self.num_classes if self.num_classes > 1 else 0
        return {"resolution": height, "img_channels": channels, "num_classes": classes}


def stylegan2(situation: Situation) -> StyleGAN2Run:
    """A training of StyleGAN2; raises as `Situation.shared`."""
    shared, devices = situation.shared(), situation.devices
    resolution = shared["resolution"]
    batch = max(min(devices * min(4096 // resolution, 32), 64), devices)
    group = min(batch // devices, 4)
    batch -= batch % (devices * group)
    if situation.cpu:
        preset = stylegan2_run.PRESETS["mnist_c"]
        shared["channel_base"] = _channel_base(preset.generator.channel_base, resolution)
        generator = replace(preset.generator, **shared)
        discriminator = replace(preset.discriminator, class_head=False, **shared)
        others = {name: getattr(preset, name) for name in AS_PRESET}
    else:
        shared |= {"channel_base": 32768 if resolution >= 512 else 16384, "conv_clamp": 256.0}
        generator = StyleGAN2Config(mapping_layers=2, **shared)
        discriminator = StyleGAN2DiscriminatorConfig(**shared)
        others = {}
    config = StyleGAN2Run(
        generator=generator,
        discriminator=replace(discriminator, group_size=group),
        batch_size=batch,
        learning_rate=0.002 if resolution >= 1024 else 0.0025,
        r1_gamma=0.0002 * resolution**2 / batch,
        ema_kimg=batch * 10 / 32,
        **others,
    )
    return _held(config, situation)


def pggan(situation: Situation) -> PGGANRun:
    """A training of PGGAN; raises as `Situation.shared`.

    On CPUs R1 grows with the pixels, as NVIDIA's rule for StyleGAN2 has it.
    """
    shared, devices = situation.shared(), situation.devices
    resolution = shared["resolution"]
    if situation.cpu:
        preset = pggan_step.PRESETS["mnist_c"]
        parts = (preset.generator, preset.discriminator)
        bases = [_channel_base(part.channel_base, resolution) for part in parts]
        generator = replace(preset.generator, **shared, channel_base=bases[0])
        discriminator = replace(preset.discriminator, **shared, channel_base=bases[1])
        gamma = preset.r1_gamma * (resolution / preset.generator.resolution) ** 2
    else:
        preset, gamma = PGGANRun(), PGGANRun.r1_gamma
        generator = PGGANConfig(**shared)
        discriminator = PGGANDiscriminatorConfig(**shared)
    batch = max(preset.batch_size, devices)
    group = min(batch // devices, 4)
    config = replace(
        preset,
        generator=generator,
        discriminator=replace(discriminator, group_size=group),
        batch_size=batch - batch % (devices * group),
        r1_gamma=gamma,
    )
    return _held(config, situation)


def _channel_base(preset: int, resolution: int) -> int:
    return max(preset, LEAST_CHANNELS * resolution)


def bytes_needed(config: RunConfig, devices: int) -> int:
    """An estimate of what a step takes on each device."""
    generator, discriminator = config.generator, config.discriminator
    layers = parameters = 0
    for resolution in generator.resolutions:
        for network in (generator, discriminator):
            channels, smaller = (network.channels(max(4, r)) for r in (resolution, resolution // 2))
            layers += 2 * channels * resolution**2
            parameters += 9 * channels * (channels + smaller)
    return 4 * (COPIES * parameters + WORKSPACE * layers * -(-config.batch_size // devices))


def _held(config: Config, situation: Situation) -> Config:
    """With the batch halved until half of the memory holds it, or each device has one group."""
    least = situation.devices * config.discriminator.group_size
    held: Any = config
    while situation.memory is not None and held.batch_size >= 2 * least:
        if bytes_needed(held, situation.devices) <= situation.memory // 2:
            break
        half = held.batch_size // 2
        held = held.with_batch_size(half - half % least)
    return held
