"""torchvision's ResNets and VGG-16 with their head, from a file of their state dict."""

from pathlib import Path

from jaxtyping import Array, Float

from ganfail_jax.nn import frozen, imagenet, resnet, vgg
from ganfail_jax.nn.functions import Function
from ganfail_jax.weights import pretrained, resnet_names, vgg_names
from ganfail_jax.weights.errors import WeightsError

ENTRY = {  # of torchvision's published weights
    "size": imagenet.RESOLUTION,
    "channels": 3,
    "mean": tuple(imagenet.MEAN.tolist()),
    "std": tuple(imagenet.DEVIATION.tolist()),
    "layout": "NHWC",
}
HEADS = {resnet.HEAD: "fc", "fc3": "classifier.6"}


def _layers(raw: bytes) -> tuple[frozen.Layers, imagenet.Entry]:
    arrays = pretrained.torch_arrays(raw)
    if any(name.endswith("layer1.0.conv1.weight") for name in arrays):
        layers = resnet_names.assign(arrays)
    elif "features.0.weight" in arrays:
        layers = vgg_names.read(raw)[0]
    else:
        raise WeightsError(
            "neither a ResNet nor the VGG-16 of torchvision; another network goes by "
            "package.module:factory, which builds it and loads the state dict"
        )
    if not HEADS.keys() & layers.keys():
        raise WeightsError(f"its head is missing: {' or '.join(HEADS.values())}")
    return layers, imagenet.TORCHVISION


def read(path: Path) -> Function:
    """A network by the names that torchvision gives its arrays.

    Raises:
        WeightsError: one line: damaged, or another network.
    """
    layers = pretrained.load(path, resnet_names.CARRIER, _layers).layers
    network = resnet if resnet.HEAD in layers else vgg

    def logits(layers: frozen.Layers, images: Float[Array, "b h w c"]) -> Float[Array, "b k"]:
        return network.head(layers, network.features(layers, images, lambda x: x))

    return Function(logits, layers, ENTRY)
