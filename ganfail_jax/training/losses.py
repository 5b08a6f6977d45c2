"""Losses of StyleGAN2 (Karras et al. 2020) and PGGAN (Karras et al. 2018) as pure functions."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import softplus
from jaxtyping import Array, Float


def generator_loss(fake_logits: Float[Array, " b"]) -> Float[Array, ""]:
    """Non-saturating loss: mean of -log sigmoid(D(G(z)))."""
    return jnp.mean(softplus(-fake_logits))


def discriminator_loss(
    real_logits: Float[Array, " b"], fake_logits: Float[Array, " b"]
) -> Float[Array, ""]:
    """Mean of -log sigmoid(D(x)) - log(1 - sigmoid(D(G(z))))."""
    return jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))


def r1_penalty(
    logits: Callable[[Array], Array], images: Float[Array, "b h w c"]
) -> Float[Array, ""]:
    """Mean squared norm of d D(x) / d x on real images (Mescheder et al. 2018)."""
    gradient = jax.grad(lambda x: jnp.sum(logits(x)))(images)
    return jnp.mean(jnp.sum(jnp.square(gradient), axis=(1, 2, 3)))


def path_lengths(
    synthesize: Callable[[Array], Array], ws: Float[Array, "b l w"], key: Array
) -> Float[Array, " b"]:
    """|J_w^T y| for random images y: how far a step in W moves the image (StyleGAN2, sec. 3.2)."""

    def projection(ws: Array) -> Array:
        images = synthesize(ws)
        noise = jax.random.normal(key, images.shape, jnp.float32) / jnp.sqrt(
            images.shape[1] * images.shape[2]
        )
        return jnp.sum(images * noise)

    gradient = jax.grad(projection)(ws)
    return jnp.sqrt(jnp.mean(jnp.sum(jnp.square(gradient), axis=2), axis=1))


def gradient_penalty(
    scores: Callable[[Array], Array],
    real: Float[Array, "b h w c"],
    fake: Float[Array, "b h w c"],
    key: Array,
) -> Float[Array, ""]:
    """Mean (|d D(x) / d x| - 1)^2 between real and fake images (Gulrajani et al. 2017, eq. 3)."""
    share = jax.random.uniform(key, (real.shape[0], 1, 1, 1), jnp.float32)
    gradient = jax.grad(lambda x: jnp.sum(scores(x)))(real + share * (fake - real))
    norm = jnp.sqrt(jnp.sum(jnp.square(gradient), axis=(1, 2, 3)) + 1e-12)  # finite slope at 0
    return jnp.mean(jnp.square(norm - 1))


def class_loss(logits: Float[Array, "b k"], label: Float[Array, "b k"] | None) -> Float[Array, ""]:
    """Cross-entropy of the class requested (AC-GAN, Odena et al. 2017); 0 without classes."""
    if label is None:
        return jnp.zeros(())
    return -jnp.mean(jnp.sum(label * jax.nn.log_softmax(logits), axis=-1))
