"""Which of the things in a file of `torch.save` is the generator's state dict."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax.weights import averages, torch_files
from ganfail_jax.weights.errors import WeightsError

NETWORKS = (*averages.AVERAGED, "generator", "g")
WRAPPERS = ("models", "state_dict", "model")  # around them; the first is of genforce's trainer
DEEPEST = 4  # wrappers within wrappers


class Place(NamedTuple):
    """Where the generator's state dict is in a file."""

    tensors: Mapping[Any, Any]  # by name
    beside: Mapping[Any, Any]  # what is around it
    remarks: tuple[str, ...]  # on which one was taken


def _is_state_dict(value: Any) -> bool:
    tensors = isinstance(value, dict) and value.values()
    return bool(tensors) and all(isinstance(each, torch_files.Tensor) for each in tensors)


def _find(level: Any) -> Place:
    around: dict[Any, Any] = {}
    taken, networks = "", list[Any]()
    for _ in range(DEEPEST):
        if _is_state_dict(level):
            return Place(level, around, averages.remarks(taken, networks))
        if not isinstance(level, dict) or not level:
            break
        around |= level
        networks += [name for name, value in level.items() if _is_state_dict(value)]
        named = [name for name in NETWORKS if isinstance(level.get(name), dict) and level[name]]
        if named:
            return Place(level[named[0]], around, averages.remarks(named[0], networks))
        wrappers = [name for name in WRAPPERS if name in level]
        if not wrappers and len(level) > 1:
            break
        name = next(iter(wrappers or level))
        if len(wrappers) != 1:
            taken = name
        level = level[name]
    raise WeightsError(
        f"there is no {', '.join(NETWORKS[:-1])} or {NETWORKS[-1]} in it, nor is it a state dict"
    )


def generator(root: Any, size: int) -> tuple[dict[str, np.ndarray], Place]:
    """The arrays of the averaged generator, and where they were found.

    Args:
        root: what `torch_files.read` gave: a generator's state dict, or a dict with one.
        size: of the file in bytes.

    Raises:
        WeightsError: there is none, or it is no mapping of names to tensors.
    """
    place = _find(root)
    arrays = torch_files.named_arrays(place.tensors.items(), size)
    return torch_files.unwrapped(arrays, "module."), place
