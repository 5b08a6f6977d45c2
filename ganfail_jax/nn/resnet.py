"""ResNet (He et al. 2016, table 1) as torchvision has it, batch norm folded in: inference only.

torchvision's bottleneck blocks have their stride in the 3x3 convolution ("v1.5"), not in the first.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError
from ganfail_jax.nn import frozen, imagenet

EPSILON = 1e-5  # of its batch norm
STEM, HEAD = "stem", "head"
Shape = tuple[int, int, int, int]


class Form(NamedTuple):
    """What distinguishes the depths."""

    blocks: tuple[int, int, int, int]  # per stage
    bottleneck: bool  # three convolutions per block, the last of four times as many channels


FORMS = {
    "resnet18": Form((2, 2, 2, 2), False),
    "resnet34": Form((3, 4, 6, 3), False),
    "resnet50": Form((3, 4, 6, 3), True),
    "resnet101": Form((3, 4, 23, 3), True),
}


def block_name(stage: int, block: int) -> str:
    """Of stage 1 to 4 and block 0, 1, ..."""
    return f"stage{stage}/block{block}"


def kernel_shapes(form: Form, num_classes: int = 0) -> dict[str, Shape]:
    """The shape of every kernel (rows, columns, inputs, outputs) by its name.

    Args:
        num_classes: of the linear head; 0: it has none.
    """
    shapes, inputs = {STEM: (7, 7, 3, 64)}, 64
    for stage, blocks in enumerate(form.blocks, 1):
        width = 64 * 2 ** (stage - 1)
        outputs = 4 * width if form.bottleneck else width
        for block in range(blocks):
            name = block_name(stage, block)
            if form.bottleneck:
                kernels = [(1, 1, inputs, width), (3, 3, width, width), (1, 1, width, outputs)]
            else:
                kernels = [(3, 3, inputs, width), (3, 3, width, outputs)]
            shapes |= {f"{name}/conv{i}": kernel for i, kernel in enumerate(kernels, 1)}
            if inputs != outputs:
                shapes[f"{name}/shortcut"] = (1, 1, inputs, outputs)
            inputs = outputs
    return {**shapes, HEAD: (1, 1, inputs, num_classes)} if num_classes else shapes


def _block(layers: frozen.Layers, x: Array, name: str, stride: int) -> Array:
    """ReLU of the shortcut plus two or three convolutions (fig. 5), the first 3x3 strided."""
    kernels = [layers[f"{name}/conv{i}"] for i in (1, 2, 3) if f"{name}/conv{i}" in layers]
    strided = next(i for i, layer in enumerate(kernels) if layer.kernel.shape[0] == 3)
    y = x
    for i, layer in enumerate(kernels):
        y = frozen.conv(y, layer, stride if i == strided else 1)
        y = y if i == len(kernels) - 1 else jax.nn.relu(y)
    shortcut = layers.get(f"{name}/shortcut")
    return jax.nn.relu(y + (x if shortcut is None else frozen.conv(x, shortcut, stride)))


def features(
    layers: frozen.Layers,
    images: Float[Array, "b h w c"],
    normalize: imagenet.Normalize = imagenet.standardize,
) -> Float[Array, "b _ _ o"]:
    """The last map, a 32nd of the size of the images, which are in [-1, 1] and of any size."""
    x = jax.nn.relu(frozen.conv(normalize(images), layers[STEM], 2))
    x = frozen.max_pool(x, 3, stride=2, padding=1)
    for stage in (1, 2, 3, 4):
        block = 0
        while f"{block_name(stage, block)}/conv1" in layers:
            x = _block(layers, x, block_name(stage, block), 2 if block == 0 and stage > 1 else 1)
            block += 1
    return x


def pool(features: Float[Array, "b h w c"]) -> Float[Array, "b c"]:
    """Means over the map."""
    return jnp.mean(features, axis=(1, 2))


def depth(layers: frozen.Layers) -> str:
    """Which of FORMS these are the layers of."""
    kernels = layers.keys() - {HEAD}
    return next(name for name, form in FORMS.items() if kernel_shapes(form).keys() == kernels)


def head(layers: frozen.Layers, features: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
    """Logits of the classes.

    Raises:
        InputError: the file had no linear head.
    """
    if HEAD not in layers:
        raise InputError("these ResNet weights have no linear head `fc`")
    return frozen.dense(pool(features)[:, None, None], layers[HEAD])
