"""StyleGAN2 discriminator (Karras et al. 2020, resnet architecture, projection on the label)."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from ganfail_jax.nn import limits, ops
from ganfail_jax.nn.stylegan2 import DTYPES, MappingNetwork, block_name
from ganfail_jax.types import Discriminator, Params


@dataclass(frozen=True)
class StyleGAN2DiscriminatorConfig:
    """Everything that fixes the architecture."""

    resolution: int = 32
    img_channels: int = 1
    num_classes: int = 10  # 0: unconditional
    channel_base: int = 32768
    channel_max: int = 512
    mapping_layers: int = 8
    conv_clamp: float | None = None
    group_size: int = 4  # minibatch standard deviation
    class_head: bool = False  # classes are also judged beside the score (AC-GAN)
    dtype: str = "float32"  # compute type above 4x4; the epilogue is float32

    def __post_init__(self) -> None:
        limits.check(self)
        limits.check_choice("dtype", self.dtype, DTYPES)
        if self.class_head and not self.num_classes:
            raise ValueError("class_head needs classes, but num_classes is 0")

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class DiscriminatorBlock(nn.Module):
    """Two convolutions and a skip path, halving the resolution."""

    config: StyleGAN2DiscriminatorConfig
    resolution: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b h//2 w//2 o"]:
        config, gain = self.config, math.sqrt(0.5)
        limit, inner = config.conv_clamp, config.channels(self.resolution)
        outer = config.channels(self.resolution // 2)
        if self.resolution == config.resolution:
            x = ops.Conv(inner, kernel_size=1, clamp=limit, name="fromrgb")(x)
        skip = ops.Conv(
            outer, 1, down=True, use_bias=False, activate=False, gain=gain, name="skip"
        )(x)
        x = ops.Conv(inner, clamp=limit, name="conv0")(x)
        return skip + ops.Conv(outer, down=True, gain=gain, clamp=limit, name="conv1")(x)


class DiscriminatorEpilogue(nn.Module):
    """[b,4,4,c] -> features [b,cmap] (conditional) or a logit [b,1]; class logits [b,k], if any."""

    config: StyleGAN2DiscriminatorConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "b 4 4 c"]
    ) -> tuple[Float[Array, "b _"], Float[Array, "b k"] | None]:
        channels = self.config.channels(4)
        if self.config.resolution == 4:
            x = ops.Conv(channels, kernel_size=1, name="fromrgb")(x)
        x = ops.minibatch_stddev(x, self.config.group_size)
        x = ops.Conv(channels, clamp=self.config.conv_clamp, name="conv")(x)
        x = ops.leaky_relu(ops.Dense(channels, name="fc")(x.reshape(x.shape[0], -1)))
        classes = None
        if self.config.class_head:
            classes = ops.Dense(self.config.num_classes, name="classes")(x)
        return ops.Dense(channels if self.config.num_classes else 1, name="out")(x), classes


class StyleGAN2Discriminator(nn.Module):
    """Image [b,h,w,c] in [-1,1] and one-hot label -> logit [b]; large means real."""

    config: StyleGAN2DiscriminatorConfig

    def __call__(
        self, images: Float[Array, "b h w c"], label: Float[Array, "b k"] | None
    ) -> Float[Array, " b"]:
        return self.judge(images, label)[0]

    @nn.compact
    def judge(
        self, images: Float[Array, "b h w c"], label: Float[Array, "b k"] | None
    ) -> tuple[Float[Array, " b"], Float[Array, "b k"] | None]:
        """The logit, and with `class_head` the class logits, which do not look at the label."""
        config = self.config
        x = images.astype(DTYPES[config.dtype])
        resolution = config.resolution
        while resolution > 4:
            x = DiscriminatorBlock(config, resolution, name=block_name(resolution))(x)
            resolution //= 2
        x, classes = DiscriminatorEpilogue(config, name=block_name(4))(x.astype(jnp.float32))
        if config.num_classes:
            mapping = MappingNetwork(x.shape[-1], config.mapping_layers, name="mapping")
            x = jnp.sum(x * mapping(None, label), axis=-1, keepdims=True) / math.sqrt(x.shape[-1])
        return x[:, 0], classes


def init(config: StyleGAN2DiscriminatorConfig, key: Array) -> Params:
    """Fresh variables {"params"} in float32."""
    images = jnp.zeros((1, config.resolution, config.resolution, config.img_channels))
    label = jnp.zeros((1, config.num_classes)) if config.num_classes else None
    variables = jax.jit(StyleGAN2Discriminator(config).init)(key, images, label)
    return {"params": variables["params"]}


def build(config: StyleGAN2DiscriminatorConfig) -> Discriminator:
    """The discriminator as a pure function of its variables (`Discriminator` in types)."""
    module = StyleGAN2Discriminator(replace(config, group_size=1))

    def score(
        params: Params, images: Float[Array, "b h w c"], label: Float[Array, "b k"] | None = None
    ) -> Float[Array, " b"]:
        if bool(config.num_classes) != (label is not None):
            wanted = f"one-hot labels of {config.num_classes} classes" if label is None else "none"
            raise ValueError(f"this discriminator wants {wanted} as label")
        return jnp.asarray(module.apply(params, images, label))

    shape = (config.resolution, config.resolution, config.img_channels)
    return Discriminator(shape, config.num_classes, score)
