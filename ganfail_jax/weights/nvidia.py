"""NVIDIA's parameter names (stylegan2-ada-pytorch) -> our variables, strictly.

Only arrays by name are read here. Every expected name must be present with the right shape, and
nothing may be left over; all faults are reported at once.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from ganfail_jax.nn.resampling import FIR
from ganfail_jax.nn.stylegan2 import StyleGAN2Config
from ganfail_jax.weights.errors import WeightsError, list_faults

RESOLUTIONS = [4 * 2**i for i in range(11)]  # up to 4096
MOST_LAYERS = 64  # of a mapping network
IGNORED = "resample_filter"  # a constant of the architecture; checked, not stored


def convolution(n: int) -> str:
    """The n-th convolution in forward order: b4.conv1, b8.conv0, b8.conv1 and so on."""
    return f"b{4 * 2 ** ((n + 1) // 2)}.conv{1 if n % 2 == 0 else 0}"


def torgb(n: int) -> str:
    """The n-th tRGB: b4.torgb, b8.torgb and so on."""
    return f"b{4 * 2**n}.torgb"


def joint_embedding(weight: np.ndarray) -> dict[str, np.ndarray]:
    """The label's embedding [k,z] where it is normalised together with z: it has no scale."""
    classes, z_dim = weight.shape
    scaled = weight.T * np.float32(math.sqrt(classes))
    return {"mapping.embed.weight": scaled, "mapping.embed.bias": np.zeros(z_dim, np.float32)}


def _reference_name(path: tuple[str, ...]) -> str:
    """('synthesis', 'b0004', 'conv1', 'weight') -> 'synthesis.b4.conv1.weight'."""
    if path == ("w_avg",):
        return "mapping.w_avg"
    parts = (f"b{int(p[1:])}" if p[0] == "b" and p[1:].isdigit() else p for p in path)
    return ".".join(parts)


def _to_nhwc(array: np.ndarray, name: str) -> np.ndarray:
    """Reference layout -> ours: OIHW -> HWIO, [out, in] -> [in, out], const CHW -> HWC."""
    if name == "b4.fc.weight":  # its input is a flattened [c, 4, 4] map
        outputs = array.shape[0]
        return array.reshape(outputs, -1, 4, 4).transpose(2, 3, 1, 0).reshape(-1, outputs)
    if name.endswith(".const"):
        return array.transpose(1, 2, 0)
    return {4: lambda a: a.transpose(2, 3, 1, 0), 2: lambda a: a.T}.get(array.ndim, lambda a: a)(
        array
    )


def _channels(arrays: Mapping[str, np.ndarray]) -> dict[int, int]:
    """Resolution -> channels, from the last convolution of every block."""
    found = {}
    for name, array in arrays.items():
        parts = name.split(".")
        resolution = parts[1].removeprefix("b") if parts[2:] == ["conv1", "weight"] else ""
        if parts[0] == "synthesis" and resolution.isdecimal() and len(resolution) < 6:
            found[int(resolution)] = array.shape[0]
    return dict(sorted(found.items()))


def widths(channels: Mapping[int, int]) -> tuple[int, int, int]:
    """(channel_base, channel_max, resolution) of the rule min(base / resolution, max).

    Raises:
        WeightsError: the channels by resolution follow no such rule.
    """
    resolutions = RESOLUTIONS[: len(channels)]
    if not channels or sorted(channels) != resolutions or min(channels.values()) < 1:
        raise WeightsError("its resolutions are not 4, 8, 16 and so on")
    widest, largest = max(channels.values()), resolutions[-1]
    base = max(c * r for r, c in channels.items() if c < widest or r == largest)
    if any(c != min(base // r, widest) for r, c in channels.items()):
        listed = ", ".join(f"{r}: {c}" for r, c in channels.items())
        raise WeightsError(
            f"channels by resolution are {listed}: no base / resolution with a limit"
        )
    return base, widest, largest


def infer_config(arrays: Mapping[str, np.ndarray], conv_clamp: float | None) -> StyleGAN2Config:
    """The architecture that NVIDIA's names and shapes show.

    Raises:
        WeightsError: this is no skip generator of StyleGAN2.
    """
    try:
        channels = _channels(arrays)
        base, widest, largest = widths(channels)
        fc0, w_avg = arrays["mapping.fc0.weight"], arrays["mapping.w_avg"]
        embed = arrays.get("mapping.embed.weight")
        config = StyleGAN2Config(
            resolution=largest,
            img_channels=arrays[f"synthesis.b{largest}.torgb.weight"].shape[0],
            num_classes=0 if embed is None else embed.shape[1],
            z_dim=fc0.shape[1] - (0 if embed is None else embed.shape[0]),
            w_dim=w_avg.shape[0],
            mapping_layers=sum(
                name.startswith("mapping.fc") and name.endswith(".weight") for name in arrays
            ),
            channel_base=base,
            channel_max=widest,
            conv_clamp=conv_clamp,
        )
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise WeightsError(f"its arrays are not those of a StyleGAN2: {error!r}") from error
    if not 1 <= config.mapping_layers <= MOST_LAYERS or min(config.z_dim, config.w_dim) < 1:
        raise WeightsError("its mapping network is not that of a StyleGAN2")
    return config


def assign(state: Mapping[str, np.ndarray], template: Any) -> Any:
    """Fill a tree of variables shaped like `template` from NVIDIA's named arrays.

    Args:
        state: reference parameter name (no prefix) -> array in the reference's NCHW layout.
        template: {"params": ..., "buffers": ...} of arrays or shapes.

    Returns:
        Views of the given arrays: nothing is copied.

    Raises:
        WeightsError: listing all missing, unexpected and misshaped names.
    """
    faults, used = [], set()

    def fill(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        name = _reference_name(tuple(key.key for key in path[1:]))
        used.add(name)
        if name not in state:
            faults.append(f"missing {name}")
            return np.broadcast_to(np.float32(0), leaf.shape)
        array = np.asarray(state[name])
        # noise_const is a square plane, not a dense weight
        if array.ndim == len(leaf.shape) and not name.endswith("noise_const"):
            array = _to_nhwc(array, name)
        if array.shape != leaf.shape:
            faults.append(f"{name} has shape {array.shape} in our layout, wanted {leaf.shape}")
            return np.broadcast_to(np.float32(0), leaf.shape)
        return array

    tree = jax.tree_util.tree_map_with_path(fill, template)
    kernel = np.outer(FIR, FIR)
    for name in sorted(set(state) - used):
        if not name.endswith(IGNORED):
            faults.append(f"unexpected {name}")
        elif np.shape(state[name]) != kernel.shape or not np.allclose(
            state[name], kernel, atol=1e-6
        ):
            faults.append(f"{name} is not the [1, 3, 3, 1] filter")
    if faults:
        raise list_faults(faults)
    return tree
