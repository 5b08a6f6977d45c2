"""Weights that need no file: the same on every machine, so that goldens can be made with them."""

import json
import math
import zlib
from collections.abc import Mapping

import numpy as np

from tests.goldens import FOLDER


def uniform(seed: int, size: int) -> np.ndarray:
    """Numbers in [0, 1) from a hash of their places (integer arithmetic: exact everywhere)."""
    x = np.arange(size, dtype=np.uint32) + np.uint32(seed * 2_654_435_761 % 2**32)
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return (x ^ (x >> np.uint32(15))) / 2**32


def state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays by name: kernels of He's variance, positive variances, scales around one."""
    arrays = {}
    for name, shape in shapes.items():
        values = uniform(zlib.crc32(name.encode()), math.prod(shape)).reshape(shape)
        if len(shape) > 1:
            values = (values - 0.5) * math.sqrt(24 / math.prod(shape[1:]))
        elif name.endswith((".weight", "var")):
            values = values + 0.5
        else:
            values = (values - 0.5) / 2
        arrays[name] = values.astype(np.float32)
    return arrays


def torchvision(name: str) -> dict[str, np.ndarray]:
    """Of torchvision's resnet18, resnet50 (ten classes) or vgg16 (small fully connected layers)."""
    return state(json.loads((FOLDER / "torchvision_names.json").read_text())[name])
