"""rosinality's stylegan2-pytorch (`.pt`): its names -> NVIDIA's.

Source: its model.py and convert_weight.py. Its up-convolution is torch's transposed convolution
with the kernel as it stands, then the filter, both as NVIDIA's, so nothing is flipped; the biases
of the affine layers include their 1. It scales weights before the epsilon of the demodulation.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganfail_jax.nn import ops
from ganfail_jax.weights import nvidia, torch_files
from ganfail_jax.weights.errors import WeightsError

MAPPING = re.compile(r"style\.([1-9]\d?)\.(weight|bias)", re.ASCII)
LAYER = re.compile(r"(conv|to_rgb)(?:1|s\.(0|[1-9]\d?))\.(.+)", re.ASCII)
STRENGTH = re.compile(r"(synthesis\.b(\d+)\.conv([01]))\.noise_strength", re.ASCII)
NOISE = re.compile(r"noises\.noise_(0|[1-9]\d?)", re.ASCII)
STYLED = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
}
FIELDS = {
    "conv": STYLED
    | {
        "conv.blur.kernel": "resample_filter",
        "noise.weight": "noise_strength",
        "activate.bias": "bias",
    },
    "to_rgb": STYLED | {"upsample.kernel": "resample_filter", "bias": "bias"},
}
ONES = {"weight": 1, "noise_strength": 1}  # leading axes of length 1 that NVIDIA's do not have
FILTER_GAIN = 4.0  # of its filters, which NVIDIA applies at run time
LATENTS, BATCH, WIDEST = 10_000, 500, 2**14  # of the mean w
LARGEST = 1024  # resolution


def is_rosinality(arrays: Mapping[str, np.ndarray]) -> bool:
    return "input.input" in arrays


def _layer(found: re.Match[str]) -> str:
    """NVIDIA's name of a layer."""
    n = int(found[2]) + 1 if found[2] else 0  # conv1 and to_rgb1 come before the lists
    return nvidia.convolution(n) if found[1] == "conv" else nvidia.torgb(n)


def _squeeze(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """In a shape that only lacks axes of length 1; other arrays stay: they are refused later."""
    return array.reshape(shape) if array.size == math.prod(shape) else array


def _as_nvidias(array: np.ndarray, layer: str, field: str) -> np.ndarray:
    if field == "resample_filter":
        return array / FILTER_GAIN
    if field == "bias" and layer.endswith("torgb"):
        return _squeeze(array, array.shape[1:2])
    return _squeeze(array, array.shape[ONES.get(field, 0) :])


def mean_w(state: Mapping[str, np.ndarray]) -> np.ndarray:
    """The mean of mapped latents [w]: what rosinality truncates towards (its `mean_latent`).

    Always of the same latents, so that a file always gives the same network.

    Raises:
        WeightsError: there is no mapping network of a usual width.
    """
    count = sum(re.fullmatch(r"mapping\.fc\d+\.weight", name) is not None for name in state)
    layers = [(state.get(f"mapping.fc{i}.weight"), f"mapping.fc{i}.bias") for i in range(count)]
    weights = [(w, state.get(bias)) for w, bias in layers if w is not None]
    shapes = [w.shape for w, _ in weights]
    usual = 0 < len(weights) == count <= nvidia.MOST_LAYERS and len(shapes[0]) == 2
    if not usual or max(shapes[0]) > WIDEST or set(shapes[1:]) - {(shapes[0][0],) * 2}:
        raise WeightsError(f"no mapping network style.1 and so on of at most {WIDEST} channels")
    rng, total = np.random.default_rng(0), np.float64(0)
    with np.errstate(all="ignore"):
        for _ in range(LATENTS // BATCH):
            x = rng.standard_normal((BATCH, weights[0][0].shape[-1]), np.float32)
            x /= np.sqrt(np.mean(x * x, axis=1, keepdims=True) + np.float32(ops.EPSILON))
            for weight, bias in weights:
                scale = np.float32(0.01 / math.sqrt(weight.shape[-1]))
                x = (x @ weight.T.astype(np.float32)) * scale
                x += 0 if bias is None else np.float32(0.01) * bias
                x = np.maximum(x, np.float32(0.2) * x) * np.float32(math.sqrt(2))
            total = total + x.sum(axis=0, dtype=np.float64)
    return np.asarray(total / LATENTS, np.float32)


def drawn_noise(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The constant noise of a file without, which rosinality's own loader draws as well."""
    found: dict[str, np.ndarray] = {}
    for name in state:
        match = STRENGTH.fullmatch(name)
        if match and int(match[2]) <= LARGEST:
            size, layer = int(match[2]), int(match[3])
            noise = np.random.default_rng([size, layer]).standard_normal((size, size), np.float32)
            found[f"{match[1]}.noise_const"] = noise
    return found


def stylegan2_state(
    arrays: Mapping[str, np.ndarray], latent_avg: Any
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """NVIDIA's names and conventions, and remarks on what the file does not hold.

    Args:
        latent_avg: the tensor of this name beside the generator, which only files that were
            converted from NVIDIA's have.

    Raises:
        WeightsError: a name that such a generator does not have.
    """
    state: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if name == "input.input":
            state["synthesis.b4.const"] = _squeeze(array, array.shape[1:])
        elif found := MAPPING.fullmatch(name):
            state[f"mapping.fc{int(found[1]) - 1}.{found[2]}"] = array
        elif found := NOISE.fullmatch(name):
            layer = nvidia.convolution(int(found[1]))
            state[f"synthesis.{layer}.noise_const"] = _squeeze(array, array.shape[2:])
        elif (found := LAYER.fullmatch(name)) and found[3] in FIELDS[found[1]]:
            layer, field = _layer(found), FIELDS[found[1]][found[3]]
            state[f"synthesis.{layer}.{field}"] = _as_nvidias(array, layer, field)
        else:
            raise WeightsError(f"unexpected {name}: not of rosinality's StyleGAN2")
    remarks = []
    if isinstance(latent_avg, torch_files.Tensor):
        average = latent_avg.array()
        if average.size != max(average.shape, default=0):
            raise WeightsError(f"a latent_avg of shape {average.shape}, which is not one mean w")
        state["mapping.w_avg"] = average.reshape(-1)
    else:
        state["mapping.w_avg"] = mean_w(state)
        remarks.append(f"w_avg is the mean of {LATENTS:,} mapped latents")
    if not any(NOISE.fullmatch(name) for name in arrays):
        state |= drawn_noise(state)
        remarks.append("constant noise is drawn")
    return state, tuple(remarks)
