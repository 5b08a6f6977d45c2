"""The parameters in a TorchScript module, as `torch_files.read` leaves it."""

from collections.abc import Iterator
from typing import Any

from ganfail_jax.weights import pickles, torch_files
from ganfail_jax.weights.errors import WeightsError

DEEPEST, MOST_MODULES, LONGEST = 12, 2_000, 100  # nesting, number and name of modules


def named_tensors(root: pickles.Opaque) -> Iterator[tuple[str, torch_files.Tensor]]:
    """Tensors by dotted name, as in the module's state dict; a module that occurs twice, once.

    Raises:
        WeightsError: more, deeper or longer named modules than a network has.
    """
    waiting, seen = [("", root, 0)], {id(root.state)}  # modules could share their attributes
    while waiting:
        prefix, module, depth = waiting.pop()
        attributes = module.state if isinstance(module.state, dict) else {}
        for name, value in attributes.items():
            if isinstance(value, torch_files.Tensor):
                yield f"{prefix}{str(name)[:LONGEST]}", value
            elif isinstance(value, pickles.Opaque) and id(value.state) not in seen:
                if depth == DEEPEST or len(seen) == MOST_MODULES or len(str(name)) > LONGEST:
                    raise WeightsError("more, deeper or longer named modules than a network has")
                seen.add(id(value.state))
                waiting.append((f"{prefix}{name}.", value, depth + 1))


def is_script(root: Any) -> bool:
    return isinstance(root, pickles.Opaque) and root.name.startswith(torch_files.SCRIPTED)
