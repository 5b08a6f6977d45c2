"""Random keys and settings of JAX that results must not depend on, the same for every user.

JAX takes them from the environment (JAX_ENABLE_X64=1), from `jax.config` or from contexts, and each
of them gives other samples for the same seed, or other last bits. `key` makes every key of the
library; `settings` holds wherever numbers are made: in `Job.run`, in training, where models are
loaded and features extracted, and around every command.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Integer

from ganfail_jax import files
from ganfail_jax.errors import InputError

GENERATOR = "threefry2x32"
FAST_MATHS = re.compile(r"--(xla_\w*enable_fast_\w+)(?:=(\S*))?")
OFF = ("false", "0")


def key(seed: int | Integer[Array, ""]) -> Array:
    """The random key of a seed, from 0 to 2^32 - 1: `jax.random.key(seed)` of JAX's defaults.

    Raises:
        InputError: JAX would draw other numbers from it: JAX_THREEFRY_PARTITIONABLE is off, and
            this is called outside of `settings`.
    """
    if not jax.config.jax_threefry_partitionable:  # pyright: ignore
        raise InputError(
            "jax_threefry_partitionable is off, which changes every random number: unset "
            "JAX_THREEFRY_PARTITIONABLE, or call this within ganfail_jax.pinned.settings()"
        )
    words = jnp.stack([jnp.zeros((), jnp.uint32), jnp.asarray(seed).astype(jnp.uint32)])
    return jax.random.wrap_key_data(words, impl=GENERATOR)


@contextmanager
def settings(precision: str | None = "highest") -> Iterator[None]:
    """A context, or a decorator, in which JAX computes in the same way for everyone.

    It holds in this thread.

    Args:
        precision: of float32 matrix products; None: the device's default.

    Raises:
        InputError: XLA_FLAGS turn on fast maths, which a process cannot undo.
    """
    _refuse_fast_maths(os.environ.get("XLA_FLAGS", ""))
    with ExitStack() as stack:
        for context in (
            jax.enable_x64(False),
            jax.threefry_partitionable(True),
            jax.default_prng_impl(GENERATOR),  # of functions that are not of this library
            jax.default_matmul_precision(precision),
            jax.disable_jit(False),
            jax.softmax_custom_jvp(False),
            jax.numpy_dtype_promotion("standard"),
            jax.numpy_rank_promotion("allow"),
            flax.config.temp_flip_flag("fix_rng_separator", False),  # keys of fresh networks
        ):
            stack.enter_context(context)
        yield


def _refuse_fast_maths(flags: str) -> None:
    """Raises as `settings`; flags are listed, or in a file of this name."""
    if flags.strip() and not flags.lstrip().startswith("-") and Path(flags).is_file():
        flags = files.read(flags, files.LARGEST_TABLE).decode(errors="replace")
    values = dict(FAST_MATHS.findall(flags))  # of a flag that comes twice the last counts
    fast = [name for name, value in values.items() if value.lower() not in OFF]
    if fast:
        raise InputError(f"XLA_FLAGS has --{fast[0]}, which changes results: take it out")
