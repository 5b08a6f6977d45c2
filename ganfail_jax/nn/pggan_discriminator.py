"""PGGAN's discriminator (Karras et al. 2018): how real is an image, and of which class?

Sources of conventions: as for the generator, in pggan.py.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from ganfail_jax.nn import limits, ops
from ganfail_jax.nn.pggan import Layer, conv2d_downsampled, downsample_mean, module_name
from ganfail_jax.types import Discriminator, Params


@dataclass(frozen=True)
class PGGANDiscriminatorConfig:
    """Everything that fixes the architecture."""

    resolution: int = 32
    img_channels: int = 1
    num_classes: int = 10  # 0: unconditional
    channel_base: int = 16384
    channel_max: int = 512
    group_size: int = 4  # minibatch standard deviation

    def __post_init__(self) -> None:
        limits.check(self)

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class PGGANDiscriminator(nn.Module):
    """Image -> score [b] (large means real) and logits of the classes [b,k] (appendix A, table 2).

    As NVIDIA's code does, the class is judged beside the score (AC-GAN, Odena et al. 2017), and
    means of pixels are taken before the bias and the leaky ReLU (`fused_scale`).
    """

    config: PGGANDiscriminatorConfig

    @nn.compact
    def __call__(
        self, images: Float[Array, "b h w c"], alpha: float | Float[Array, ""] | None = None
    ) -> tuple[Float[Array, " b"], Float[Array, "b k"]]:
        """
        Args:
            alpha: weight of the last resolution's block, as for the generator.
        """
        config, resolution = self.config, self.config.resolution
        x = self._from_rgb(images, resolution)
        while resolution > 4:
            inner, outer = config.channels(resolution), config.channels(resolution // 2)
            conv0 = Layer(inner, name=module_name(resolution, "conv0"))
            conv1 = Layer(outer, conv=conv2d_downsampled, name=module_name(resolution, "conv1"))
            x = nn.leaky_relu(conv1(nn.leaky_relu(conv0(x), 0.2)), 0.2)
            if alpha is not None and resolution == config.resolution:
                smaller = self._from_rgb(downsample_mean(images), resolution // 2)
                x = smaller + alpha * (x - smaller)
            resolution //= 2
        x = ops.minibatch_stddev(x, config.group_size)
        x = nn.leaky_relu(Layer(config.channels(4), name=module_name(4, "conv"))(x), 0.2)
        x = x.reshape(x.shape[0], 1, 1, -1)
        fc = Layer(config.channels(2), kernel_size=1, name=module_name(4, "fc"))
        out = Layer(1 + config.num_classes, kernel_size=1, gain=1.0, name=module_name(4, "out"))
        x = out(nn.leaky_relu(fc(x), 0.2))[:, 0, 0]
        return x[:, 0], x[:, 1:]

    def _from_rgb(self, images: Array, resolution: int) -> Float[Array, "b h w c"]:
        features, name = self.config.channels(resolution), module_name(resolution, "fromrgb")
        return nn.leaky_relu(Layer(features, kernel_size=1, name=name)(images), 0.2)


def init(config: PGGANDiscriminatorConfig, key: Array) -> Params:
    """Fresh variables {"params"} in float32."""
    images = jnp.zeros((1, config.resolution, config.resolution, config.img_channels))
    return {"params": jax.jit(PGGANDiscriminator(config).init)(key, images)["params"]}


def build(config: PGGANDiscriminatorConfig) -> Discriminator:
    """The discriminator as a pure function of its variables (`Discriminator` in types).

    The score does not look at the label: classes are judged beside it.
    """
    module = PGGANDiscriminator(replace(config, group_size=1))

    def score(
        params: Params, images: Float[Array, "b h w c"], label: Float[Array, "b k"] | None = None
    ) -> Float[Array, " b"]:
        del label
        return jnp.asarray(module.apply(params, images)[0])

    shape = (config.resolution, config.resolution, config.img_channels)
    return Discriminator(shape, config.num_classes, score)
