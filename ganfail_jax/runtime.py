"""Devices, how a batch is spread over them, and sweeps over samples that survive interruption.

The devices may be of several hosts: every process runs the same sweep and gets the same sums.
"""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int
from tqdm import tqdm

from ganfail_jax import hosts
from ganfail_jax.errors import InputError
from ganfail_jax.results import DAMAGE, read_arrays, replace_file

Total = TypeVar("Total")


def data_mesh(devices: list[Any] | None = None) -> Mesh:
    """A mesh of one axis, "data", over the given devices (default: all)."""
    return Mesh(np.asarray(devices or jax.devices()), ("data",))


def _put(tree: Any, sharding: NamedSharding) -> Any:
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def own_part(x: Any) -> Array:
        x = np.asarray(x)
        return jax.make_array_from_callback(x.shape, sharding, lambda part: x[part])

    return jax.tree.map(own_part, tree)


def shard_batch(mesh: Mesh, batch: Any) -> Any:
    """Put arrays [b, ...], which every host has, on the mesh, split along the batch."""
    return _put(batch, NamedSharding(mesh, PartitionSpec("data")))


def replicate(mesh: Mesh, tree: Any) -> Any:
    """Put arrays, which every host has, on the mesh, a copy on every device."""
    return _put(tree, NamedSharding(mesh, PartitionSpec()))


def fetch(tree: Any) -> Any:
    """Arrays of a mesh as numpy arrays, whole on every host."""
    return multihost_utils.process_allgather(tree, tiled=True)


def progress_bar(name: str | None, total: int, done: int) -> tqdm:
    """Of images, on the first process; silent without a name."""
    silent = name is None or not hosts.is_first()
    return tqdm(total=total, initial=done, desc=name, unit="img", disable=silent)


def sweep(
    step: Callable[[Int[Array, " b"], Bool[Array, " b"]], Total],
    merge: Callable[[Total, Total], Total],
    num_samples: int,
    batch_size: int,
    *,
    mesh: Mesh,
    checkpoint: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    progress: str | None = None,
    seconds: float = 30.0,
) -> Total:
    """Sum `step(indices, mask)` over the sample indices 0 .. num_samples-1.

    Args:
        step: compiled; sums of one batch, whose last entries may be padding (mask False).
        merge: adds up two sums on the host.
        batch_size: rounded up to a multiple of the devices.
        checkpoint: an npz file of the total so far, written every so many `seconds` and when
            interrupted and at the end; one of another `identity` or batch size is not used. The
            caller deletes it once the result is safe.
        progress: description of a progress bar; None: silent.

    Raises:
        InputError: nothing to sweep.
    """
    if num_samples < 1 or batch_size < 1:
        raise InputError(
            f"num_samples and batch_size must be at least 1, not {num_samples} and {batch_size}"
        )
    batch = -(-min(batch_size, num_samples) // mesh.size) * mesh.size
    mark = json.dumps({"batch": batch, "samples": num_samples, **(identity or {})}, sort_keys=True)
    indices = np.arange(batch, dtype=np.int32)

    def structure() -> Any:
        return jax.tree.structure(jax.eval_shape(step, indices, indices < batch))

    total, done = read_partial(checkpoint, mark, structure)
    bar = progress_bar(progress, num_samples, done)
    saved = time.monotonic()
    try:
        for start in range(done, num_samples, batch):
            inputs = shard_batch(mesh, (start + indices, start + indices < num_samples))
            sums = fetch(step(*inputs))
            merged = sums if total is None else merge(total, sums)
            end = min(start + batch, num_samples)
            total, done = merged, end  # nothing between: an interrupt may come at any time
            bar.update(done - start)
            if checkpoint is not None and time.monotonic() - saved > seconds:
                write_partial(checkpoint, mark, total, done)
                saved = time.monotonic()
    except KeyboardInterrupt:
        if checkpoint is not None and total is not None:
            write_partial(checkpoint, mark, total, done)
        raise
    finally:
        bar.close()
    assert total is not None
    if checkpoint is not None:
        write_partial(checkpoint, mark, total, done)
    return total


def append_rows(a: Total, b: Total) -> Total:
    """The `merge` of a sweep that keeps a row of every sample: all arrays of a, then those of b."""
    return jax.tree.map(lambda x, y: np.concatenate([x, y]), a, b)


def write_partial(path: Path, mark: str, total: Any, done: int) -> None:
    """Keep a total so far (the first process does), for `read_partial`."""
    if not hosts.is_first():
        return
    leaves = {f"leaf{i:04d}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(total))}
    with replace_file(path) as new:
        np.savez(new, allow_pickle=False, mark=np.asarray(mark), done=np.asarray(done), **leaves)


def read_partial(path: Path | None, mark: str, structure: Callable[[], Any]) -> tuple[Any, int]:
    """The total kept under this mark and how far it goes; none: (None, 0).

    All processes get what the first one finds.

    Args:
        structure: gives the total's; called where a total is kept, because it traces a program.
    """
    if path is None:
        return None, 0

    def read() -> bytes | None:
        with contextlib.suppress(OSError):
            return path.read_bytes()

    content = hosts.from_first(read)
    if content is None:
        return None, 0
    try:
        arrays = read_arrays(content)
        if str(arrays["mark"]) != mark:
            return None, 0
        leaves = [arrays[name] for name in sorted(arrays) if name.startswith("leaf")]
        return jax.tree.unflatten(structure(), leaves), int(arrays["done"])
    except DAMAGE:
        return None, 0
