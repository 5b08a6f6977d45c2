"""Devices, how a batch is spread over them, and sweeps over samples that survive interruption."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int
from tqdm import tqdm

from ganfail_jax.errors import InputError
from ganfail_jax.results import DAMAGE, read_arrays, replace_file

Total = TypeVar("Total")


def data_mesh(devices: list[Any] | None = None) -> Mesh:
    """A mesh of one axis, "data", over the given devices (default: all)."""
    return Mesh(np.asarray(devices or jax.devices()), ("data",))


def shard_batch(mesh: Mesh, batch: Any) -> Any:
    """Put arrays [b, ...] on the mesh, split along the batch."""
    return jax.device_put(batch, NamedSharding(mesh, PartitionSpec("data")))


def replicate(mesh: Mesh, tree: Any) -> Any:
    """Put arrays on the mesh, a copy on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


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
    treedef = jax.tree.structure(jax.eval_shape(step, indices, indices < batch))
    total, done = _read_partial(checkpoint, mark, treedef)
    bar = tqdm(total=num_samples, initial=done, desc=progress, unit="img", disable=progress is None)
    saved = time.monotonic()
    try:
        for start in range(done, num_samples, batch):
            inputs = shard_batch(mesh, (start + indices, start + indices < num_samples))
            sums = jax.device_get(step(*inputs))
            merged = sums if total is None else merge(total, sums)
            end = min(start + batch, num_samples)
            total, done = merged, end  # nothing between: an interrupt may come at any time
            bar.update(done - start)
            if checkpoint is not None and time.monotonic() - saved > seconds:
                _write_partial(checkpoint, mark, total, done)
                saved = time.monotonic()
    except KeyboardInterrupt:
        if checkpoint is not None and total is not None:
            _write_partial(checkpoint, mark, total, done)
        raise
    finally:
        bar.close()
    assert total is not None
    if checkpoint is not None:
        _write_partial(checkpoint, mark, total, done)
    return total


def _write_partial(path: Path, mark: str, total: Any, done: int) -> None:
    leaves = {f"leaf{i:04d}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(total))}
    with replace_file(path) as new:
        np.savez(new, allow_pickle=False, mark=np.asarray(mark), done=np.asarray(done), **leaves)


def _read_partial(path: Path | None, mark: str, treedef: Any) -> tuple[Any, int]:
    if path is None or not path.exists():
        return None, 0
    try:
        arrays = read_arrays(path)
        if str(arrays["mark"]) != mark:
            return None, 0
        names = sorted(name for name in arrays if name.startswith("leaf"))
        return jax.tree.unflatten(treedef, [arrays[name] for name in names]), int(arrays["done"])
    except DAMAGE:
        return None, 0
