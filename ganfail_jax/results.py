"""A run's folder: arrays (npz) and a summary with provenance (json), written in one move.

Nothing half-written is ever seen: files and folders are made under a temporary name beside their
place and renamed when complete.
"""

import hashlib
import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

from ganfail_jax import __version__, files, npz
from ganfail_jax.errors import InputError, one_line
from ganfail_jax.writing import temporary

Record = TypeVar("Record", bound=tuple)
SUMMARY, ARRAYS = "result.json", "result.npz"
SHOWN, MARK = "shown.npz", "mark"  # arrays for figures alone, and what they are of
HASH = "arrays_sha256"  # in result.json, of result.npz
RATIO, BESIDE = 64, 2**29  # arrays have at most so many times the file's bytes, and so many beside
PACKAGES = ("jax", "jaxlib", "flax", "numpy")


class ResultError(InputError):
    """A folder cannot be written, or holds something else; one line says what to do."""


class Result(NamedTuple):
    """A finished run as read back."""

    summary: dict[str, Any]
    provenance: dict[str, Any]
    arrays: dict[str, np.ndarray]


@contextmanager
def new_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder that becomes `folder`, which must not exist, if the block succeeds."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = temporary(folder)
    new.mkdir()
    try:
        yield new
        os.rename(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside `path` that replaces it when the block succeeds."""
    path = Path(path)
    new = temporary(path)
    try:
        yield new
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def writable_folder(folder: str | os.PathLike[str]) -> Path:
    """Create the folder if need be.

    Raises:
        ResultError: it cannot be created or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise ResultError(f"cannot write to {folder} ({reason}); choose another --out") from error
    return folder


def provenance(
    identity: Mapping[str, Any], flags: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What made a result; `identity` (settings, weight hashes) decides if two are the same.

    The surroundings (all flags, commit, versions, device) are kept for the reader.
    """
    device = jax.devices()[0]
    surroundings = {
        "flags": dict(flags or {}),
        "git_commit": _git_commit(),
        "versions": {"ganfail_jax": __version__} | {name: version(name) for name in PACKAGES},
        "device": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
    }
    return {"identity": json.loads(json.dumps(dict(identity))), **surroundings}


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def without_nan(content: Any) -> Any:
    """Nested dicts and lists with None for every NaN and infinity, which JSON has not."""
    if isinstance(content, Mapping):
        return {name: without_nan(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def save(
    folder: str | os.PathLike[str],
    summary: Mapping[str, Any],
    made_by: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write `result.npz`, then `result.json`, whose presence says that the result is complete."""
    folder = writable_folder(folder)
    with replace_file(folder / ARRAYS) as path:
        np.savez_compressed(path, allow_pickle=False, **arrays)
        content = {"provenance": made_by, HASH: file_hash(path), **summary}
    with replace_file(folder / SUMMARY) as path:
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_shown(folder: Path, mark: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Keep what is drawn beside a result, for `load_shown`."""
    with replace_file(folder / SHOWN) as path:
        np.savez_compressed(path, allow_pickle=False, **{MARK: np.asarray(mark)}, **arrays)


def load_shown(folder: Path, mark: str) -> dict[str, np.ndarray] | None:
    """The arrays kept under this mark; None: there are none, or damaged ones."""
    try:
        arrays = _read_arrays(files.read(folder / SHOWN))
        return arrays if str(arrays.pop(MARK)) == mark else None
    except DAMAGE:
        return None


DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError)  # of what a file holds


def load(folder: str | os.PathLike[str]) -> Result:
    """Read a finished result.

    Raises:
        ResultError: there is none, it is damaged, or its two files are not of one run.
    """
    folder = Path(folder)
    try:
        summary = files.read_json(folder / SUMMARY)
        made_by = summary.pop("provenance")
        if not isinstance(made_by["identity"], dict):
            raise TypeError("its provenance has no identity")
        wanted = summary.pop(HASH, None)  # None: an old result has none
        content = files.read(folder / ARRAYS)
        if wanted not in (None, hashlib.sha256(content).hexdigest()):
            raise ValueError(f"{ARRAYS} was altered, or is of another run than {SUMMARY}")
        return Result(summary, made_by, _read_arrays(content))
    except DAMAGE as error:
        raise ResultError(f"no readable result in {folder}: {one_line(error)}") from error


def _read_arrays(content: bytes) -> dict[str, np.ndarray]:
    return npz.read(content, RATIO * len(content) + BESIDE)


def of_this_version(folder: str | os.PathLike[str]) -> AbstractContextManager[None]:
    """A block that takes what it expects out of a result, which another version may have made.

    Raises:
        ResultError: it is not there, or is something else.
    """
    advice = "; choose another folder, or delete it to make the result anew"
    return files.expected(folder, ResultError, advice)


def restore(record: type[Record], arrays: Mapping[str, np.ndarray], prefix: str = "") -> Record:
    """A NamedTuple from the arrays that were saved of its fields.

    Texts come back as str, several as a tuple of them, and single numbers as those of Python.

    Args:
        prefix: of the names of the arrays.

    Raises:
        ResultError: some are missing.
    """
    names = {field: f"{prefix}{field}" for field in record._fields}  # pyright: ignore
    missing = [name for name in names.values() if name not in arrays]
    if missing:
        raise ResultError(f"this result is not a {record.__name__}: it has no {', '.join(missing)}")
    return record(**{field: _plain(arrays[name]) for field, name in names.items()})


def _plain(array: np.ndarray) -> Any:
    values = np.asarray(array)
    if not values.ndim:
        return values.item()
    return tuple(values.tolist()) if values.dtype.kind == "U" else values


def find_same(
    folder: str | os.PathLike[str], made_by: Mapping[str, Any], shown: Collection[str] = ()
) -> Result | None:
    """The finished result of the same identity, or None where there is none yet.

    Args:
        shown: settings that change only what is drawn, which old results have in their identity.

    Raises:
        ResultError: the folder holds a different result, which is never overwritten silently.
    """
    if not (Path(folder) / SUMMARY).exists():
        return None
    result = load(folder)
    wanted = made_by["identity"]
    present = {k: v for k, v in result.provenance["identity"].items() if k not in shown}
    if present == wanted:
        return result
    differs = sorted(k for k in {*wanted, *present} if wanted.get(k) != present.get(k))
    raise ResultError(
        f"{folder} holds a result made with other {', '.join(differs)}; "
        "choose another --out or delete it"
    )
