"""genforce's generators (`.pth`): its names and conventions -> NVIDIA's StyleGAN2 or our PGGAN.

Differences of its StyleGAN2 from NVIDIA's: the kernels of up-convolutions are flipped, and one is
added to the bias of the affine layers. The label's embedding has neither bias nor scale, and is
normalised together with z (`StyleGAN2Config.joint_norm`).
"""

import re
from collections.abc import Mapping

import numpy as np

from ganfail_jax.weights import nvidia
from ganfail_jax.weights.errors import WeightsError

MAPPING = re.compile(r"mapping\.dense(0|[1-9]\d?)\.(weight|bias)", re.ASCII)
LAYER = re.compile(r"synthesis\.(layer|output)(0|[1-9]\d?)\.(.+)", re.ASCII)
FIELDS = {
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "noise": "noise_const",
    "style.weight": "affine.weight",
    "style.bias": "affine.bias",
    "filter.kernel": "resample_filter",
}
FILTER_GAIN = 4.0  # of its filters, which NVIDIA applies at run time


def _drop_ones(array: np.ndarray, axes: int) -> np.ndarray:
    """Without leading axes of length 1; other arrays stay: their shape is checked later."""
    return array.reshape(array.shape[axes:]) if array.shape[:axes] == (1,) * axes else array


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
            state["synthesis.b4.const"] = _drop_ones(array, 1)
        elif name == "mapping.label_weight" and array.ndim == 2:
            state |= nvidia.joint_embedding(array)
        elif found := MAPPING.fullmatch(name):
            state[f"mapping.fc{found[1]}.{found[2]}"] = array
        elif (found := LAYER.fullmatch(name)) and found[3] in FIELDS:
            named = nvidia.torgb if found[1] == "output" else nvidia.convolution
            layer, field = named(int(found[2])), FIELDS[found[3]]
            if field == "noise_const":
                array = _drop_ones(array, 2)
            elif field == "resample_filter":
                array = _drop_ones(array, 2) / FILTER_GAIN
            elif field == "affine.bias":
                array = array.astype(np.float32) + 1
            elif field == "weight" and layer.endswith("conv0"):
                array = array[..., ::-1, ::-1] if array.ndim == 4 else array
            state[f"synthesis.{layer}.{field}"] = array
        elif name == "synthesis.upsample.kernel":
            state["synthesis.upsample.resample_filter"] = _drop_ones(array, 2) / FILTER_GAIN
        else:
            raise WeightsError(f"unexpected {name}: not of genforce's StyleGAN2")
    return state
