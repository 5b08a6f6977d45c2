"""Sample index -> key -> latent and label, so that results do not depend on batches or devices."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ganfail_jax.types import Activations, Edits, Generator, Params


class Latents(NamedTuple):
    """What a batch of samples is generated from."""

    z: Float[Array, "b z"]
    labels: Int[Array, " b"] | None  # None: unconditional
    one_hot: Float[Array, "b k"] | None


def sample_keys(seed: int, indices: Int[Array, " b"]) -> Array:
    """One key per sample: fold_in(seed, index)."""
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), indices)


def latents(generator: Generator, seed: int, indices: Int[Array, " b"]) -> Latents:
    """Standard normal z of each sample; its class is index mod k, so classes are balanced."""
    keys = sample_keys(seed, indices)
    z = jax.vmap(lambda key: jax.random.normal(key, (generator.z_dim,)))(keys)
    if not generator.num_classes:
        return Latents(z, None, None)
    labels = indices % generator.num_classes
    return Latents(z, labels, jax.nn.one_hot(labels, generator.num_classes, dtype=jnp.float32))


def generate(
    generator: Generator,
    params: Params,
    seed: int,
    indices: Int[Array, " b"],
    edits: Edits | None = None,
) -> tuple[Float[Array, "b h w c"], Activations]:
    """Images of samples and what every layer computes for them, without truncation."""
    drawn = latents(generator, seed, indices)
    return generator.synthesize(params, generator.styles(params, drawn.z, drawn.one_hot), edits)
