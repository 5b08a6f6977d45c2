"""How a StyleGAN2 is trained: the settings of a run, and presets."""

import math
from dataclasses import dataclass, field, replace

from ganfail_jax.errors import InputError
from ganfail_jax.nn.stylegan2 import StyleGAN2Config
from ganfail_jax.nn.stylegan2_discriminator import StyleGAN2DiscriminatorConfig
from ganfail_jax.training.recipe import RunConfig


@dataclass(frozen=True, kw_only=True)
class StyleGAN2Run(RunConfig):
    """A training run. Defaults: NVIDIA's `auto` recipe where the paper gives no number.

    Raises:
        InputError: the networks do not fit together, or the batch cannot be split as needed.
    """

    generator: StyleGAN2Config = field(default_factory=StyleGAN2Config)
    discriminator: StyleGAN2DiscriminatorConfig = field(
        default_factory=StyleGAN2DiscriminatorConfig
    )
    batch_size: int = 64
    learning_rate: float = 0.0025
    r1_gamma: float = 0.0032
    r1_interval: int = 16
    pl_weight: float = 2.0
    pl_decay: float = 0.01
    pl_interval: int = 4
    pl_batch_shrink: int = 2
    style_mixing: float = 0.9  # probability that a second latent takes over from a random layer on
    w_avg_decay: float = 0.995
    ema_kimg: float = 20.0
    ema_rampup: float = 0.05
    augment: bool = True  # ADA with the `bgc` pipe
    ada_target: float = 0.6
    ada_interval: int = 4
    ada_kimg: float = 500.0
    total_kimg: float = 25000.0
    warmup_kimg: float = 0.0  # first only D learns: for a generator that starts from weights
    decay_kimg: float = 0.0  # the learning rate falls linearly to 0 over the last so many kimg
    view_images: bool = False  # D sees 8-bit images of the generator, as it sees real ones
    class_weight: float = 0.0  # of the class loss; above 0 D judges classes, too (`class_head`)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("warmup_kimg", "decay_kimg", "class_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.class_weight > 0 and not self.discriminator.class_head:
            raise InputError(
                f"class_weight {self.class_weight} needs a discriminator with class_head"
            )
        if self.batch_size < self.pl_batch_shrink:
            raise InputError(
                f"batch_size {self.batch_size} must be at least {self.pl_batch_shrink}: path "
                "length takes that part of a batch"
            )

    def with_batch_size(self, batch_size: int) -> "StyleGAN2Run":
        """For another batch, by NVIDIA's rules: gamma ~ 1 / batch, ema_kimg ~ batch."""
        ratio = batch_size / self.batch_size
        ema_kimg, r1_gamma = self.ema_kimg * ratio, self.r1_gamma / ratio
        return replace(self, batch_size=batch_size, ema_kimg=ema_kimg, r1_gamma=r1_gamma)


PRESETS: dict[str, StyleGAN2Run] = {
    # Small enough to train and analyse on two CPU cores; S has 640 dimensions. Without path length
    # and style mixing, as NVIDIA's `cifar` preset, also of 32 px.
    "mnist_c": StyleGAN2Run(
        generator=StyleGAN2Config(
            z_dim=128, w_dim=128, mapping_layers=2, channel_base=1024, channel_max=64
        ),
        discriminator=StyleGAN2DiscriminatorConfig(
            channel_base=1024, channel_max=128, mapping_layers=2, class_head=True
        ),
        batch_size=32,
        r1_gamma=0.0064,
        pl_weight=0.0,
        style_mixing=0.0,
        ema_kimg=10.0,
        augment=False,
        total_kimg=4000.0,
        view_images=True,
        class_weight=0.06,
    ),
    # NVIDIA's `auto` for 32 px on 4 GPUs, as the paper used.
    "paper32": StyleGAN2Run(
        generator=StyleGAN2Config(mapping_layers=2, channel_base=16384, conv_clamp=256.0),
        discriminator=StyleGAN2DiscriminatorConfig(channel_base=16384, conv_clamp=256.0),
    ),
}
