"""A small residual network for pictures of any size, the classifier of a user's own, in Flax.

Pre-activation blocks (He et al. 2016, "Identity Mappings in Deep Residual Networks") whose branch
starts with gain 0 instead of being normalised (SkipInit, De and Smith 2020): no statistics of a
batch, so that an image's logits depend on it alone. Halving by blocks, as in `classifiers`.
"""

from dataclasses import asdict, dataclass
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax.nn import initializers
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError
from ganfail_jax.nn import limits
from ganfail_jax.nn.classifiers import blocks_to_channels, of_module
from ganfail_jax.types import Classifier, Params

KIND = "small_resnet"  # in stored configurations
LEAST_SIDE = 8  # pixels
LAST_WIDTH, LEAST_WIDTH = 96, 16


@dataclass(frozen=True)
class SmallResNetConfig:
    """Everything that fixes the architecture; stored beside the weights."""

    image_shape: tuple[int, int, int] = (32, 32, 3)
    num_classes: int = 10
    widths: tuple[int, ...] = (48, 96)  # channels of each stage; a stage halves the resolution
    blocks: int = 1  # per stage

    def __post_init__(self) -> None:
        limits.check(self)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def fitting(image_shape: tuple[int, int, int], num_classes: int) -> SmallResNetConfig:
    """The network for images of a shape: as many stages as bring the shorter side to 5 to 8 pixels.

    Every stage has half the channels of the next, so that all stages take about the same time.

    Raises:
        InputError: a side is shorter than 8 pixels.
    """
    side = min(image_shape[:2])
    if side < LEAST_SIDE:
        raise InputError(
            f"images of {image_shape[1]}x{image_shape[0]} are too small for this network, which "
            f"takes {LEAST_SIDE} pixels a side and more: give --resolution"
        )
    stages = max(1, (-(-side // LEAST_SIDE) - 1).bit_length())
    widths = tuple(max(LEAST_WIDTH, LAST_WIDTH >> n) for n in reversed(range(stages)))
    return SmallResNetConfig(image_shape, num_classes, widths)


def even(x: Float[Array, "b h w c"]) -> Float[Array, "b _ _ c"]:
    """With a last row or column of zeros where their number is odd."""
    return jnp.pad(x, [(0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)])


class Block(nn.Module):
    """x + gain * (ReLU, 3x3 convolution, ReLU, 3x3 convolution)."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        init = initializers.he_normal()
        y = nn.Conv(self.width, (3, 3), kernel_init=init, name="conv0")(nn.relu(x))
        y = nn.Conv(self.width, (3, 3), kernel_init=init, name="conv1")(nn.relu(y))
        return x + self.param("gain", initializers.zeros, ()) * y


class SmallResNet(nn.Module):
    """Stages of a halving 3x3 convolution and residual blocks, then the mean and a dense layer."""

    config: SmallResNetConfig

    def setup(self) -> None:
        widths, init = self.config.widths, initializers.he_normal()
        self.halve = [nn.Conv(width, (3, 3), kernel_init=init) for width in widths]
        self.block = [[Block(width) for _ in range(self.config.blocks)] for width in widths]
        self.dense = nn.Dense(self.config.num_classes)

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b _ _ _"]:
        x = images
        for i, (halve, blocks) in enumerate(zip(self.halve, self.block, strict=True)):
            x = halve(blocks_to_channels(even(x if i == 0 else nn.relu(x))))
            for block in blocks:
                x = block(x)
        return nn.relu(x)

    def head(self, features: Float[Array, "b _ _ _"]) -> Float[Array, "b k"]:
        return self.dense(jnp.mean(features, axis=(1, 2)))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        return self.head(self.features(images))


def init(config: SmallResNetConfig, key: Array) -> Params:
    """Fresh parameters in float32."""
    return SmallResNet(config).init(key, jnp.zeros((1, *config.image_shape)))["params"]


def build(config: SmallResNetConfig, class_names: tuple[str, ...]) -> Classifier:
    """The classifier as pure functions of its parameters (`Classifier` in types).

    Raises:
        InputError: not one name per class; and, when called, images of another shape.
    """
    return of_module(SmallResNet(config), config, class_names)
