"""VGG-16 (Simonyan and Zisserman 2015, table 1, column D), without dropout: inference only.

Fully connected layers are convolutions of the last map's size (sec. 3.2), where the weights have
them. Kynkaanniemi et al. 2019 measure precision and recall in the second one's features.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError
from ganfail_jax.nn import frozen, imagenet

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
MAP = 7  # rows and columns that the first fully connected layer sees
DENSE = ("fc1", "fc2", "fc3")
Shape = tuple[int, int, int, int]


def kernel_shapes(dense: tuple[int, ...] = ()) -> dict[str, Shape]:
    """The shape of every kernel (rows, columns, inputs, outputs) by its name, such as `conv5_3`.

    Args:
        dense: outputs of the fully connected layers; none: the file has none.
    """
    shapes, inputs = dict[str, Shape](), 3
    for i, (channels, convs) in enumerate(STAGES, 1):
        for j in range(1, convs + 1):
            shapes[f"conv{i}_{j}"] = (3, 3, inputs, channels)
            inputs = channels
    for name, outputs in zip(DENSE, dense, strict=False):
        size = MAP if name == "fc1" else 1
        shapes[name] = (size, size, inputs, outputs)
        inputs = outputs
    return shapes


def features(
    layers: frozen.Layers,
    images: Float[Array, "b h w c"],
    normalize: imagenet.Normalize = imagenet.standardize,
) -> Float[Array, "b h//16 w//16 512"]:
    """The last convolution's map, after its ReLU, of images in [-1, 1] of any size."""
    x = normalize(images)
    for i, (_, convs) in enumerate(STAGES, 1):
        if i > 1:
            x = frozen.max_pool(x, 2, stride=2)
        for j in range(1, convs + 1):
            x = jax.nn.relu(frozen.conv(x, layers[f"conv{i}_{j}"]))
    return x


def pool(features: Float[Array, "b h w c"]) -> Float[Array, "b c"]:
    """Means over the map."""
    return jnp.mean(features, axis=(1, 2))


def fc2(layers: frozen.Layers, features: Float[Array, "b h w c"]) -> Float[Array, "b d"]:
    """The second fully connected layer, after its ReLU (4096 numbers in the published weights).

    What torch-fidelity calls `fc2_relu`, its features for precision and recall.

    Raises:
        InputError: weights without these layers, or images of another size than 224 pixels.
    """
    if "fc2" not in layers:
        raise InputError("these VGG-16 weights have no fully connected layers")
    size = tuple(n // 2 for n in features.shape[1:3])
    if size != (MAP, MAP):
        raise InputError(f"the fully connected layers want images of {imagenet.RESOLUTION} pixels")
    x = frozen.max_pool(features, 2, stride=2)
    for name in DENSE[:2]:
        x = jax.nn.relu(frozen.dense(x, layers[name]))[:, None, None]
    return x[:, 0, 0]


def head(layers: frozen.Layers, features: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
    """Logits of the classes."""
    return frozen.dense(fc2(layers, features)[:, None, None], layers["fc3"])
