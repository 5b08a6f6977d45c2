"""StyleGAN2 and StyleGAN2-ADA of TensorFlow: their names and conventions -> NVIDIA's PyTorch ones.

Kernels are HWIO and dense weights [in, out]; the kernels of up-convolutions are flipped, and one is
added to the bias of the affine layers. Sources: networks_stylegan2.py of NVlabs/stylegan2,
networks.py of NVlabs/stylegan2-ada, and NVIDIA's own converter, legacy.py of stylegan2-ada-pytorch.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np

from ganfail_jax.nn.stylegan2 import StyleGAN2Config
from ganfail_jax.weights import nvidia, tensorflow_pickles
from ganfail_jax.weights.errors import WeightsError

FUNCTIONS = {
    "": ("G_main",),
    "mapping": ("G_mapping",),
    "synthesis": ("G_synthesis_stylegan2", "G_synthesis"),  # StyleGAN2's, ADA's
}
WANTED: dict[str, tuple[Any, ...]] = {
    "architecture": ("skip",),
    "nonlinearity": ("lrelu",),
    "mapping_nonlinearity": ("lrelu",),
    "mapping_lrmul": (0.01,),
    "normalize_latents": (True,),
    "use_noise": (True,),
    "use_wscale": (True,),
    "resample_kernel": ([1, 3, 3, 1], (1, 3, 3, 1)),
    "dtype": ("float32", "float16"),
}
FREE = {
    # these show in shapes
    *("resolution", "num_channels", "label_size", "label_fmaps", "latent_size", "dlatent_size"),
    *("dlatent_broadcast", "mapping_layers", "mapping_fmaps", "fmap_base", "fmap_decay"),
    *("fmap_min", "fmap_max", "fmap_const"),
    *("resolution_w", "resolution_h"),  # of a fork in which many shared networks were trained
    # these are the caller's choice, or matter in training only
    *("truncation_psi", "truncation_cutoff", "truncation_psi_val", "truncation_cutoff_val"),
    *("randomize_noise", "is_training", "is_validation", "return_dlatents", "dlatent_avg_beta"),
    *("w_avg_beta", "style_mixing_prob", "num_fp16_res", "fused_modconv", "structure"),
    # these are looked at elsewhere
    *("conv_clamp", "func_name", "mapping_func", "synthesis_func"),
}
DENSE = re.compile(r"mapping/(?:Dense(\d{1,2})|(LabelEmbed))/(weight|bias)", re.ASCII)
LAYER = re.compile(r"synthesis/(\d{1,4})x\1/(Conv|Conv0_up|Conv1|ToRGB)/(\w+)", re.ASCII)
NOISE = re.compile(r"synthesis/noise(\d{1,2})", re.ASCII)
LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb"}
FIELDS = {
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "mod_weight": "affine.weight",
    "mod_bias": "affine.bias",
}


def _name(name: str) -> str | None:
    """NVIDIA's name of a variable."""
    if found := DENSE.fullmatch(name):
        return f"mapping.{'embed' if found[2] else 'fc' + found[1]}.{found[3]}"
    if (found := LAYER.fullmatch(name)) and found[3] in FIELDS:
        return f"synthesis.b{found[1]}.{LAYERS[found[2]]}.{FIELDS[found[3]]}"
    if found := NOISE.fullmatch(name):  # noise0 is of b4.conv1, noise1 of b8.conv0
        return f"synthesis.{nvidia.convolution(int(found[1]))}.noise_const"
    return {"dlatent_avg": "mapping.w_avg", "synthesis/4x4/Const/const": "synthesis.b4.const"}.get(
        name
    )


def _value(name: str, array: np.ndarray) -> np.ndarray:
    """A variable in NVIDIA's layout; other shapes than expected stay: they are checked later."""
    if name.endswith(".noise_const"):
        return array[0, 0] if array.shape[:2] == (1, 1) and array.ndim == 4 else array
    if name.endswith(".const"):
        return array[0] if array.shape[:1] == (1,) else array
    if name.endswith(".affine.bias"):
        return array.astype(np.float32) + 1
    if array.ndim == 4:
        flipped = array[::-1, ::-1] if name.endswith("conv0.weight") else array
        return flipped.transpose(3, 2, 0, 1)
    return array.T


def _conv_clamp(network: tensorflow_pickles.Network) -> float | None:
    """The limit of every layer's output, which only ADA's synthesis knows."""
    limit = network.settings["synthesis"].get("conv_clamp")
    if limit is None or network.functions["synthesis"] != "G_synthesis":
        return None
    if type(limit) not in (int, float) or not 0 < limit < 1e6:
        raise WeightsError("layers whose conv_clamp is not one number")
    return float(limit)


def read(network: tensorflow_pickles.Network) -> tuple[StyleGAN2Config, dict[str, np.ndarray]]:
    """The architecture and the arrays by NVIDIA's names.

    Raises:
        WeightsError: the network computes something else than StyleGAN2's skip generator, or has
            variables that it does not have.
    """
    tensorflow_pickles.check(network, FUNCTIONS, WANTED, FREE)
    state: dict[str, np.ndarray] = {}
    joint = "mapping/LabelConcat/weight" in network.arrays  # of StyleGAN2 before ADA
    for variable, array in network.arrays.items():
        if variable == "mapping/LabelConcat/weight" and array.ndim == 2:
            if any(other.startswith("mapping/LabelEmbed/") for other in network.arrays):
                raise WeightsError("a mapping network with LabelConcat and LabelEmbed")
            state |= nvidia.joint_embedding(array)
            continue
        name = _name(variable)
        if variable == "lod":  # of training only: the skip architecture does not grow
            continue
        if name is None or name in state:
            raise WeightsError(f"unexpected {variable}: not of TensorFlow's StyleGAN2")
        state[name] = _value(name, array)
    clamp = _conv_clamp(network)
    return replace(nvidia.infer_config(state, clamp), joint_norm=joint), state
