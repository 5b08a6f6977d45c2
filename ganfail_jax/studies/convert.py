"""Write a published generator as our own weights folder, which loads faster."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ganfail_jax.errors import InputError
from ganfail_jax.results import ResultError, new_folder
from ganfail_jax.types import Params
from ganfail_jax.weights import store
from ganfail_jax.weights.store import Stored
from ganfail_jax.writing import only_writer


def plan(stored: Stored, params: Params, folder: Path) -> Callable[[], None]:
    """The conversion.

    Args:
        stored: the published file, of which `params` are the variables.

    Raises:
        InputError: the folder exists.
    """
    _check_free(folder)
    return partial(_convert, stored, params, folder)


def _check_free(folder: Path) -> None:
    if folder.exists():
        raise InputError(f"{folder} exists already; choose another --out")


def _convert(stored: Stored, params: Params, folder: Path) -> None:
    about = {**stored.about, "converted_from_sha256": stored.sha256}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(folder), new_folder(folder) as new:
            _check_free(folder)
            store.save(new, stored.kind, stored.config, params, about)
    except OSError as error:
        raise ResultError(f"cannot write {folder} ({error.strerror or error})") from error
    print(f"{folder}: {stored.kind}, sha256 {store.load(folder).sha256}")
