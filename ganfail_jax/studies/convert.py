"""Write a published generator as our own weights folder, which loads faster."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ganfail_jax.errors import InputError
from ganfail_jax.results import ResultError
from ganfail_jax.types import Params
from ganfail_jax.weights import store
from ganfail_jax.weights.store import Stored


def plan(stored: Stored, params: Params, folder: Path) -> Callable[[], None]:
    """The conversion.

    Args:
        stored: the published file, of which `params` are the variables.

    Raises:
        InputError: the folder exists.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another --out")
    return partial(_convert, stored, params, folder)


def _convert(stored: Stored, params: Params, folder: Path) -> None:
    about = {**stored.about, "converted_from_sha256": stored.sha256}
    try:
        store.save(folder, stored.kind, stored.config, params, about)
    except OSError as error:
        raise ResultError(f"cannot write {folder} ({error.strerror or error})") from error
    print(f"{folder}: {stored.kind}, sha256 {store.load(folder).sha256}")
