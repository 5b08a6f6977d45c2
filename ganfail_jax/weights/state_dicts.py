"""Which of the things in a file of `torch.save` is the generator's state dict."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ganfail_jax.weights import torch_files
from ganfail_jax.weights.errors import WeightsError

NETWORKS = ("generator_smooth", "g_ema", "generator", "g")  # averaged ones before the others
WRAPPERS = ("models", "state_dict", "model")  # around them; the first is of genforce's trainer
DEEPEST = 4  # wrappers within wrappers


def _find(level: Any) -> tuple[Mapping[Any, Any], Mapping[Any, Any]]:
    """The state dict of the generator, which may be the file itself, and what is around it."""
    around: dict[Any, Any] = {}
    for _ in range(DEEPEST):
        if not isinstance(level, dict) or not level:
            break
        named = [level[name] for name in NETWORKS if isinstance(level.get(name), dict)]
        if found := next(filter(None, named), None):
            return found, around | level
        if all(isinstance(value, torch_files.Tensor) for value in level.values()):
            return level, around
        around |= level
        inner = [level[name] for name in WRAPPERS if name in level]
        level = inner[0] if inner else next(iter(level.values())) if len(level) == 1 else None
    raise WeightsError(
        f"there is no {', '.join(NETWORKS[:-1])} or {NETWORKS[-1]} in it, nor is it a state dict"
    )


def generator(root: Any, size: int) -> tuple[dict[str, np.ndarray], Mapping[Any, Any]]:
    """The arrays of the averaged generator, and what lies beside it in the file.

    Args:
        root: what `torch_files.read` gave: a generator's state dict, or a dict with one.
        size: of the file in bytes.

    Raises:
        WeightsError: there is none, or it is no mapping of names to tensors.
    """
    found, beside = _find(root)
    arrays = torch_files.named_arrays(found.items(), size)
    return torch_files.unwrapped(arrays, "module."), beside
