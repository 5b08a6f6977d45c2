"""ResNets by torchvision's names: `layer1.0.conv1.weight`, `layer1.0.bn1.bias`, `fc.weight`.

torchvision's own `resnet18-*.pth`, `resnet50-*.pth` have them. The package omniart-eye-classifier
carries a ResNet-18 fine-tuned to the colours of eyes, one module further in, on images in [0, 1]
(`imagenet.unit_range`); its head is no single layer and is left out.
"""

import hashlib
import os
from collections.abc import Mapping

import numpy as np

from ganfail_jax.nn import frozen, imagenet, resnet
from ganfail_jax.weights import pretrained, torch_files
from ganfail_jax.weights.errors import WeightsError

CARRIER = pretrained.Carrier(
    "omniart-eye-classifier==0.1.3",
    "omniart_eye_classifier",
    "classifier_model_state.pth",
    "resnet_weights",
)
EYES = "ea3120ccbb6d16b39d75ff6907b968d565428869b4de650e2de26dbea70db345"  # SHA-256 of its file
FIRST = "bn1.running_mean"  # the shortest name that ends so is of the stem
FIELDS = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}


def form(arrays: Mapping[str, np.ndarray]) -> resnet.Form:
    """The depth whose blocks the file has.

    Raises:
        WeightsError: it is none of those known.
    """
    firsts = [name for name in arrays if name.endswith(".conv1.weight")]
    blocks = tuple(sum(name.startswith(f"layer{i}.") for name in firsts) for i in (1, 2, 3, 4))
    bottleneck = "layer1.0.conv3.weight" in arrays
    for known in resnet.FORMS.values():
        if known == (blocks, bottleneck):
            return known
    names = ", ".join(resnet.FORMS)
    raise WeightsError(f"blocks {blocks} per stage: none of torchvision's {names}")


def _modules(name: str) -> tuple[str, str]:
    """torchvision's convolution and its batch norm, of one of our names but the head."""
    if name == resnet.STEM:
        return "conv1", "bn1"
    stage, block, kind = name.split("/")
    place = f"layer{stage.removeprefix('stage')}.{block.removeprefix('block')}"
    if kind == "shortcut":
        return f"{place}.downsample.0", f"{place}.downsample.1"
    return f"{place}.{kind}", f"{place}.bn{kind.removeprefix('conv')}"


def _unwrapped(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The names within the module that is the network, such as `layers.`."""
    found = [name.removesuffix(FIRST) for name in arrays if f".{name}".endswith(f".{FIRST}")]
    return torch_files.unwrapped(arrays, min(found, key=len, default=""))


def assign(arrays: Mapping[str, np.ndarray]) -> frozen.Layers:
    """The convolutions with their batch norm folded in, and the head, if it is one linear layer.

    Raises:
        WeightsError: listing all missing, unexpected and misshaped names.
    """
    arrays = _unwrapped(arrays)
    classes = arrays["fc.bias"].size if "fc.bias" in arrays else 0
    shapes = resnet.kernel_shapes(form(arrays), classes)
    wanted = dict[str, tuple[int, ...]]()
    for name, (rows, columns, inputs, outputs) in shapes.items():
        if name == resnet.HEAD:
            wanted |= {"fc.weight": (outputs, inputs), "fc.bias": (outputs,)}
            continue
        conv, norm = _modules(name)
        wanted[f"{conv}.weight"] = (outputs, inputs, rows, columns)
        wanted |= {f"{norm}.{field}": (outputs,) for field in FIELDS.values()}
    taken = pretrained.take(arrays, wanted, () if classes else ("fc.",))

    def layer(name: str) -> frozen.Folded:
        if name == resnet.HEAD:
            return frozen.Folded(taken["fc.weight"].T[None, None].copy(), taken["fc.bias"])
        conv, norm = _modules(name)
        moments = {ours: taken[f"{norm}.{field}"] for ours, field in FIELDS.items()}
        kernel = pretrained.hwio(taken[f"{conv}.weight"])
        return frozen.fold_batch_norm(kernel, epsilon=resnet.EPSILON, **moments)

    return {name: layer(name) for name in shapes}


def load(path: str | os.PathLike[str] | None = None) -> pretrained.Pretrained:
    """The weights in torchvision's file; none: from the installed package.

    Raises:
        WeightsError: one line: not found (and how to get it), damaged, or of another network.
    """

    def read(raw: bytes) -> tuple[frozen.Layers, imagenet.Entry]:
        eyes = hashlib.sha256(raw).hexdigest() == EYES
        entry = imagenet.UNIT_RANGE if eyes else imagenet.TORCHVISION
        return assign(pretrained.torch_arrays(raw)), entry

    return pretrained.load(path, CARRIER, read)
