"""What went wrong, in one line: with the machine, or with the program."""

import errno
import os
import re
import sys
import tempfile
import traceback

import jax

from ganfail_jax import __version__

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSED = {  # what the system says of a file or a device that the program uses rightly
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO),
    *(errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EMFILE, errno.ENFILE, errno.ENODEV, errno.ESTALE),
}
FULL_TEXT = re.compile("No space left on device|Disk quota exceeded|requested and [0-9]+ written")
MEMORY_TEXT = re.compile("RESOURCE_EXHAUSTED|[Oo]ut of memory")
SHOW = "GANFAIL_TRACEBACK"  # set in the environment: the program's faults end in a traceback


def of_machine(error: Exception) -> str | None:
    """What the machine lacks, such as room on its disk; None: it is not the machine's fault.

    JAX and Orbax raise errors of their own, which only their words tell apart.
    """
    text = str(error)
    number = error.errno if isinstance(error, OSError) else None
    if number in FULL or FULL_TEXT.search(text):
        return f"nothing more can be written: {_one_line(error)}; make room and run it again"
    if number in REFUSED:
        return _one_line(error)
    jax_failed = isinstance(error, jax.errors.JaxRuntimeError)
    if isinstance(error, MemoryError) or (jax_failed and MEMORY_TEXT.search(text)):
        return f"not enough memory, which a smaller --batch_size needs less of: {_one_line(error)}"
    return None


def of_program(error: Exception) -> str:
    """A fault that nobody expected; its trace goes into a file that only this user can read."""
    where = "the full trace is above"
    trace = "".join(traceback.format_exception(error))
    try:
        number, path = tempfile.mkstemp(prefix="ganfail-trace-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"ganfail_jax {__version__}: {sys.argv}\n{trace}")
        where = f"the full trace is in {path}"
    except OSError:
        print(trace, file=sys.stderr)
    return f"{type(error).__name__}: {_one_line(error)}; {where}"


def _one_line(error: Exception) -> str:
    """Its first line and our notes; of a system's error its words and file."""
    words = str(error)
    if isinstance(error, OSError) and error.strerror:
        words = error.strerror + (f": {error.filename}" if error.filename else "")
    first = (words.strip() or type(error).__name__).splitlines()[0]
    notes = [note for note in getattr(error, "__notes__", ()) if "\n" not in note]  # JAX's has
    return "; ".join([first, *notes])
