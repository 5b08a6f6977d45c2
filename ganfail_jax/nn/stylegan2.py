"""StyleGAN2 generator (Karras et al. 2020, skip architecture; ADA's conditional mapping) in Flax.

z -> mapping -> w -> affine layers -> styles S -> synthesis -> image. The synthesis starts from S,
so that gradients, shifts and edits in StyleSpace are plain function arguments.

Variables: `params` (trained) and `buffers` (noise_const of each layer, w_avg of the mapping).
Sources of conventions: stylegan2-ada-pytorch; goldens in tests/golden.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.nn import initializers
from jaxtyping import Array, Float

from ganfail_jax.edits import COLLECTION, check_names, tap
from ganfail_jax.nn import limits, ops
from ganfail_jax.nn.resampling import upsample2d
from ganfail_jax.types import Activations, Edits, Generator, LayerInfo, Noise, Params, Styles

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float64": jnp.float64}


@dataclass(frozen=True)
class StyleGAN2Config:
    """Everything that fixes the architecture; stored beside the weights."""

    resolution: int = 32
    img_channels: int = 1
    num_classes: int = 10  # 0: unconditional
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    channel_base: int = 32768
    channel_max: int = 512
    conv_clamp: float | None = None
    dtype: str = "float32"  # compute type of the synthesis; parameters stay float32
    joint_norm: bool = False  # of z and label: one vector is normalised (StyleGAN2), not two (ADA)

    def __post_init__(self) -> None:
        limits.check(self)
        limits.check_choice("dtype", self.dtype, DTYPES)

    def channels(self, resolution: int) -> int:
        """Channels at one resolution: channel_base / resolution, at most channel_max."""
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def resolutions(self) -> list[int]:
        return [2**i for i in range(2, int(math.log2(self.resolution)) + 1)]

    @property
    def num_ws(self) -> int:
        """One w per convolution and one for the last tRGB: 8 at 32 px, 18 at 1024 px."""
        return 2 * len(self.resolutions)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def block_name(resolution: int) -> str:
    """NVIDIA's block name, zero-padded because `jit` sorts dictionary keys."""
    return f"b{resolution:04d}"


class MappingNetwork(nn.Module):
    """z [b,z] and one-hot label [b,k], either may be None -> [b,features].

    ADA normalises z and the label's embedding, then concatenates them; StyleGAN2 before it (and
    genforce) concatenates first, and the embedding is as long as z.
    """

    features: int
    num_layers: int
    lr_multiplier: float = 0.01
    joint_norm: bool = False

    @nn.compact
    def __call__(self, z: Array | None, label: Array | None) -> Float[Array, "b w"]:
        inputs = [] if z is None else [z]
        if label is not None:
            size = z.shape[-1] if self.joint_norm and z is not None else self.features
            inputs.append(ops.Dense(size, name="embed")(label))
        if self.joint_norm:
            inputs = [jnp.concatenate(inputs, axis=-1)]
        x = jnp.concatenate([ops.normalize_second_moment(x) for x in inputs], axis=-1)
        for i in range(self.num_layers):
            x = ops.leaky_relu(ops.Dense(self.features, self.lr_multiplier, name=f"fc{i}")(x))
        return x


def fold_in(key: Array | None, number: int) -> Array | None:
    """`jax.random.fold_in` of one key, or of each of several."""
    if key is None:
        return None
    if not key.ndim:
        return jax.random.fold_in(key, number)
    return jax.vmap(jax.random.fold_in, (0, None))(key, number)


def draw_noise(key: Array | None, shape: tuple[int, ...]) -> Float[Array, "b h w 1"]:
    """Standard normal noise of a batch.

    Args:
        key: one per sample, so that a sample's noise does not depend on its batch; or, in training,
            one for the whole batch.

    Raises:
        ValueError: there are none, or not one per sample.
    """
    if key is None:
        raise ValueError("random noise needs a key for each sample: latents.noise_keys")
    if not key.ndim:
        return jax.random.normal(key, shape, jnp.float32)
    if len(key) != shape[0]:
        raise ValueError(f"{len(key)} noise keys for {shape[0]} samples")
    return jax.vmap(lambda own: jax.random.normal(own, shape[1:], jnp.float32))(key)


class SynthesisLayer(nn.Module):
    """Modulated convolution -> noise -> bias -> leaky ReLU; its style is a separate method."""

    in_channels: int
    out_channels: int
    resolution: int
    up: bool
    conv_clamp: float | None
    dtype: Any

    def setup(self) -> None:
        shape = (3, 3, self.in_channels, self.out_channels)
        self.affine = ops.Dense(self.in_channels, bias_init=1.0)
        self.weight = self.param("weight", initializers.normal(1.0), shape)
        self.bias = self.param("bias", initializers.zeros, (self.out_channels,))
        self.noise_strength = self.param("noise_strength", initializers.zeros, ())
        self.noise_const = self.variable("buffers", "noise_const", self._draw_noise)

    def _draw_noise(self) -> Array:
        return jax.random.normal(
            self.make_rng("params"), (self.resolution, self.resolution), jnp.float32
        )

    def style(self, w: Float[Array, "b w"]) -> Float[Array, "b i"]:
        return self.affine(w)

    def __call__(
        self, x: Array, style: Array, noise_mode: Noise, key: Array | None
    ) -> Float[Array, "b h w o"]:
        kernel = self.weight.astype(self.dtype)
        x = ops.modulated_conv2d(x.astype(self.dtype), kernel, style, demodulate=True, up=self.up)
        if noise_mode == "const":
            noise = self.noise_const.value[None, :, :, None]
            x = x + (noise * self.noise_strength).astype(x.dtype)
        elif noise_mode == "random":
            noise = draw_noise(key, (*x.shape[:3], 1))
            x = x + (noise * self.noise_strength).astype(x.dtype)
        x = ops.leaky_relu(x + self.bias.astype(x.dtype))
        return ops.clamp(x, self.conv_clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation."""

    in_channels: int
    out_channels: int
    conv_clamp: float | None
    dtype: Any

    def setup(self) -> None:
        shape = (1, 1, self.in_channels, self.out_channels)
        self.affine = ops.Dense(self.in_channels, bias_init=1.0)
        self.weight = self.param("weight", initializers.normal(1.0), shape)
        self.bias = self.param("bias", initializers.zeros, (self.out_channels,))

    def style(self, w: Float[Array, "b w"]) -> Float[Array, "b i"]:
        return self.affine(w)

    def __call__(self, x: Array, style: Array) -> Float[Array, "b h w o"]:
        kernel = (self.weight / math.sqrt(self.in_channels)).astype(self.dtype)
        x = ops.modulated_conv2d(x.astype(self.dtype), kernel, style, demodulate=False)
        return ops.at_least_float32(ops.clamp(x + self.bias.astype(x.dtype), self.conv_clamp))


class SynthesisBlock(nn.Module):
    """The layers of one resolution; it only holds them, `Synthesis` runs them."""

    config: StyleGAN2Config
    resolution: int

    def setup(self) -> None:
        config, resolution = self.config, self.resolution
        channels, dtype = config.channels(resolution), DTYPES[config.dtype]
        common = {"resolution": resolution, "conv_clamp": config.conv_clamp, "dtype": dtype}
        if resolution == 4:
            self.const = self.param("const", initializers.normal(1.0), (4, 4, channels))
        else:
            before = config.channels(resolution // 2)
            self.conv0 = SynthesisLayer(before, channels, up=True, **common)
        self.conv1 = SynthesisLayer(channels, channels, up=False, **common)
        self.torgb = ToRGB(channels, config.img_channels, config.conv_clamp, dtype)

    def layers(self) -> dict[str, Any]:
        """The styled layers in forward order, by full name."""
        name = block_name(self.resolution)
        first = {} if self.resolution == 4 else {f"{name}/conv0": self.conv0}
        return {**first, f"{name}/conv1": self.conv1, f"{name}/torgb": self.torgb}


class Synthesis(nn.Module):
    """Styles -> image, through a skip connection of tRGB outputs."""

    config: StyleGAN2Config

    def setup(self) -> None:
        for resolution in self.config.resolutions:
            block = SynthesisBlock(self.config, resolution, name=block_name(resolution))
            setattr(self, block_name(resolution), block)

    def _blocks(self) -> list[SynthesisBlock]:
        return [getattr(self, block_name(r)) for r in self.config.resolutions]

    def styles(self, ws: Float[Array, "b l w"]) -> Styles:
        """S: the raw affine output of every layer; tRGB shares its w with the next convolution."""
        styles, i = {}, 0
        for block in self._blocks():
            for name, layer in block.layers().items():
                styles[name] = layer.style(ws[:, i])
                i += not name.endswith("torgb")
        return styles

    def __call__(
        self, styles: Styles, edits: Edits | None, noise_mode: Noise, key: Array | None
    ) -> Float[Array, "b h w c"]:
        batch = next(iter(styles.values())).shape[0]
        x = image = None
        for index, block in enumerate(self._blocks()):
            if x is None:
                x = jnp.broadcast_to(block.const, (batch, *block.const.shape))
            for name, layer in block.layers().items():
                if isinstance(layer, ToRGB):
                    rgb = layer(x, styles[name])
                    image = rgb if image is None else upsample2d(image) + rgb
                else:
                    noise_key = fold_in(key, 2 * index + layer.up)
                    x = tap(self, name, layer(x, styles[name], noise_mode, noise_key), edits)
        assert image is not None
        return image


class StyleGAN2(nn.Module):
    """The whole generator; `styles`, `mapping` and `synthesize` are its methods."""

    config: StyleGAN2Config

    def setup(self) -> None:
        config = self.config
        self.mapping_network = MappingNetwork(
            config.w_dim, config.mapping_layers, joint_norm=config.joint_norm, name="mapping"
        )
        self.synthesis = Synthesis(config)
        self.w_avg = self.variable("buffers", "w_avg", jnp.zeros, (config.w_dim,))

    def mapping(self, z: Float[Array, "b z"], label: Array | None) -> Float[Array, "b w"]:
        """w [b, w] before truncation."""
        return self.mapping_network(z, label)

    def truncated_ws(
        self, z: Array, label: Array | None, truncation_psi: Any, truncation_cutoff: int | None
    ) -> Float[Array, "b l w"]:
        """One w per layer, the first `truncation_cutoff` (all: None) moved towards w_avg."""
        w = self.mapping(z, label)
        average = self.w_avg.value
        truncated = average + truncation_psi * (w - average)
        count = self.config.num_ws
        cutoff = count if truncation_cutoff is None else truncation_cutoff
        chosen = (jnp.arange(count) < cutoff)[None, :, None]
        return jnp.where(chosen, truncated[:, None], w[:, None])

    def styles(
        self,
        z: Float[Array, "b z"],
        label: Array | None = None,
        truncation_psi: Any = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Styles:
        ws = self.truncated_ws(z, label, truncation_psi, truncation_cutoff)
        return self.synthesis.styles(ws)

    def styles_of_ws(self, ws: Float[Array, "b l w"]) -> Styles:
        return self.synthesis.styles(ws)

    def synthesize(
        self,
        styles: Styles,
        edits: Edits | None = None,
        noise_mode: Noise = "const",
        key: Array | None = None,
    ) -> Float[Array, "b h w c"]:
        return self.synthesis(styles, edits, noise_mode, key)

    def __call__(self, z: Array, label: Array | None) -> Float[Array, "b h w c"]:
        return self.synthesize(self.styles(z, label))


def layer_table(config: StyleGAN2Config) -> dict[str, LayerInfo]:
    """The taps in forward order: NVIDIA's names; genforce's index is Choi's layer i.

    Tousi's layers are counted from 1, as PGGAN's are; the paper (sec. 5.4) does not say.
    """
    names = [(r, conv) for r in config.resolutions for conv in ("conv0", "conv1")][1:]
    return {
        f"{block_name(r)}/{conv}": LayerInfo(
            r,
            config.channels(r),
            (f"b{r}.{conv}", f"genforce:layer{i}", f"choi:{i}", f"tousi:{i + 1}"),
        )
        for i, (r, conv) in enumerate(names)
    }


def style_dims(config: StyleGAN2Config) -> dict[str, int]:
    """Dimensions of S per layer in forward order: the input channels of each styled layer."""
    dims = {}
    for resolution in config.resolutions:
        channels, name = config.channels(resolution), block_name(resolution)
        if resolution > 4:
            dims[f"{name}/conv0"] = config.channels(resolution // 2)
        dims[f"{name}/conv1"] = channels
        dims[f"{name}/torgb"] = channels
    return dims


def init(config: StyleGAN2Config, key: Array) -> Params:
    """Fresh variables {"params", "buffers"} in float32."""
    label = jnp.zeros((1, config.num_classes)) if config.num_classes else None
    # compiled, the forward pass that Flax runs to find the shapes is removed
    variables = jax.jit(StyleGAN2(config).init)(key, jnp.zeros((1, config.z_dim)), label)
    return {name: variables[name] for name in ("params", "buffers")}


def build(config: StyleGAN2Config) -> Generator:
    """The generator as pure functions of its variables (`Generator` in types)."""
    module = StyleGAN2(config)
    layers = layer_table(config)

    def check_label(label: Array | None) -> None:
        if bool(config.num_classes) != (label is not None):
            wanted = f"one-hot labels of {config.num_classes} classes" if label is None else "none"
            raise ValueError(f"this generator wants {wanted} as label")

    def mapping(
        params: Params,
        z: Float[Array, "b z"],
        label: Float[Array, "b k"] | None = None,
        truncation_psi: float | Array = 1.0,
    ) -> Float[Array, "b w"]:
        check_label(label)
        ws = module.apply(params, z, label, truncation_psi, None, method="truncated_ws")
        return jnp.asarray(ws)[:, 0]

    def styles(
        params: Params,
        z: Float[Array, "b z"],
        label: Float[Array, "b k"] | None = None,
        truncation_psi: float | Array = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Styles:
        check_label(label)
        args = (z, label, truncation_psi, truncation_cutoff)
        return module.apply(params, *args, method="styles")  # pyright: ignore

    def synthesis(
        params: Params, styles: Styles, edits: Edits | None, noise: Noise, keys: Array | None
    ) -> tuple[Array, Activations]:
        check_names(edits, layers)
        image, state = module.apply(
            params, styles, edits, noise, keys, method="synthesize", mutable=[COLLECTION]
        )
        return image, _taps(state[COLLECTION])

    shape = (config.resolution, config.resolution, config.img_channels)
    return Generator(
        z_dim=config.z_dim,
        num_classes=config.num_classes,
        image_shape=shape,
        layers=layers,
        style_dims=style_dims(config),
        mapping=mapping,
        styles=styles,
        synthesis=synthesis,
        has_noise=True,
        noise="const",
    )


def _taps(state: Mapping[str, Any]) -> Activations:
    return dict(state["synthesis"])
