"""Who writes in a place, and what killed writers left there.

A place has one writer at a time, by a lock that dies with its process; whoever holds it removes
the temporary files of those that were killed. Readers need no lock: files appear in one move.
"""

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganfail_jax.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: nobody is kept out
    fcntl = None

LOCK = ".lock"
PARTS = ("best", "latest", "discriminator", "sheets")  # folders of a run that it writes files in
TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
LEFTOVERS = tuple(  # names of temporary files and folders, the first of now, the others of before
    map(
        re.compile,
        (
            r"\.(.+?)\.\d+\.new(?:\.[^.]+)?",
            r"\.(.+(\.[^.]+))\.\d+\2",
            r"\.(best|latest|discriminator)-[a-z0-9_]{8}",
        ),
    )
)


def temporary(path: Path) -> Path:
    """Where this process prepares what is to be at `path`; with its suffix, which numpy needs."""
    return path.with_name(f".{path.name}.{os.getpid()}.new{path.suffix}")


def contents(folder: Path) -> list[Path]:
    """What is in a folder, but for locks and leftovers."""
    return [p for p in folder.iterdir() if p.name != LOCK and _meant_for(p) is None]


@contextmanager
def only_writer(
    place: str | os.PathLike[str], *, flag: str = "--out", wait: bool = False
) -> Iterator[None]:
    """Nobody else writes in a folder that exists, or else at a path, until the block ends.

    The lock is a file in the folder, or beside the path. Where the file system has no locks nobody
    is kept out, and leftovers stay.

    Args:
        flag: that names another place, for the message.
        wait: for whoever writes there, instead of raising.

    Raises:
        InputError: another process writes there, or the place cannot be written.
    """
    place = Path(place)
    inside = place.is_dir()
    file = place / LOCK if inside else place.with_name(f".{place.name}.lock")
    try:
        opened, locked = _acquire(file, wait)
    except BlockingIOError as error:
        raise InputError(
            f"{error.strerror} is writing to {place}; wait for it or choose another {flag}"
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot write to {place} ({reason}); choose another {flag}") from error
    try:
        if locked:
            _remove_leftovers(place, inside)
        yield
    finally:
        with suppress(OSError):
            os.unlink(file)  # before it is unlocked, or it might be the next writer's
        os.close(opened)


def _acquire(file: Path, wait: bool) -> tuple[int, bool]:
    """The open file, and whether it is locked; raises BlockingIOError with the name of who has."""
    while True:
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            locked = _lock(opened, wait)
            if not locked or _is_at(opened, file):
                os.ftruncate(opened, 0)
                os.write(opened, f"{os.getpid()} {socket.gethostname()}".encode())
                return opened, locked
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)  # the last writer has just deleted it


def _lock(opened: int, wait: bool) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in TAKEN:
            raise BlockingIOError(error.errno, _holder(opened)) from error
        return False  # such as a network file system without locks
    return True


def _is_at(opened: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), os.stat(file))
    except FileNotFoundError:
        return False


def _holder(opened: int) -> str:
    pid, _, host = os.read(opened, 1000).decode(errors="replace").partition(" ")
    if not pid.isdecimal():
        return "another process"
    return f"PID {pid}" if host == socket.gethostname() else f"PID {pid} on {host}"


def _meant_for(path: Path) -> str | None:
    """The name that a leftover was to have; None: it is something else, or not of this user."""
    match = next(filter(None, (each.fullmatch(path.name) for each in LEFTOVERS)), None)
    if match is None:
        return None
    with suppress(FileNotFoundError):  # that of a writer beside, who has just finished
        if not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid():
            return match[1]
    return None


def _remove_leftovers(place: Path, inside: bool) -> None:
    """Of the writers before; of a path those that were to be there."""
    parts = [part for part in map(place.joinpath, PARTS) if part.is_dir() and inside]
    folders = [place, *parts] if inside else [place.parent]
    for path in [path for folder in folders for path in folder.glob(".*")]:
        name = _meant_for(path)
        if name is None or not (inside or name == place.name):
            continue
        with suppress(OSError):
            if path.is_symlink() or not path.is_dir():
                path.unlink()
                continue
            kept = path / "old"  # folders were exchanged once, and a kill came between
            if kept.is_dir() and not path.with_name(name).exists():
                os.rename(kept, path.with_name(name))
            shutil.rmtree(path)
