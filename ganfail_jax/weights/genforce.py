"""genforce's generators (`.pth`): its names and conventions -> NVIDIA's StyleGAN2 or our PGGAN.

Differences of its StyleGAN2 from NVIDIA's: the kernels of up-convolutions are flipped, and one is
added to the bias of the affine layers.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganfail_jax.weights import torch_files
from ganfail_jax.weights.errors import WeightsError

NETWORKS = ("generator_smooth", "generator")  # the averaged one first
CONSTANT = re.compile(r".*(filter|upsample)\.kernel")  # of the architecture
MAPPING = re.compile(r"mapping\.dense(\d+)\.(weight|bias)")
LAYER = re.compile(r"synthesis\.(layer|output)(\d+)\.(.+)")
FIELDS = {
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "noise": "noise_const",
    "style.weight": "affine.weight",
    "style.bias": "affine.bias",
}


def generator(root: Any) -> dict[str, np.ndarray]:
    """The arrays of the averaged generator in what `torch_files.read` gave.

    Raises:
        WeightsError: there is none, or it is no mapping of names to tensors.
    """
    networks = root if isinstance(root, dict) else {}
    found = next((networks[name] for name in NETWORKS if networks.get(name)), None)
    if not isinstance(found, dict):
        raise WeightsError(f"there is no {' or '.join(NETWORKS)} in it")
    odd = [name for name, tensor in found.items() if not isinstance(tensor, torch_files.Tensor)]
    if odd:
        raise WeightsError(f"{odd[0]} is no tensor")
    return {str(name): tensor.array() for name, tensor in found.items()}


def _layer(kind: str, n: int) -> str:
    """genforce's index -> NVIDIA's name: layer0 is b4.conv1, layer1 b8.conv0, output1 b8.torgb."""
    if kind == "output":
        return f"b{4 * 2**n}.torgb"
    return f"b{4 * 2 ** ((n + 1) // 2)}.conv{1 if n % 2 == 0 else 0}"


def stylegan2_state(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """NVIDIA's names and conventions.

    Raises:
        WeightsError: a name that such a generator does not have.
    """
    state: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if name == "truncation.w_avg":
            state["mapping.w_avg"] = array
        elif name == "synthesis.early_layer.const":
            state["synthesis.b4.const"] = array[0]
        elif found := MAPPING.fullmatch(name):
            state[f"mapping.fc{found[1]}.{found[2]}"] = array
        elif (found := LAYER.fullmatch(name)) and found[3] in FIELDS and len(found[2]) < 3:
            layer, field = _layer(found[1], int(found[2])), FIELDS[found[3]]
            if field == "noise_const":
                array = array[0, 0]
            elif field == "affine.bias":
                array = array + 1
            elif field == "weight" and layer.endswith("conv0"):
                array = array[:, :, ::-1, ::-1]
            state[f"synthesis.{layer}.{field}"] = array
        elif not CONSTANT.fullmatch(name):
            raise WeightsError(f"unexpected {name}: not of genforce's unconditional StyleGAN2")
    return state
