"""What is kept between runs in the user's cache folder, and JAX's compiled programs there."""

import atexit
import functools
import os
import re
import shutil
import stat
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax

NAME = "ganfail_jax"
MOST = 256 * 2**20  # bytes of compiled programs; those of `analyze.rank` have 0.4 MB
SETTINGS = {  # of JAX, where the environment does not set them
    "jax_persistent_cache_min_compile_time_secs": 0.0,  # a second run compiles nothing at all
    "jax_persistent_cache_enable_xla_caches": "none",  # they have no bound
}
SUFFIX = "-cache"  # of the files that JAX writes
FAILED = re.compile(r"Error (?:reading|writing) persistent compilation cache entry for '(.+?)'")


def cache_folder() -> Path:
    """$GANFAIL_CACHE, or a folder of ours where the platform keeps what can be made again.

    Raises:
        RuntimeError: the user has no home.
    """
    if own := os.environ.get("GANFAIL_CACHE"):
        return Path(own)
    if root := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
        return Path(root) / NAME
    parts = ("Library", "Caches") if sys.platform == "darwin" else (".cache",)
    return Path.home().joinpath(*parts, NAME)


def some_folder() -> Path:
    """`cache_folder`; for a user without a home a folder that this process deletes when it ends."""
    try:
        return cache_folder()
    except RuntimeError:
        return _temporary_folder()


@functools.cache
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def keep_compiled_programs() -> None:
    """Let JAX look for compiled programs in `cache_folder` and leave them there.

    A program's name there is a hash of itself, of JAX, of the compiler's options and of the
    processor. Where the folder cannot be used nothing is kept, and a folder that
    JAX_COMPILATION_CACHE_DIR names (none: empty) is left to JAX.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        folder = cache_folder() / "compiled"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder):
            return
        drop_oldest(folder, MOST)
    except (OSError, RuntimeError):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    for name, value in SETTINGS.items():
        if name.upper() not in os.environ:
            jax.config.update(name, value)
    _drop_damaged(folder)


def _is_ours(folder: Path) -> bool:
    """Whether we can write there, and others cannot: a program is run as it is found."""
    state = folder.stat()
    own = not hasattr(os, "getuid") or (
        state.st_uid == os.getuid() and not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
    return own and os.access(folder, os.W_OK | os.X_OK)


def drop_oldest(folder: Path, most: int) -> None:
    """Delete the programs that were not used for longest, so that `most` bytes stay.

    JAX can do so itself (jax_compilation_cache_max_size), but needs `filelock` for it and writes
    nothing any more once a process was killed while it did.
    """
    states = []
    for path in filter(Path.is_file, folder.glob(f"*{SUFFIX}")):
        with suppress(FileNotFoundError):  # another process deletes too
            state = path.stat()
            states.append((max(state.st_atime, state.st_mtime), state.st_size, path))
    for _, size, path in sorted(states, reverse=True):
        most -= size
        if most < 0:
            path.unlink(missing_ok=True)


def _drop_damaged(folder: Path) -> None:
    """Delete a program that JAX cannot read, or not write whole, instead of its warning.

    JAX goes on without, but would leave the file as it is, and warn of it in every run.
    """
    show = warnings.showwarning

    def show_others(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        failed = FAILED.match(str(message))
        if failed is None:
            show(message, *args, **kwargs)
            return
        for path in folder.glob(f"{failed[1]}-*"):
            with suppress(OSError):
                path.unlink()

    warnings.showwarning = show_others
