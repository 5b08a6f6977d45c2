"""The simple CNN whose failures are characterised (Le Coz 2022, sec. 3.2), in Flax.

Halving by blocks (2x2 pixels become channels) instead of pooling: cheap in both directions on a
CPU, where the analyses differentiate through it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError
from ganfail_jax.nn import limits
from ganfail_jax.types import Classifier, Params


@dataclass(frozen=True)
class CNNConfig:
    """Everything that fixes the architecture; stored beside the weights."""

    image_shape: tuple[int, int, int] = (32, 32, 1)
    crop: int = 28  # only the central square is seen: the rest is padding
    num_classes: int = 10
    widths: tuple[int, ...] = (24, 64)  # channels of each stage; a stage halves the resolution
    convs: int = 2  # per stage

    def __post_init__(self) -> None:
        limits.check(self)
        height, width, _ = self.image_shape
        if self.crop > min(height, width) or (height - self.crop) % 2 or (width - self.crop) % 2:
            raise ValueError(f"a crop of {self.crop} has no centre in images of {height}x{width}")
        if self.crop % 2 ** len(self.widths):
            raise ValueError(f"a crop of {self.crop} cannot be halved {len(self.widths)} times")

    @property
    def margins(self) -> tuple[int, int]:
        """Rows above (and below) and columns left (and right) of the crop."""
        return (self.image_shape[0] - self.crop) // 2, (self.image_shape[1] - self.crop) // 2

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def blocks_to_channels(x: Float[Array, "b h w c"]) -> Float[Array, "b h//2 w//2 4*c"]:
    """The four pixels of every 2x2 block side by side as channels."""
    b, h, w, c = x.shape
    blocks = x.reshape(b, h // 2, 2, w // 2, 2, c)
    return jnp.einsum("bhiwjc->bhwijc", blocks).reshape(b, h // 2, w // 2, 4 * c)


class CNN(nn.Module):
    """Stages of 3x3 convolutions with ReLU, then one dense layer on the last feature map."""

    config: CNNConfig

    def setup(self) -> None:
        config = self.config
        self.conv = [nn.Conv(c, (3, 3)) for c in config.widths for _ in range(config.convs)]
        self.dense = nn.Dense(config.num_classes)

    def features(self, images: Float[Array, "b h w c"]) -> Float[Array, "b _ _ _"]:
        config = self.config
        top, left = config.margins
        x = images[:, top : top + config.crop, left : left + config.crop]
        for i, conv in enumerate(self.conv):
            x = nn.relu(conv(x if i % config.convs else blocks_to_channels(x)))
        return x

    def head(self, features: Float[Array, "b _ _ _"]) -> Float[Array, "b k"]:
        return self.dense(features.reshape(features.shape[0], -1))

    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        return self.head(self.features(images))


def check_images(images: Float[Array, "b h w c"], image_shape: tuple[int, int, int]) -> None:
    """Raise InputError for images of another shape than a classifier's."""
    if images.shape[1:] != image_shape:
        raise InputError(
            f"images of shape {images.shape[1:]}, but this classifier wants "
            f"{image_shape} (height, width, channels)"
        )


def init(config: CNNConfig, key: Array) -> Params:
    """Fresh parameters in float32."""
    return CNN(config).init(key, jnp.zeros((1, *config.image_shape)))["params"]


def build(config: CNNConfig, class_names: tuple[str, ...]) -> Classifier:
    """The classifier as pure functions of its parameters (`Classifier` in types).

    Raises:
        InputError: not one name per class; and, when called, images of another shape.
    """
    return of_module(CNN(config), config, class_names)._replace(margins=config.margins)


def of_module(module: nn.Module, config: Any, class_names: tuple[str, ...]) -> Classifier:
    """A network with the methods `features` and `head` as pure functions; raises as `build`.

    Args:
        config: says `image_shape` and `num_classes`.
    """
    if len(class_names) != config.num_classes:
        raise InputError(f"{len(class_names)} class names for {config.num_classes} classes")

    def features(params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b _ _ _"]:
        check_images(images, config.image_shape)
        return jnp.asarray(module.apply({"params": params}, images, method="features"))

    def head(params: Params, features: Float[Array, "b _ _ _"]) -> Float[Array, "b k"]:
        return jnp.asarray(module.apply({"params": params}, features, method="head"))

    return Classifier(config.image_shape, config.num_classes, class_names, features, head)
