"""The only hook into a network: what a layer computed, seen and changed before the next layer.

A network calls `tap` once per layer. An edit is a function of that activation [b, h, w, c]; built
with `jax.tree_util.Partial` it is a pytree and crosses `jit`, `vmap` and `lax.map`.
"""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float

from ganfail_jax.types import Edits

COLLECTION = "activations"


def tap(
    module: nn.Module, name: str, x: Float[Array, "b h w c"], edits: Edits | None
) -> Float[Array, "b h w c"]:
    """Apply the edit of this layer, if any, and sow the result under `name`."""
    if edits and name in edits:
        x = edits[name](x)
    module.sow(COLLECTION, name, x, reduce_fn=lambda _, new: new, init_fn=lambda: x)
    return x


def check_names(edits: Edits | None, taps: Iterable[str]) -> None:
    """Refuse an edit of a layer that does not exist: Flax would ignore it silently.

    Raises:
        ValueError: naming the unknown taps and listing the known ones.
    """
    taps = list(taps)
    if unknown := sorted(set(edits or ()) - set(taps)):
        raise ValueError(f"unknown layer {', '.join(unknown)}; the layers are {', '.join(taps)}")


def _zero_activated(mask: Array, x: Array) -> Array:
    return jnp.where(mask & (x > 0), 0, x)


def zero_activated(mask: Bool[Array | np.ndarray, "..."]) -> Partial:
    """Zero the activated (> 0) neurons of a mask, broadcast to [b, h, w, c] (Choi 2022, alg. 1)."""
    return Partial(_zero_activated, jnp.asarray(mask))


def _scale(factor: Array, x: Array) -> Array:
    return x * factor.astype(x.dtype)


def scale(factor: Float[Array | np.ndarray, "..."]) -> Partial:
    """Multiply by a factor that broadcasts to [b, h, w, c]: per unit, per sample or per position
    (Tousi 2021, alg. 1 and sec. 4.2)."""
    return Partial(_scale, jnp.asarray(factor))


def _zero_random_activated(keys: Array, share: Array, x: Array) -> Array:
    chosen = jax.vmap(lambda key: jax.random.bernoulli(key, share, x.shape[1:]))(keys)
    return jnp.where(chosen & (x > 0), 0, x)


def zero_random_activated(keys: Array, share: float) -> Partial:
    """Zero a random share of the activated neurons, one key per sample (Choi 2022, sec. 5)."""
    return Partial(_zero_random_activated, keys, jnp.float32(share))


def _replace(mask: Array, fill: Array, x: Array) -> Array:
    return jnp.where(mask, fill.astype(x.dtype), x)


def replace(
    mask: Bool[Array | np.ndarray, "..."], fill: Float[Array | np.ndarray, "..."]
) -> Partial:
    """Put `fill` where the mask holds; both broadcast to [b, h, w, c]."""
    return Partial(_replace, jnp.asarray(mask), jnp.asarray(fill))
