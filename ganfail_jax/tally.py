"""Integer sums over many samples, on all devices of all hosts, the same to the last bit on any.

Every device counts on its own, and what it counted is added up only now and then. The unit of
computation is a chunk of CHUNK consecutive samples: whatever the number of devices, hosts, batches
and interruptions, a sample is computed in the same company by the same program, so that no rounding
turns an activation near zero to the other side.
"""

import functools
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int

from ganfail_jax import runtime
from ganfail_jax.errors import InputError
from ganfail_jax.runtime import Sweep
from ganfail_jax.types import Params

CHUNK = 16  # images; on CPU as fast as any larger one
LARGEST = 2**30  # samples; indices and counts are int32 on the devices
Count = Callable[[Params, Int[Array, " c"], Bool[Array, " c"]], Any]


class Counter(NamedTuple):
    """A compiled tally; from `compile_counter`."""

    mesh: Mesh
    zeros: Callable[[Params], Any]  # nothing counted yet: one row per device
    advance: Callable[..., Any]  # (params, rows, last, start, rounds) -> rows
    total: Callable[[Any], Any]  # rows -> their sum, on every host


def compile_counter(count: Count, mesh: Mesh) -> Counter:
    """
    Args:
        count: (params, sample indices [c], mask [c]) -> integers summed over the samples whose mask
            holds; each at most c, or `tally` is told to add up more often.
    """
    devices = mesh.size
    split, whole = PartitionSpec("data"), PartitionSpec()

    def zeros(params: Params) -> Any:
        index = jax.ShapeDtypeStruct((CHUNK,), jnp.int32)
        mask = jax.ShapeDtypeStruct((CHUNK,), jnp.bool_)
        shapes = jax.eval_shape(count, params, index, mask)
        return jax.tree.map(lambda x: jnp.zeros((devices, *x.shape), jnp.int32), shapes)

    @functools.partial(
        jax.shard_map, mesh=mesh, in_specs=(whole, split, whole, whole, whole), out_specs=split
    )
    def advance(params: Params, rows: Any, last: Array, start: Array, rounds: Array) -> Any:
        own = lax.axis_index("data")

        def chunk(i: Array, rows: Any) -> Any:
            indices = start + (i * devices + own) * CHUNK + jnp.arange(CHUNK)
            counted = count(params, indices, indices < last)
            return jax.tree.map(lambda a, b: a + b[None].astype(jnp.int32), rows, counted)

        return lax.fori_loop(0, rounds, chunk, rows)

    rows = NamedSharding(mesh, split)
    return Counter(
        mesh,
        jax.jit(zeros, out_shardings=rows),
        jax.jit(advance),
        jax.jit(
            lambda rows: jax.tree.map(lambda x: x.sum(0), rows),
            out_shardings=NamedSharding(mesh, whole),
        ),
    )


def tally(
    counter: Counter,
    params: Params,
    first: int,
    last: int,
    sweep: Sweep,
    identity: Mapping[str, Any] = MappingProxyType({}),
    every: int = 20,
) -> Any:
    """The sums over samples first .. last-1, as int64 on the host.

    Args:
        params: on all devices (`runtime.replicate`).
        first: a multiple of CHUNK, so that chunks are the same in every tally.
        sweep: its batch is what is computed without a break; the mesh is the counter's.
        identity: settings of this tally, beside those of the result.
        every: batches between two checkpoints, at which devices and hosts add up.

    Raises:
        InputError: nothing to count, or more than can be.
    """
    if first % CHUNK:
        raise ValueError(f"a tally starts at a multiple of {CHUNK}, not at {first}")
    if last <= first or sweep.batch_size < 1:
        raise InputError(f"nothing to count in samples {first} to {last} by {sweep.batch_size}")
    if last > LARGEST:
        raise InputError(f"samples are numbered to {LARGEST:,} at most, not to {last:,}")
    settings = {"first": first, "last": last, "chunk": CHUNK, **sweep.identity, **identity}
    mark, checkpoint = json.dumps(settings, sort_keys=True), sweep.checkpoint
    round_size = CHUNK * counter.mesh.size
    rounds = -(-sweep.batch_size // round_size)
    shapes = jax.eval_shape(counter.zeros, params)
    total, done = runtime.read_partial(checkpoint, mark, lambda: jax.tree.structure(shapes))
    if total is None:
        total, done = jax.tree.map(lambda x: np.zeros(x.shape[1:], np.int64), shapes), first
    rows, fresh = counter.zeros(params), done  # of samples total has .. fresh

    def add_up() -> None:
        nonlocal total, done, rows
        counted = jax.device_get(counter.total(rows))
        merged = jax.tree.map(lambda a, b: a + np.int64(b), total, counted)
        total, done, rows = merged, fresh, counter.zeros(params)  # at once: see below
        if checkpoint is not None:
            runtime.write_partial(checkpoint, mark, total, done)

    batches, bar = 0, runtime.progress_bar(sweep.name, last - first, done - first)
    try:
        while fresh < last:
            step = min(rounds, -(-(last - fresh) // round_size))
            arguments = (np.int32(x) for x in (last, fresh, step))
            counted = jax.block_until_ready(counter.advance(params, rows, *arguments))
            end = min(last, fresh + step * round_size)
            rows, fresh = counted, end  # nothing between: an interrupt may come at any time
            bar.update(fresh - bar.n - first)
            batches += 1
            if batches % every == 0 or fresh == last:
                add_up()
    except KeyboardInterrupt:
        if jax.process_count() == 1:  # the others may be elsewhere and not add up
            add_up()
        raise
    finally:
        bar.close()
    return total
