"""Devices, how a batch is spread over them, and sweeps over samples that survive interruption.

The devices may be of several hosts: every process runs the same sweep and gets the same sums.
"""

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int, Shaped
from tqdm import tqdm

from ganfail_jax import files, hosts, memory, npz
from ganfail_jax.errors import InputError
from ganfail_jax.files import FileError
from ganfail_jax.results import DAMAGE, replace_file
from ganfail_jax.types import Generator

Total = TypeVar("Total")
Rows = TypeVar("Rows")
RARELY = 30.0  # seconds between two updates of a progress bar that nobody watches
WORKSPACE = 8  # times a sample's layers in float32: its style gradient takes 3.2 to 3.9 times them
UNFINISHED = "unfinished-"  # prefix of the files of totals so far


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


def most_at_once(generator: Generator) -> int | None:
    """Samples that fit in the memory with all layers, forwards and backwards; None: unknown.

    By half of the memory that the devices or this machine have, not by what is free at the moment,
    because an interrupted sweep is resumed in the same batches. The same on all processes.
    """
    layers = sum(info.resolution**2 * info.channels for info in generator.layers.values())

    each, each_sample = memory_of_device(), 4 * WORKSPACE * max(1, layers)  # some have no layers
    if each is None:
        return None
    return max(1, each * len(jax.local_devices()) // 2 // each_sample)


def memory_of_device() -> int | None:
    """Bytes of one device, as the first process knows; on CPU its share of the machine's.

    None: unknown.
    """

    def on_first() -> bytes | None:
        devices = jax.local_devices()
        each = (devices[0].memory_stats() or {}).get("bytes_limit")  # a CPU says nothing
        machine = memory.of_machine()
        if each is None and machine is not None:
            each = machine // len(devices)
        return None if each is None else b"%d" % each

    told = hosts.from_first(on_first)
    return None if told is None else int(told)


def replicate(mesh: Mesh, tree: Any) -> Any:
    """Put arrays, which every host has, on the mesh, a copy on every device."""
    return _put(tree, NamedSharding(mesh, PartitionSpec()))


def fetch(tree: Any) -> Any:
    """Arrays of a mesh as numpy arrays, whole on every host."""
    return multihost_utils.process_allgather(tree, tiled=True)


class Measured(Exception):
    """Ends a rehearsal: what was measured, or None where nothing was in time."""

    def __init__(self, name: str = "", total: int = 0, unit: str = "", rate: float | None = None):
        super().__init__(name, total, unit, rate)
        self.name, self.total, self.unit, self.rate = name, total, unit, rate


_REHEARSAL: ContextVar[float | None] = ContextVar("rehearsal", default=None)  # when it began
PATIENCE = 10.0  # seconds after which a rehearsal without a pass to measure gives up


@contextlib.contextmanager
def rehearsal() -> Iterator[None]:
    """A block that ends after the second batch of its first pass, by raising Measured.

    The first batch, which compiles, is not counted.
    """
    token = _REHEARSAL.set(time.monotonic())
    try:
        yield
    finally:
        _REHEARSAL.reset(token)


def _check_patience() -> None:
    began = _REHEARSAL.get()
    if began is not None and time.monotonic() - began > PATIENCE and jax.process_count() == 1:
        raise Measured()


class _Stopwatch(tqdm):
    """The silent bar of a rehearsal."""

    def __init__(self, name: str | None, total: int, done: int, unit: str):
        super().__init__(total=total, initial=done, disable=True)
        self.measures, self.began = (name or "samples", total - done, unit), None

    def update(self, n: Any = 1) -> None:
        now = time.monotonic()
        if self.began is not None:
            raise Measured(*self.measures, rate=(n or 0) / max(now - self.began, 1e-9))
        self.began = now
        self.n += n or 0


def progress_bar(
    name: str | None, total: int, done: int, *, unit: str = "img", scale: bool = False
) -> tqdm:
    """On the first process; silent without a name.

    Where stderr is not a terminal every update stays, so they are rare there, unless tqdm's
    TQDM_MININTERVAL says how many seconds lie between two.

    Args:
        scale: write 12.3k for 12,345.
    """
    if _REHEARSAL.get() is not None:
        return _Stopwatch(name, total, done, unit)
    silent = name is None or not hosts.is_first()
    rare = not sys.stderr.isatty() and "TQDM_MININTERVAL" not in os.environ
    interval: dict[str, Any] = {"mininterval": RARELY, "maxinterval": RARELY} if rare else {}
    return tqdm(
        total=total,
        initial=done,
        desc=name,
        unit=unit,
        unit_scale=scale,
        disable=silent,
        **interval,
    )


class Sweep(NamedTuple):
    """How samples are processed; nothing of it changes a result."""

    batch_size: int  # rounded up to a multiple of the devices
    mesh: Mesh
    folder: Path | None = None  # where the total so far is kept; None: nowhere
    identity: Mapping[str, Any] = MappingProxyType({})  # of the result that it is for
    name: str | None = None  # of the progress bar and of the file in the folder; None: silent

    def named(self, name: str | None) -> "Sweep":
        """One of several sweeps for the same result."""
        return self._replace(name=name)

    @property
    def checkpoint(self) -> Path | None:
        """The npz file of the total so far; the caller deletes it once the result is safe."""
        if self.folder is None or self.name is None:
            return None
        part = re.sub(r"[^\w-]+", "-", self.name)  # a classifier's name may be a path
        return self.folder / f"{UNFINISHED}{part}.npz"


def has_unfinished(folder: Path) -> bool:
    """Whether sweeps have kept totals in a folder."""
    return any(folder.glob(f"{UNFINISHED}*.npz"))


def forget_unfinished(folder: Path) -> None:
    """Delete the totals that sweeps have kept in a folder."""
    for path in folder.glob(f"{UNFINISHED}*.npz"):
        path.unlink()


def sweep(
    step: Callable[[Int[Array, " b"], Bool[Array, " b"]], Total],
    merge: Callable[[Total, Total], Total],
    num_samples: int,
    how: Sweep,
    identity: Mapping[str, Any] = MappingProxyType({}),
    seconds: float = 30.0,
) -> Total:
    """Sum `step(indices, mask)` over the sample indices 0 .. num_samples-1.

    The total so far is written every so many `seconds`, when interrupted and at the end. One of
    another identity, batch size or number of samples is not used.

    Args:
        step: compiled; sums of one batch, whose last entries may be padding (mask False).
        merge: adds up two sums on the host.
        identity: settings of this sweep, beside those of the result.

    Raises:
        InputError: nothing to sweep.
    """
    if num_samples < 1 or how.batch_size < 1:
        raise InputError(
            f"num_samples and batch_size must be at least 1, not {num_samples} and {how.batch_size}"
        )
    batch = -(-min(how.batch_size, num_samples) // how.mesh.size) * how.mesh.size
    settings = {"batch": batch, "samples": num_samples, **how.identity, **identity}
    mark, checkpoint = json.dumps(settings, sort_keys=True), how.checkpoint
    indices = np.arange(batch, dtype=np.int32)

    def structure() -> Any:
        return jax.tree.structure(jax.eval_shape(step, indices, indices < batch))

    total, done = read_partial(checkpoint, mark, structure)
    bar = progress_bar(how.name, num_samples, done)
    saved = time.monotonic()
    try:
        for start in range(done, num_samples, batch):
            inputs = shard_batch(how.mesh, (start + indices, start + indices < num_samples))
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
    """All arrays of a, then those of b: the `merge` of a sweep that keeps a row of every sample."""
    return jax.tree.map(lambda x, y: np.concatenate([x, y]), a, b)


def gather(
    step: Callable[[Int[Array, " b"]], Rows],
    num_samples: int,
    how: Sweep,
    identity: Mapping[str, Any] = MappingProxyType({}),
) -> Rows:
    """The rows that `step(indices)` makes of the samples 0 .. num_samples-1, as numpy arrays.

    Args:
        step: compiled; arrays of one row per sample.
        identity: see `sweep`.
    """
    rows = sweep(lambda indices, _: step(indices), append_rows, num_samples, how, identity)
    return jax.tree.map(lambda x: np.asarray(x)[:num_samples], rows)  # the rest is padding


def in_batches(
    function: Callable[..., Any],
    batch_size: int,
    *rows: Shaped[np.ndarray, "n ..."],
) -> Any:
    """A function of n rows, as numpy arrays (a tree of them where it returns one).

    Every batch is filled up, so that it compiles once, also for n = 0.
    """
    n = len(rows[0])
    parts = []
    for start in range(0, max(n, 1), batch_size):
        _check_patience()
        batch = [row[start : start + batch_size] for row in rows]
        filled = [np.resize(row, (batch_size, *row.shape[1:])) for row in batch]
        size = len(batch[0])
        parts.append(jax.tree.map(lambda x, size=size: np.asarray(x)[:size], function(*filled)))
    return jax.tree.map(lambda *each: np.concatenate(each), *parts)


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
        with contextlib.suppress(OSError, FileError):
            return files.read(path)

    content = hosts.from_first(read)
    if content is None:
        return None, 0
    try:
        arrays = npz.read(content, len(content))  # they are not compressed
        if str(arrays["mark"]) != mark:
            return None, 0
        leaves = [arrays[name] for name in sorted(arrays) if name.startswith("leaf")]
        return jax.tree.unflatten(structure(), leaves), int(arrays["done"])
    except DAMAGE:
        return None, 0
