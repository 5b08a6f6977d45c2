"""Which of the things in a file of `torch.save` is the generator's state dict."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ganfail_jax.weights import torch_files
from ganfail_jax.weights.errors import WeightsError

NETWORKS = ("generator_smooth", "generator", "g_ema", "g")  # the averaged one before the other
WRAPPER = "models"  # around them, as genforce's trainer writes them


def generator(root: Any, size: int) -> tuple[dict[str, np.ndarray], Mapping[str, Any]]:
    """The arrays of the averaged generator, and what lies beside it in the file.

    Args:
        root: what `torch_files.read` gave.
        size: of the file in bytes.

    Raises:
        WeightsError: there is none, or it is no mapping of names to tensors.
    """
    networks = root if isinstance(root, dict) else {}
    networks = networks.get(WRAPPER, networks)
    networks = networks if isinstance(networks, dict) else {}
    found = next((networks[name] for name in NETWORKS if networks.get(name)), None)
    if not isinstance(found, dict):
        raise WeightsError(f"there is no {', '.join(NETWORKS[:-1])} or {NETWORKS[-1]} in it")
    arrays = torch_files.named_arrays(found.items(), size)
    return {name.removeprefix("module."): array for name, array in arrays.items()}, networks
