"""Networks of progressive growing (Karras et al. 2018, PGGAN) in Flax.

z -> pixel norm -> 4x4 -> (pixel norm, nearest x2, convolution, ...) -> tRGB -> image. It has no
style layers: `styles` is z itself (and the one-hot label, where there are classes).
Sources of conventions: NVIDIA's progressive_growing_of_gans, genforce; goldens in tests/golden.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jax.nn import initializers
from jaxtyping import Array, Float

from ganfail_jax.edits import COLLECTION, check_names, tap
from ganfail_jax.nn import limits, ops
from ganfail_jax.types import Activations, Edits, Generator, LayerInfo, Params, Styles

# 3 taps on an image upsampled by 2, as [phase of the output, tap on the image, tap]
UP_TAPS = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)
# 3 taps and the mean of two neighbours, as [block of two pixels, pixel of the block, tap]
DOWN_TAPS = np.array([[[1, 0, 0], [1, 1, 0]], [[0, 1, 1], [0, 0, 1]]], np.float32) / 2


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
        limits.check(self)

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


def downsample_mean(x: Float[Array, "b h w c"]) -> Float[Array, "b h//2 w//2 c"]:
    """Means of 2x2 pixels."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))


def conv2d_upsampled(
    x: Float[Array, "b h w i"], kernel: Float[Array, "3 3 i o"]
) -> Float[Array, "b 2*h 2*w o"]:
    """The convolution of `upsample_nearest(x)`, by four 2x2 kernels on x: 2.25 times less work."""
    b, h, w, i = x.shape
    kernels = jnp.einsum("apk,bql,klio->pqiabo", UP_TAPS, UP_TAPS, kernel).reshape(2, 2, i, -1)
    y = ops.conv2d(x, kernels, padding=1).reshape(b, h + 1, w + 1, 2, 2, -1)
    phases = [[y[:, r : r + h, c : c + w, r, c] for c in (0, 1)] for r in (0, 1)]
    rows = [jnp.stack(row, axis=3) for row in phases]
    return jnp.stack(rows, axis=2).reshape(b, 2 * h, 2 * w, -1)


def conv2d_downsampled(
    x: Float[Array, "b h w i"], kernel: Float[Array, "3 3 i o"]
) -> Float[Array, "b h//2 w//2 o"]:
    """`downsample_mean` of the convolution: one 2x2 kernel on blocks of 2x2 pixels."""
    b, h, w, i = x.shape
    blocks = jnp.einsum("psk,qtl,klio->pqstio", DOWN_TAPS, DOWN_TAPS, kernel)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    padded = padded.reshape(b, h // 2 + 1, 2, w // 2 + 1, 2, i).transpose(0, 1, 3, 2, 4, 5)
    padded = padded.reshape(b, h // 2 + 1, w // 2 + 1, 4 * i)
    return ops.conv2d(padded, blocks.reshape(2, 2, 4 * i, -1), padding=0)


def expand(z: Float[Array, "b i"], kernel: Float[Array, "h w i o"]) -> Float[Array, "b h w o"]:
    """A map of a vector: the transposed convolution of the reference."""
    return jnp.einsum("bi,hwio->bhwo", z, kernel)


class Layer(nn.Module):
    """`conv` with weights scaled by gain / sqrt(fan in) (sec. 4.1), then bias."""

    features: int
    kernel_size: int = 3
    gain: float = math.sqrt(2)
    conv: Callable[[Array, Array], Array] = ops.conv2d

    @nn.compact
    def __call__(self, x: Array) -> Float[Array, "b h w o"]:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        weight = self.param("weight", initializers.normal(1.0), shape)
        bias = self.param("bias", initializers.zeros, (self.features,))
        return self.conv(x, weight * (self.gain / math.sqrt(math.prod(shape[:3])))) + bias


class PGGAN(nn.Module):
    """Two layers per resolution, and one tRGB on the last.

    Every tRGB has a name of its own, so that the variables of a network that is to grow also serve
    the smaller ones it grows from.
    """

    config: PGGANConfig

    @nn.compact
    def __call__(
        self,
        z: Float[Array, "b z"],
        edits: Edits | None = None,
        alpha: float | Float[Array, ""] | None = None,
    ) -> Float[Array, "b h w c"]:
        """
        Args:
            alpha: weight of the last resolution's image, which is being faded in over the image of
                the resolution before (sec. 2, fig. 2); None: there is only the last.
        """
        x, before = z, z
        for resolution in self.config.resolutions:
            features, before = self.config.channels(resolution), x
            for i in (0, 1):
                name = module_name(resolution, f"conv{i}")
                if i == 1:
                    layer = Layer(features, name=name)
                elif resolution == 4:
                    layer = Layer(features, kernel_size=4, conv=expand, name=name)
                else:
                    layer = Layer(features, conv=conv2d_upsampled, name=name)
                x = nn.leaky_relu(layer(pixel_norm(x)), 0.2)
                x = tap(self, layer_name(resolution, i), x, edits)
        image = self._to_rgb(x, self.config.resolution)
        if alpha is None:
            return image
        smaller = upsample_nearest(self._to_rgb(before, self.config.resolution // 2))
        return smaller + alpha * (image - smaller)

    def _to_rgb(self, x: Array, resolution: int) -> Float[Array, "b h w c"]:
        channels, name = self.config.img_channels, module_name(resolution, "torgb")
        return Layer(channels, kernel_size=1, gain=1.0, name=name)(pixel_norm(x))


def layer_name(resolution: int, i: int) -> str:
    return f"b{resolution:04d}/conv{i}"


def module_name(resolution: int, part: str) -> str:
    """As `layer_name`, but of variables: `b0008_conv1`, `b0032_torgb`."""
    return f"b{resolution:04d}_{part}"


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

    def synthesis(
        params: Params, styles: Styles, edits: Edits | None, *_: Any
    ) -> tuple[Array, Activations]:
        check_names(edits, layers)
        # the label is what was asked for: no gradient, so no ranking, proposes to move it
        fixed = {k: lax.stop_gradient(v) if k == "label" else v for k, v in styles.items()}
        z = jnp.concatenate([fixed[name] for name in dims], axis=-1)
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
        synthesis=synthesis,
    )
