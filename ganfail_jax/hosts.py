"""Several hosts that compute as one: start-up, and what the first process tells the others.

Every process runs the same program; only the first writes files and prints.
"""

import importlib.util
import os
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

from ganfail_jax.errors import InputError


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
        if not (host and port.isdecimal() and int(port) < 2**16):
            raise InputError(f"--coordinator={coordinator}: a host and a port, as 10.0.0.1:8476")
        if process_id >= num_processes:
            raise InputError(
                f"--process_id={process_id} of --num_processes={num_processes}: they count from 0"
            )
    elif not (coordinator is num_processes is process_id is None):
        raise InputError("--coordinator, --num_processes and --process_id go together: give all")
    elif not _in_cluster():
        return
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the processes do not find each other: {str(error).splitlines()[0]}"
        ) from error
    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives


def _in_cluster() -> bool:
    slurm = int(os.environ.get("SLURM_STEP_NUM_TASKS") or 1) > 1
    return slurm or importlib.util.find_spec("libtpu") is not None


def is_first() -> bool:
    """Whether this process is the one that writes and prints."""
    return jax.process_index() == 0


def from_first(content: bytes | None) -> bytes | None:
    """What the first process has, for all; the others' own is ignored."""
    if jax.process_count() == 1:
        return content
    size = -1 if content is None else len(content)
    size = int(multihost_utils.broadcast_one_to_all(np.asarray(size, np.int32)))
    if size < 0:
        return None
    mine = content if is_first() and content is not None else bytes(size)
    shared = multihost_utils.broadcast_one_to_all(np.frombuffer(mine, np.uint8))
    return np.asarray(shared, np.uint8).tobytes()
