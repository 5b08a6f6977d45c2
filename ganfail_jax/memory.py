"""How this process keeps memory that compiled calls have freed."""

import ctypes
import os
import sys

# parameters of mallopt, from malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX, ARENA_MAX = -1, -2, -4, -8


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
