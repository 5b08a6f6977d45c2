"""How much memory there is, and how this process keeps what compiled calls have freed."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

# parameters of mallopt, from malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX, ARENA_MAX = -1, -2, -4, -8

LIMITS = (  # of a container, by version 2 and 1 of Linux's control groups
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def of_machine() -> int | None:
    """Bytes of memory that this machine has, or this container; None: the system does not say."""
    if not hasattr(os, "sysconf"):
        return None
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            limits.append(int(file.read_text()))
    return min(limits)


def keep_freed_memory() -> None:
    """Let glibc keep what XLA frees; call it before JAX starts its threads.

    On CPU every compiled call takes its workspace (80 MB in a training phase) from malloc and frees
    it. By default glibc returns that to the kernel, and the next call pays for fresh pages. The
    process keeps its peak instead. Without effect on other C libraries, and where the environment
    already tunes malloc.
    """
    tuned = any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ)
    if tuned or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(MMAP_MAX, 0)  # large blocks come from the heap too
    mallopt(TRIM_THRESHOLD, 2**31 - 1)
    mallopt(TOP_PAD, 2**26)
    mallopt(ARENA_MAX, 1)  # what one thread frees serves every other
