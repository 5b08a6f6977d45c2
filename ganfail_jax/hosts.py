"""Several hosts that compute as one: their start and end, and what the first process tells others.

Every process runs the same program; only the first writes files and prints.
"""

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils

from ganfail_jax.errors import InputError
from ganfail_jax.names import printable

PATIENCE = 300  # seconds in which all processes have to start
FAREWELL = 2  # seconds that a failed first process waits for the others to say why they end


def start(
    coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Join the other processes, before JAX is used.

    SLURM (a step of several tasks) and TPU pods are found without arguments.

    Args:
        coordinator: "host:port" of the first process, the same for all.

    Raises:
        InputError: only some of the three are given, or the processes do not find each other.
    """
    if coordinator is not None and num_processes is not None and process_id is not None:
        host, _, port = coordinator.rpartition(":")
        if not (host and port.isdecimal() and 0 < int(port) < 2**16):
            raise InputError(f"--coordinator={coordinator}: a host and a port, as 10.0.0.1:8476")
        if process_id >= num_processes:
            raise InputError(
                f"--process_id={process_id} of --num_processes={num_processes}: they count from 0"
            )
    elif not (coordinator is num_processes is process_id is None):
        raise InputError("--coordinator, --num_processes and --process_id go together: give all")
    elif not (_in_slurm_step() or importlib.util.find_spec("libtpu")):
        return
    join = partial(
        jax.distributed.initialize,
        coordinator,
        num_processes,
        process_id,
        initialization_timeout=2 * PATIENCE,  # where JAX's own ends, it aborts the process
    )
    try:
        _within(PATIENCE, join)
    except TimeoutError as error:
        where = f" at {coordinator}" if coordinator else ""
        raise InputError(f"the processes did not find each other{where} in {PATIENCE} s") from error
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, ValueError) and coordinator is None and not _in_slurm_step():
            return  # libtpu is installed, but JAX sees no TPU
        reason = " ".join(str(error).split())
        raise InputError(f"the processes do not find each other: {reason}") from error
    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives


def _in_slurm_step() -> bool:
    return int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1) > 1


def _within(seconds: int, call: Callable[[], Any]) -> Any:
    """Make a call that Ctrl-C cannot interrupt, so that it can.

    Raises:
        TimeoutError: it takes longer.
    """
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except Exception as error:
            result.set_exception(error)

    Thread(target=run, daemon=True).start()
    return result.result(seconds)


def leave(status: int, at_once: bool = False) -> NoReturn:
    """End a failed process; of several hosts at once, because JAX's own way out waits for minutes.

    Args:
        at_once: without the interpreter's own end, in which a thread that still compiles crashes.
    """
    several = jax.distributed.is_initialized()
    if not several and not at_once:
        sys.exit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    if several and sys.stdout.name != os.devnull:  # the first, whose end the others do not survive
        time.sleep(FAREWELL)
    os._exit(status)


def is_first() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def from_first(make: Callable[[], bytes | None]) -> bytes | None:
    """What `make` returns on the first process, for all; the others do not call it.

    Raises:
        InputError: what `make` raised, on all processes.
    """
    if jax.process_count() == 1:
        return make()
    told = b""  # None; else a sign and the content
    if is_first():
        try:
            made = make()
            told = b"" if made is None else b"+" + made
        except InputError as error:
            told = b"-" + printable(str(error)).encode()
    size = int(multihost_utils.broadcast_one_to_all(np.asarray(len(told), np.uint32)))
    if not size:
        return None
    mine = np.frombuffer(told if is_first() else bytes(size), np.uint8)
    told = np.asarray(multihost_utils.broadcast_one_to_all(mine), np.uint8).tobytes()
    if told[:1] == b"-":
        raise InputError(told[1:].decode())
    return told[1:]
