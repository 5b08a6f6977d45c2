"""What does FID's Inception-v3 see in an image? 2048 numbers (Heusel et al. 2017, sec. 3).

The TensorFlow graph `inception-2015-12-05` (Szegedy et al. 2016, "Rethinking the Inception
Architecture for Computer Vision"), which differs from later Inceptions: mean pools do not count
what is padded, and the last block pools by the maximum. Names of convolutions are the graph's.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from ganfail_jax.errors import InputError
from ganfail_jax.nn import frozen

RESOLUTION = 299
FEATURES = 2048
EPSILON = 1e-3  # of its batch norm, which has no scale


Shape = tuple[int, int, int, int]  # of a kernel: rows, columns, inputs, outputs


class Conv(NamedTuple):
    """A convolution, its batch norm and ReLU."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


class Block(NamedTuple):
    """Towers on one input, whose outputs follow each other along the channels."""

    name: str
    towers: tuple[tuple[tuple[Conv, ...], ...], ...]  # tower: steps, each of parallel convolutions
    pool: str  # "mean" or "max", then `projection`; "half": maximum with stride 2
    projection: Conv | None = None


def _chain(*convs: Conv) -> tuple[tuple[Conv, ...], ...]:
    return tuple((conv,) for conv in convs)


def _a(name: str, pooled: int) -> Block:
    towers = (
        _chain(Conv("conv", 64)),
        _chain(Conv("tower/conv", 48), Conv("tower/conv_1", 64, (5, 5))),
        _chain(
            Conv("tower_1/conv", 64),
            Conv("tower_1/conv_1", 96, (3, 3)),
            Conv("tower_1/conv_2", 96, (3, 3)),
        ),
    )
    return Block(name, towers, "mean", Conv("tower_2/conv", pooled))


def _b(name: str) -> Block:
    towers = (
        _chain(Conv("conv", 384, (3, 3), 2, False)),
        _chain(
            Conv("tower/conv", 64),
            Conv("tower/conv_1", 96, (3, 3)),
            Conv("tower/conv_2", 96, (3, 3), 2, False),
        ),
    )
    return Block(name, towers, "half")


def _c(name: str, inner: int) -> Block:
    towers = (
        _chain(Conv("conv", 192)),
        _chain(
            Conv("tower/conv", inner),
            Conv("tower/conv_1", inner, (1, 7)),
            Conv("tower/conv_2", 192, (7, 1)),
        ),
        _chain(
            Conv("tower_1/conv", inner),
            Conv("tower_1/conv_1", inner, (7, 1)),
            Conv("tower_1/conv_2", inner, (1, 7)),
            Conv("tower_1/conv_3", inner, (7, 1)),
            Conv("tower_1/conv_4", 192, (1, 7)),
        ),
    )
    return Block(name, towers, "mean", Conv("tower_2/conv", 192))


def _d(name: str) -> Block:
    towers = (
        _chain(Conv("tower/conv", 192), Conv("tower/conv_1", 320, (3, 3), 2, False)),
        _chain(
            Conv("tower_1/conv", 192),
            Conv("tower_1/conv_1", 192, (1, 7)),
            Conv("tower_1/conv_2", 192, (7, 1)),
            Conv("tower_1/conv_3", 192, (3, 3), 2, False),
        ),
    )
    return Block(name, towers, "half")


def _e(name: str, pool: str) -> Block:
    def cross(tower: str) -> tuple[Conv, ...]:
        names = f"{tower}/mixed/conv", f"{tower}/mixed/conv_1"
        return Conv(names[0], 384, (1, 3)), Conv(names[1], 384, (3, 1))

    towers = (
        _chain(Conv("conv", 320)),
        (*_chain(Conv("tower/conv", 384)), cross("tower")),
        (
            *_chain(Conv("tower_1/conv", 448), Conv("tower_1/conv_1", 384, (3, 3))),
            cross("tower_1"),
        ),
    )
    return Block(name, towers, pool, Conv("tower_2/conv", 192))


STEM: tuple[Conv | None, ...] = (  # None: a maximum pool
    Conv("conv", 32, (3, 3), 2, False),
    Conv("conv_1", 32, (3, 3), 1, False),
    Conv("conv_2", 64, (3, 3)),
    None,
    Conv("conv_3", 80),
    Conv("conv_4", 192, (3, 3), 1, False),
    None,
)
BLOCKS = (
    *(_a("mixed", 32), _a("mixed_1", 64), _a("mixed_2", 64)),
    _b("mixed_3"),
    *(_c("mixed_4", 128), _c("mixed_5", 160), _c("mixed_6", 160), _c("mixed_7", 192)),
    _d("mixed_8"),
    *(_e("mixed_9", "mean"), _e("mixed_10", "max")),
)


def _block_shapes(block: Block, inputs: int) -> Iterator[tuple[str, Shape, int]]:
    """Name, kernel's shape and contribution to the block's output of every convolution."""
    for tower in block.towers:
        channels = inputs
        for step in tower:
            for conv in step:
                kept = conv.channels if step is tower[-1] else 0
                yield conv.name, (*conv.kernel, channels, conv.channels), kept
            channels = sum(conv.channels for conv in step)
    if block.projection is not None:
        name, channels = block.projection.name, block.projection.channels
        yield name, (1, 1, inputs, channels), channels


def kernel_shapes() -> dict[str, Shape]:
    """The shape of every convolution's kernel by its name."""
    shapes, channels = dict[str, Shape](), 3
    for conv in filter(None, STEM):
        shapes[conv.name] = (*conv.kernel, channels, conv.channels)
        channels = conv.channels
    for block in BLOCKS:
        found = list(_block_shapes(block, channels))
        shapes |= {f"{block.name}/{name}": shape for name, shape, _ in found}
        channels = sum(kept for *_, kept in found) + (channels if block.pool == "half" else 0)
    return shapes


def resize(pixels: Num[Array | np.ndarray, "b h w c"]) -> Float[Array, "b 299 299 3"]:
    """As TensorFlow 1's bilinear resizing does, without half-pixel centres; grey three times."""
    resized = frozen.resize_bilinear(pixels, (RESOLUTION, RESOLUTION), half_pixel=False)
    return frozen.grey_to_rgb(resized)


def _apply(layers: frozen.Layers, x: Array, name: str, conv: Conv) -> Array:
    return jax.nn.relu(frozen.conv(x, layers[name], conv.stride, conv.padded))


def apply_block(
    layers: frozen.Layers, x: Float[Array, "b h w i"], block: Block
) -> Float[Array, "b _ _ o"]:
    """The towers' outputs and the pool's.

    The 1x1 convolutions of x are one matrix product. A mean pool follows its projection instead of
    preceding it: the same by linearity (its weights sum to one), on fewer channels.
    """
    entries = [tower[0][0] for tower in block.towers if tower[0][0].kernel == (1, 1)]
    if block.projection is not None and block.pool == "mean":
        entries.append(block.projection)
    wide = frozen.side_by_side([layers[f"{block.name}/{conv.name}"] for conv in entries])
    ends = np.cumsum([conv.channels for conv in entries])[:-1]
    entered = jnp.split(frozen.conv(x, wide), ends, axis=-1)
    values = {conv.name: value for conv, value in zip(entries, entered, strict=True)}
    outputs = []
    for tower in block.towers:
        y = x
        for step in tower:
            parts = [
                jax.nn.relu(values[conv.name])
                if conv.name in values
                else _apply(layers, y, f"{block.name}/{conv.name}", conv)
                for conv in step
            ]
            y = jnp.concatenate(parts, axis=-1)
        outputs.append(y)
    if block.projection is None:
        outputs.append(frozen.max_pool(x, 3, stride=2))
    elif block.pool == "mean":
        outputs.append(jax.nn.relu(frozen.mean_pool3(values[block.projection.name])))
    else:
        pooled = frozen.max_pool(x, 3, stride=1, padding=1)
        name = f"{block.name}/{block.projection.name}"
        outputs.append(_apply(layers, pooled, name, block.projection))
    return jnp.concatenate(outputs, axis=-1)


def maps(
    layers: frozen.Layers, pixels: Num[Array | np.ndarray, "b h w c"]
) -> Float[Array, "b 8 8 2048"]:
    """The last map, before the last pool, of grey or colour images of any size.

    Args:
        layers: `weights.inception_names.load`.
        pixels: values 0..255; images in [-1, 1] by `images.to_levels`.

    Raises:
        InputError: neither one nor three channels.
    """
    if pixels.shape[3] not in (1, 3):
        raise InputError(f"images of {pixels.shape[3]} channels; Inception takes 1 or 3")
    x = (resize(pixels) - 128) / 128
    for conv in STEM:
        x = _apply(layers, x, conv.name, conv) if conv else frozen.max_pool(x, 3, stride=2)
    for block in BLOCKS:
        x = apply_block(layers, x, block)
    return x


def features(
    layers: frozen.Layers, pixels: Num[Array | np.ndarray, "b h w c"]
) -> Float[Array, "b 2048"]:
    """The last pool's features: means over `maps`, which has the same arguments."""
    return jnp.mean(maps(layers, pixels), axis=(1, 2))
