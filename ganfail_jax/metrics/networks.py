"""Which published network's features? Inception, VGG-16 and ResNets, ready for `extract_features`.

- Inception-v3, the last pool: FID (Heusel et al. 2017).
- VGG-16, the second fully connected layer: precision and recall (Kynkaanniemi et al. 2019, sec. 2).
  Files without these layers give the last convolution's map, averaged over its pixels.
- ResNet, the last map, averaged over its pixels.
"""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxtyping import Array, Float, UInt8

from ganfail_jax.images import from_levels
from ganfail_jax.metrics.features import Features, over_devices
from ganfail_jax.nn import frozen, inception, resnet, vgg
from ganfail_jax.weights import inception_names, resnet_names, vgg_names
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.pretrained import Carrier, Pretrained

AT_ONCE = 25
Run = Callable[[frozen.Layers, UInt8[Array, "b h w c"]], Float[Array, "b d"]]


def _features(name: str, loaded: Pretrained, run: Run, dim: int, preprocessing: str) -> Features:
    return Features(
        name=name,
        dim=dim,
        extract=over_devices(run, loaded.layers),
        preprocessing=preprocessing,
        weights=loaded.sha256,
        at_once=AT_ONCE,
    )


def inception_features(loaded: Pretrained) -> Features:
    resizing = f"TensorFlow 1's bilinear resizing to {inception.RESOLUTION}"
    return _features("Inception-v3", loaded, inception.features, inception.FEATURES, resizing)


def vgg_features(loaded: Pretrained) -> Features:
    entry, dense = loaded.entry, "fc2" in loaded.layers

    def run(layers: frozen.Layers, pixels: Array) -> Array:
        maps = vgg.features(layers, entry.resize(from_levels(pixels)), entry.normalize)
        return vgg.fc2(layers, maps) if dense else vgg.pool(maps)

    layer = "fc2" if dense else "conv5_3"
    name = f"VGG-16 {'fc2' if dense else 'conv5_3 (averaged)'} of {loaded.file}"
    return _features(name, loaded, run, loaded.layers[layer].bias.size, entry.text)


def resnet_features(loaded: Pretrained) -> Features:
    entry, depth = loaded.entry, resnet.depth(loaded.layers)

    def run(layers: frozen.Layers, pixels: Array) -> Array:
        images = entry.resize(from_levels(pixels))
        return resnet.pool(resnet.features(layers, images, entry.normalize))

    *_, last = resnet.kernel_shapes(resnet.FORMS[depth]).values()
    name = f"{depth.replace('resnet', 'ResNet-')} last map (averaged) of {loaded.file}"
    return _features(name, loaded, run, last[3], entry.text)


class Network(NamedTuple):
    """Where its weights come from and what is made of them."""

    carrier: Carrier
    load: Callable[[str | os.PathLike[str] | None], Pretrained]
    features: Callable[[Pretrained], Features]


NETWORKS: Mapping[str, Network] = {
    "inception": Network(inception_names.CARRIER, inception_names.load, inception_features),
    "vgg": Network(vgg_names.CARRIER, vgg_names.load, vgg_features),
    "resnet": Network(resnet_names.CARRIER, resnet_names.load, resnet_features),
}


def load(name: str, path: str | os.PathLike[str] | None = None) -> Features:
    """The features of one of NETWORKS.

    Args:
        path: of its file; None: of the installed package that carries one.

    Raises:
        WeightsError: one line: not found (and how to get it), damaged, or of another network.
    """
    network = NETWORKS[name]
    return network.features(network.load(path))


def load_if_any(name: str, path: str | os.PathLike[str] | None = None) -> Features | None:
    """As `load`; None where no file is given and no installed package carries one.

    Raises:
        WeightsError: the given file cannot be used.
    """
    try:
        return load(name, path)
    except WeightsError:
        if path is not None:
            raise
        return None
