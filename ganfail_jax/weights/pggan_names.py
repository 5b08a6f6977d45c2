"""PGGAN's weights by the names of genforce and of TF-Hub's progan-128 -> our network."""

import math
import re
from collections.abc import Mapping

import numpy as np

from ganfail_jax.nn.pggan import PGGANConfig, module_name
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.nvidia import widths

GENFORCE = re.compile(r"(layer|output)(0|[1-9]\d?)\.(weight|bias)", re.ASCII)
LONGEST_Z = 512  # the usual one
TFHUB = re.compile(r"(?:res_(0|[1-9]\d?)/conv([01])|to_rgb)/(kernel|bias)", re.ASCII)


def is_genforce(arrays: Mapping[str, np.ndarray]) -> bool:
    return "layer0.weight" in arrays


def is_tfhub(arrays: Mapping[str, np.ndarray]) -> bool:
    return "res_0/conv0/kernel" in arrays


def _ours(n: int) -> str:
    """Layer number -> the module's name."""
    return module_name(4 * 2 ** (n // 2), f"conv{n % 2}")


def finish(
    params: Mapping[str, np.ndarray], num_classes: int = 0
) -> tuple[PGGANConfig, dict[str, np.ndarray]]:
    """Architecture and variables, the only tRGB under the name of its resolution.

    Args:
        params: arrays by the names of our modules, the tRGB as "torgb".
        num_classes: how many inputs of the first layer are labels.

    Raises:
        WeightsError: this is no PGGAN.
    """
    config = _infer_config(params, num_classes)
    last = module_name(config.resolution, "torgb")
    return config, {f"params/{name.replace('torgb', last)}": a for name, a in params.items()}


def _infer_config(params: Mapping[str, np.ndarray], num_classes: int) -> PGGANConfig:
    shapes = {name: a.shape for name, a in params.items() if name.endswith("/weight")}
    try:
        channels = {int(name[1:5]): shape[-1] for name, shape in shapes.items() if "conv1/" in name}
        base, widest, largest = widths(channels)
        return PGGANConfig(
            resolution=largest,
            img_channels=shapes["torgb/weight"][-1],
            num_classes=num_classes,
            z_dim=shapes["b0004_conv0/weight"][-2] - num_classes,
            channel_base=base,
            channel_max=widest,
        )
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"its arrays are not those of a PGGAN: {error!r}") from error


def _as_kernel(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim != 4:
        raise WeightsError(f"{name} has shape {array.shape}, which is no kernel")
    return array


def _first(kernel: np.ndarray) -> np.ndarray:
    """Its reference pads z to 7x7: the output's corner sees the kernel's opposite corner."""
    return kernel[::-1, ::-1]


def read_genforce(arrays: Mapping[str, np.ndarray]) -> tuple[PGGANConfig, dict[str, np.ndarray]]:
    """Architecture and variables by our names; only the largest resolution's tRGB is kept.

    A label would only show as more inputs of the first layer. Up to 512 of them, and powers of two,
    are taken for z alone.

    Raises:
        WeightsError: unexpected names or shapes, a network still fading between resolutions, or
            one with labels.
    """
    if np.any(arrays.get("lod", 0)):
        raise WeightsError("a network in the middle of growing (its lod is not 0)")
    found = {name: GENFORCE.fullmatch(name) for name in arrays if name != "lod"}
    last = max((int(m[2]) for m in found.values() if m and m[1] == "output"), default=0)
    params: dict[str, np.ndarray] = {}
    for name, match in found.items():
        if match is None:
            raise WeightsError(f"unexpected {name}: not of genforce's unconditional PGGAN")
        kind, n, field, array = match[1], int(match[2]), match[3], arrays[name]
        if kind == "output" and n != last:
            continue
        if field == "weight":
            array = _as_kernel(array, name).transpose(2, 3, 1, 0)
            array = _first(array) if kind == "layer" and n == 0 else array
        params[f"{'torgb' if kind == 'output' else _ours(n)}/{field}"] = array
    config, params = finish(params)
    if config.z_dim > LONGEST_Z and config.z_dim & (config.z_dim - 1):
        raise WeightsError(
            f"its first layer takes {config.z_dim} numbers, as of z with {LONGEST_Z} and a label: "
            "genforce's conditional PGGAN normalises z before it appends the label, ours does not"
        )
    return config, params


def read_tfhub(arrays: Mapping[str, np.ndarray]) -> tuple[PGGANConfig, dict[str, np.ndarray]]:
    """Architecture and variables by our names, scales taken out again, images in [-1, 1].

    Raises:
        WeightsError: unexpected names or shapes.
    """
    params: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        match = TFHUB.fullmatch(name)
        if match is None:
            raise WeightsError(f"unexpected {name}: not of TF-Hub's progan")
        module = "torgb" if match[1] is None else _ours(2 * int(match[1]) + int(match[2]))
        last = module == "torgb"
        if match[3] == "bias":
            params[f"{module}/bias"] = 2 * np.asarray(array, np.float32) - 1 if last else array
            continue
        kernel = np.asarray(_as_kernel(array, name), np.float32)
        kernel = _first(kernel) if module == _ours(0) else kernel
        scale = math.sqrt(math.prod(kernel.shape[:3]))  # of the fan in
        params[f"{module}/weight"] = kernel * (2 * scale if last else scale / math.sqrt(2))
    return finish(params)
