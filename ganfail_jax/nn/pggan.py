"""Generator of progressive growing (Karras et al. 2018, PGGAN) in Flax.

z -> pixel norm -> 4x4 -> (pixel norm, nearest x2, convolution, ...) -> tRGB -> image. It has no
style layers: `styles` is z itself (and the one-hot label, where there are classes).
Sources of conventions: NVIDIA's progressive_growing_of_gans, genforce; goldens in tests/golden.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.nn import initializers
from jaxtyping import Array, Float

from ganfail_jax.edits import COLLECTION, check_names, tap
from ganfail_jax.nn import ops
from ganfail_jax.types import Activations, Edits, Generator, LayerInfo, Params, Styles


@dataclass(frozen=True)
class PGGANConfig:
    """Everything that fixes the architecture; stored beside the weights."""

    resolution: int = 32
    img_channels: int = 1
    num_classes: int = 10  # 0: unconditional
    z_dim: int = 512
    channel_base: int = 16384
    channel_max: int = 512

    def __post_init__(self) -> None:
        if self.resolution < 4 or self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution {self.resolution} is not a power of two of at least 4")

    def channels(self, resolution: int) -> int:
        """Channels at one resolution: channel_base / resolution, at most channel_max."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def resolutions(self) -> list[int]:
        return [2**i for i in range(2, int(math.log2(self.resolution)) + 1)]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def pixel_norm(x: Float[Array, "... c"]) -> Float[Array, "... c"]:
    """Unit mean square over the channels of every position (sec. 4.2)."""
    return x * lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + ops.EPSILON)


def upsample_nearest(x: Float[Array, "b h w c"]) -> Float[Array, "b 2*h 2*w c"]:
    """Every pixel twice in both directions; as a broadcast, because its gradient is a sum."""
    b, h, w, c = x.shape
    wide = jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c))
    return wide.reshape(b, 2 * h, 2 * w, c)


class Layer(nn.Module):
    """Pixel norm -> weights scaled by gain / sqrt(fan in) (sec. 4.1) -> bias.

    As a dense layer it makes a 4x4 map of a vector: the transposed convolution of the reference.
    """

    features: int
    kernel_size: int = 3
    gain: float = math.sqrt(2)
    dense: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Float[Array, "b h w o"]:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        weight = self.param("weight", initializers.normal(1.0), shape)
        bias = self.param("bias", initializers.zeros, (self.features,))
        weight = weight * (self.gain / math.sqrt(math.prod(shape[:3])))
        x = pixel_norm(x)
        x = jnp.einsum("bi,hwio->bhwo", x, weight) if self.dense else ops.conv2d(x, weight)
        return x + bias


class PGGAN(nn.Module):
    """Two layers per resolution and one tRGB."""

    config: PGGANConfig

    @nn.compact
    def __call__(
        self, z: Float[Array, "b z"], edits: Edits | None = None
    ) -> Float[Array, "b h w c"]:
        x = z
        for resolution in self.config.resolutions:
            for i in (0, 1):
                name = layer_name(resolution, i)
                first = resolution == 4 and i == 0
                if not first and i == 0:
                    x = upsample_nearest(x)
                features, size = self.config.channels(resolution), 4 if first else 3
                x = Layer(features, size, dense=first, name=name.replace("/", "_"))(x)
                x = tap(self, name, nn.leaky_relu(x, 0.2), edits)
        return Layer(self.config.img_channels, kernel_size=1, gain=1.0, name="torgb")(x)


def layer_name(resolution: int, i: int) -> str:
    return f"b{resolution:04d}/conv{i}"


def layer_table(config: PGGANConfig) -> dict[str, LayerInfo]:
    """The taps in forward order: genforce's index is Choi's layer i, GANDissect's is Tousi's."""
    names = [(r, i) for r in config.resolutions for i in (0, 1)]

    def aliases(n: int) -> tuple[str, ...]:
        return f"genforce:layer{n}", f"choi:{n}", f"gandissect:layer{n + 1}", f"tousi:{n + 1}"

    return {
        layer_name(r, i): LayerInfo(r, config.channels(r), aliases(n))
        for n, (r, i) in enumerate(names)
    }


def init(config: PGGANConfig, key: Array) -> Params:
    """Fresh variables {"params"} in float32."""
    z = jnp.zeros((1, config.z_dim + config.num_classes))
    return {"params": jax.jit(PGGAN(config).init)(key, z)["params"]}


def build(config: PGGANConfig) -> Generator:
    """The generator as pure functions of its variables (`Generator` in types)."""
    module, layers = PGGAN(config), layer_table(config)
    dims = {"z": config.z_dim} | ({"label": config.num_classes} if config.num_classes else {})

    def styles(
        params: Params,
        z: Float[Array, "b z"],
        label: Float[Array, "b k"] | None = None,
        truncation_psi: float | Array = 1.0,
    ) -> Styles:
        if bool(config.num_classes) != (label is not None):
            wanted = f"one-hot labels of {config.num_classes} classes" if label is None else "none"
            raise ValueError(f"this generator wants {wanted} as label")
        # no mean latent to truncate towards: z shrinks towards zero, which pixel norm undoes
        if not isinstance(truncation_psi, float) or truncation_psi != 1:
            raise ValueError("PGGAN has no truncation: truncation_psi must be 1")
        return {"z": z} if label is None else {"z": z, "label": label}

    def synthesize(
        params: Params, styles: Styles, edits: Edits | None = None
    ) -> tuple[Array, Activations]:
        check_names(edits, layers)
        z = jnp.concatenate([styles[name] for name in dims], axis=-1)
        image, state = module.apply(params, z, edits, mutable=[COLLECTION])
        return jnp.asarray(image), dict(state[COLLECTION])  # pyright: ignore[reportReturnType]

    return Generator(
        z_dim=config.z_dim,
        num_classes=config.num_classes,
        image_shape=(config.resolution, config.resolution, config.img_channels),
        layers=layers,
        style_dims=dims,
        mapping=None,
        styles=styles,
        synthesize=synthesize,
    )
