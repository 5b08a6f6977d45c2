"""PGGAN of TensorFlow: its names and conventions -> our network.

Source: G_paper in networks.py of tkarras/progressive_growing_of_gans. Its normalisations, gains and
activations are ours; weights are stored before the equalised learning rate's scale, as ours are.
"""

import re
from typing import Any

import numpy as np

from ganfail_jax.nn.pggan import PGGANConfig, module_name
from ganfail_jax.weights import pggan_names, tensorflow_pickles
from ganfail_jax.weights.errors import WeightsError

FUNCTIONS = {"": ("G_paper",)}
WANTED: dict[str, tuple[Any, ...]] = {
    "normalize_latents": (True,),
    "use_wscale": (True,),
    "use_pixelnorm": (True,),
    "use_leakyrelu": (True,),
    "use_batchnorm": (False,),
    "pixelnorm_epsilon": (1e-8,),
    "tanh_at_end": (None,),
    "dtype": ("float32", "float16"),
}
FREE = {
    # these show in names and shapes
    *("resolution", "num_channels", "label_size", "latent_size", "fmap_base", "fmap_decay"),
    *("fmap_max", "fused_scale"),
    # these do not matter for a generator
    *("structure", "func", "mbstd_group_size", "mbstat_func", "mbstat_avg", "use_gdrop"),
}
LAYER = re.compile(r"(\d{1,4})x\1/(Dense|Conv|Conv0|Conv0_up|Conv1)/(weight|bias)", re.ASCII)
RGB = re.compile(r"ToRGB_lod(\d{1,2})/(weight|bias)", re.ASCII)
FIRST = {"Dense", "Conv0", "Conv0_up"}  # of the two layers of a resolution


def _kernel(kind: str, array: np.ndarray, name: str) -> np.ndarray:
    """The weight in our layout HWIO."""
    if kind == "Dense":  # [in, out * 4 * 4]
        if array.ndim != 2 or array.shape[1] % 16:
            raise WeightsError(f"{name} has shape {array.shape}, which makes no 4x4 map")
        return array.reshape(len(array), -1, 4, 4).transpose(2, 3, 0, 1)
    if array.ndim != 4:
        raise WeightsError(f"{name} has shape {array.shape}, which is no kernel")
    # HWOI: a transposed convolution, which sees the kernel flipped, of x2 and 3x3 fused
    return array[::-1, ::-1].transpose(0, 1, 3, 2) if kind == "Conv0_up" else array


def _num_classes(settings: dict[str, Any], inputs: int) -> int:
    """Labels are appended to z: only the settings tell where they begin."""
    classes, z_dim = settings.get("label_size", 0), settings.get("latent_size")
    if type(classes) is not int or not 0 <= classes < inputs:
        raise WeightsError(f"its label_size is no number below its {inputs} inputs")
    if z_dim is not None and z_dim != inputs - classes:
        raise WeightsError(f"its latent_size and label_size are not its {inputs} inputs")
    return classes


def read(network: tensorflow_pickles.Network) -> tuple[PGGANConfig, dict[str, np.ndarray]]:
    """Architecture and variables by our names; only the largest resolution's tRGB is kept.

    Raises:
        WeightsError: the network computes something else than ours, is still growing, or has
            variables that it does not have.
    """
    tensorflow_pickles.check(network, FUNCTIONS, WANTED, FREE)
    if np.any(network.arrays.get("lod", 0)):
        raise WeightsError("a network in the middle of growing (its lod is not 0)")
    params: dict[str, np.ndarray] = {}
    for name, array in network.arrays.items():
        if rgb := RGB.fullmatch(name):
            if int(rgb[1]):
                continue
            kind, ours, field = "ToRGB", "torgb", rgb[2]
        elif found := LAYER.fullmatch(name):
            kind, field = found[2], found[3]
            ours = module_name(int(found[1]), "conv0" if kind in FIRST else "conv1")
        elif name == "lod":
            continue
        else:
            raise WeightsError(f"unexpected {name}: not of TensorFlow's PGGAN")
        if f"{ours}/{field}" in params:
            raise WeightsError(f"{name} is a second {field} of its layer")
        params[f"{ours}/{field}"] = _kernel(kind, array, name) if field == "weight" else array
    first = params.get("b0004_conv0/weight")
    inputs = 0 if first is None else first.shape[2]
    classes = _num_classes(network.settings[""], inputs) if inputs else 0
    return pggan_names.finish(params, classes)
