"""Sample index -> key -> latent and label, so that results do not depend on batches or devices."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ganfail_jax.images import as_viewed
from ganfail_jax.types import Activations, Edits, Generator, Params

NOISE_STREAM = 0x4E4F49  # folded into a sample's key for its noise inputs


class Latents(NamedTuple):
    """What a batch of samples is generated from."""

    z: Float[Array, "b z"]
    labels: Int[Array, " b"] | None  # None: unconditional
    one_hot: Float[Array, "b k"] | None
    noise_keys: Array | None  # see `noise_keys`


def sample_keys(seed: int, indices: Int[Array, " b"]) -> Array:
    """One key per sample: fold_in(seed, index)."""
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), indices)


def noise_keys(generator: Generator, seed: int, indices: Int[Array, " b"]) -> Array | None:
    """One key per sample for its noise inputs; None where the generator draws no noise."""
    if generator.noise != "random":
        return None
    return jax.vmap(jax.random.fold_in, (0, None))(sample_keys(seed, indices), NOISE_STREAM)


def latents(generator: Generator, seed: int, indices: Int[Array, " b"]) -> Latents:
    """Standard normal z of each sample; its class is index mod k, so classes are balanced."""
    keys = sample_keys(seed, indices)
    z = jax.vmap(lambda key: jax.random.normal(key, (generator.z_dim,)))(keys)
    noise = noise_keys(generator, seed, indices)
    if not generator.num_classes:
        return Latents(z, None, None, noise)
    labels = indices % generator.num_classes
    one_hot = jax.nn.one_hot(labels, generator.num_classes, dtype=jnp.float32)
    return Latents(z, labels, one_hot, noise)


def generate(
    generator: Generator,
    params: Params,
    seed: int,
    indices: Int[Array, " b"],
    edits: Edits | None = None,
    truncation_psi: float = 1.0,
) -> tuple[Float[Array, "b h w c"], Activations]:
    """Images of samples, as they are viewed, and what every layer computes for them.

    Edits change neither latents nor noise, so that a sample with and without them is a pair.
    """
    drawn = latents(generator, seed, indices)
    styles = generator.styles(params, drawn.z, drawn.one_hot, truncation_psi)
    images, taps = generator.synthesize(params, styles, edits, drawn.noise_keys)
    return as_viewed(images), taps
