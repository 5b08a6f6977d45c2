"""Sample index -> key -> latent and label, so that results do not depend on batches or devices."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer

from ganfail_jax.types import Activations, Edits, Generator, Params

Seed = int | Integer[Array, ""]  # an argument of compiled programs, so that they serve every seed


class Latents(NamedTuple):
    """What a batch of samples is generated from."""

    z: Float[Array, "b z"]
    labels: Int[Array, " b"] | None  # None: unconditional
    one_hot: Float[Array, "b k"] | None


def sample_keys(seed: Seed, indices: Int[Array, " b"]) -> Array:
    """One key per sample: fold_in(seed, index)."""
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), indices)


def sample_labels(generator: Generator, indices: Any) -> Any:
    """The class of each sample, index mod k, so that classes are balanced; unconditional: None."""
    return indices % generator.num_classes if generator.num_classes else None


def latents(generator: Generator, seed: Seed, indices: Int[Array, " b"]) -> Latents:
    """Standard normal z of each sample, and its class."""
    keys = sample_keys(seed, indices)
    z = jax.vmap(lambda key: jax.random.normal(key, (generator.z_dim,)))(keys)
    labels = sample_labels(generator, indices)
    if labels is None:
        return Latents(z, None, None)
    return Latents(z, labels, jax.nn.one_hot(labels, generator.num_classes, dtype=jnp.float32))


def generate(
    generator: Generator,
    params: Params,
    seed: Seed,
    indices: Int[Array, " b"],
    edits: Edits | None = None,
) -> tuple[Float[Array, "b h w c"], Activations]:
    """Images of samples and what every layer computes for them, without truncation."""
    drawn = latents(generator, seed, indices)
    return generator.synthesize(params, generator.styles(params, drawn.z, drawn.one_hot), edits)
