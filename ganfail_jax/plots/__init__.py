"""Figures. `plots.ranking` and its siblings are imported when a command first draws.

matplotlib takes a quarter of the time that importing JAX takes, and --help draws nothing.
"""

import importlib
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from error
