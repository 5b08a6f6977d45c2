"""Sample index -> key -> latent and label, so that results do not depend on batches or devices."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer

from ganfail_jax import pinned
from ganfail_jax.images import as_viewed
from ganfail_jax.types import Activations, Edits, Generator, Params

GOLDEN = np.array([2654435769], np.uint32)  # 2^32 over the golden ratio
NOISE_STREAM = 0x4E4F49  # folded into a sample's key for its noise inputs
Seed = int | Integer[Array, ""]  # an argument of compiled programs, so that they serve every seed


class Latents(NamedTuple):
    """What a batch of samples is generated from."""

    z: Float[Array, "b z"]
    labels: Int[Array, " b"] | None  # None: unconditional
    one_hot: Float[Array, "b k"] | None
    noise_keys: Array | None  # see `noise_keys`


def sample_keys(seed: Seed, indices: Int[Array, " b"]) -> Array:
    """One key per sample: fold_in(seed, index)."""
    return jax.vmap(jax.random.fold_in, (None, 0))(pinned.key(seed), indices)


def noise_keys(generator: Generator, seed: Seed, indices: Int[Array, " b"]) -> Array | None:
    """One key per sample for its noise inputs; None where the generator draws no noise."""
    if generator.noise != "random":
        return None
    return jax.vmap(jax.random.fold_in, (0, None))(sample_keys(seed, indices), NOISE_STREAM)


def sample_labels(generator: Generator, indices: Any) -> Any:
    """The class of each sample, so that classes have their shares; unconditional: None.

    Equal shares: index mod k. Others: multiples of the golden ratio, which are spread evenly over
    the circle whatever number of samples there is (Knuth, TAOCP 3, sec. 6.4).
    """
    if not generator.label_shares or not generator.num_classes:
        return indices % generator.num_classes if generator.num_classes else None
    host = not isinstance(indices, jax.Array)
    places = (np if host else jnp).asarray(indices).astype(np.uint32) * GOLDEN
    ends = np.cumsum(generator.label_shares) / sum(generator.label_shares)
    bounds = np.minimum(np.round(ends[:-1] * 2.0**32), 2.0**32 - 1).astype(np.uint32)
    found = (np if host else jnp).searchsorted(bounds, places, side="right")
    return found.astype(np.int32)


def latents(generator: Generator, seed: Seed, indices: Int[Array, " b"]) -> Latents:
    """Standard normal z of each sample, its class and its noise."""
    keys = sample_keys(seed, indices)
    z = jax.vmap(lambda key: jax.random.normal(key, (generator.z_dim,), jnp.float32))(keys)
    noise, labels = noise_keys(generator, seed, indices), sample_labels(generator, indices)
    if labels is None:
        return Latents(z, None, None, noise)
    one_hot = jax.nn.one_hot(labels, generator.num_classes, dtype=jnp.float32)
    return Latents(z, labels, one_hot, noise)


def generate(
    generator: Generator,
    params: Params,
    seed: Seed,
    indices: Int[Array, " b"],
    edits: Edits | None = None,
    truncation_psi: float | Array | None = None,
) -> tuple[Float[Array, "b h w c"], Activations]:
    """Images of samples, as they are viewed, and what every layer computes for them.

    Edits change neither latents nor noise, so that a sample with and without them is a pair.

    Args:
        truncation_psi: None: no truncation.
    """
    drawn = latents(generator, seed, indices)
    psi = () if truncation_psi is None else (truncation_psi,)
    styles = generator.styles(params, drawn.z, drawn.one_hot, *psi)
    images, taps = generator.synthesize(params, styles, edits, drawn.noise_keys)
    return as_viewed(images), taps


def activations(
    generator: Generator, params: Params, seed: Seed, indices: Int[Array, " b"]
) -> Activations:
    """What every layer computes for samples by index, without truncation (Choi 2022, sec. 3.1)."""
    return generate(generator, params, seed, indices)[1]


def renderer(generator: Generator, seed: int) -> Callable[..., Array]:
    """Compiled: (params, sample indices [b], edits) -> images [b,h,w,c], without truncation."""

    @jax.jit
    def render(params: Params, indices: Array, edits: Edits) -> Array:
        return generate(generator, params, seed, indices, edits)[0]

    return render
