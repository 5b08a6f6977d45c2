"""PGGAN's weights by the names of genforce and of TF-Hub's progan-128 -> our network."""

import math
import re
from collections.abc import Mapping

import numpy as np

from ganfail_jax.nn.pggan import PGGANConfig, layer_name
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.nvidia import widths

GENFORCE = re.compile(r"(layer|output)(\d{1,2})\.(weight|bias)")
TFHUB = re.compile(r"res_(\d{1,2})/conv([01])/(kernel|bias)")


def is_genforce(arrays: Mapping[str, np.ndarray]) -> bool:
    return "layer0.weight" in arrays


def is_tfhub(arrays: Mapping[str, np.ndarray]) -> bool:
    return "res_0/conv0/kernel" in arrays


def _ours(n: int) -> str:
    """Layer number -> the module's name."""
    return layer_name(4 * 2 ** (n // 2), n % 2).replace("/", "_")


def _infer_config(params: Mapping[str, np.ndarray]) -> PGGANConfig:
    shapes = {name: a.shape for name, a in params.items() if name.endswith("weight")}
    channels = {int(name[1:5]): shape[-1] for name, shape in shapes.items() if "conv1/" in name}
    try:
        base, widest, largest = widths(channels)
        return PGGANConfig(
            resolution=largest,
            img_channels=shapes["torgb/weight"][-1],
            num_classes=0,
            z_dim=shapes["b0004_conv0/weight"][-2],
            channel_base=base,
            channel_max=widest,
        )
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"its arrays are not those of a PGGAN: {error!r}") from error


def _first(kernel: np.ndarray) -> np.ndarray:
    """Its reference pads z to 7x7: the output's corner sees the kernel's opposite corner."""
    return kernel[::-1, ::-1]


def read_genforce(arrays: Mapping[str, np.ndarray]) -> tuple[PGGANConfig, dict[str, np.ndarray]]:
    """Architecture and variables by our names; only the largest resolution's tRGB is kept.

    Raises:
        WeightsError: unexpected names or shapes, or a network still fading between resolutions.
    """
    if float(arrays.get("lod", np.zeros(()))) != 0:
        raise WeightsError("a network in the middle of growing (its lod is not 0)")
    outputs = [int(n[6:].split(".")[0]) for n in arrays if n.startswith("output")]
    params: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        found = GENFORCE.fullmatch(name)
        if found is None:
            if name != "lod":
                raise WeightsError(f"unexpected {name}: not of genforce's unconditional PGGAN")
            continue
        kind, n, field = found[1], int(found[2]), found[3]
        if kind == "output" and n != max(outputs):
            continue
        if field == "weight":
            array = array.transpose(2, 3, 1, 0)
            array = _first(array) if kind == "layer" and n == 0 else array
        params[f"{'torgb' if kind == 'output' else _ours(n)}/{field}"] = array
    return _infer_config(params), {f"params/{name}": a for name, a in params.items()}


def read_tfhub(arrays: Mapping[str, np.ndarray]) -> tuple[PGGANConfig, dict[str, np.ndarray]]:
    """Architecture and variables by our names, scales taken out again, images in [-1, 1].

    Raises:
        WeightsError: unexpected names or shapes.
    """
    params: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        array = np.asarray(array, np.float32)
        scale = math.sqrt(math.prod(array.shape[:-1]))  # sqrt of a kernel's fan in
        if found := TFHUB.fullmatch(name):
            n, field = 2 * int(found[1]) + int(found[2]), found[3]
            if field == "kernel":
                array = (_first(array) if n == 0 else array) * (scale / math.sqrt(2))
            params[f"{_ours(n)}/{'bias' if field == 'bias' else 'weight'}"] = array
        elif name == "to_rgb/kernel":
            params["torgb/weight"] = 2 * scale * array
        elif name == "to_rgb/bias":
            params["torgb/bias"] = 2 * array - 1
        else:
            raise WeightsError(f"unexpected {name}: not of TF-Hub's progan")
    return _infer_config(params), {f"params/{name}": a for name, a in params.items()}
