"""The second derivatives of R1 and path length do not depend on the form of the convolutions."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.nn import ops, pggan_discriminator, stylegan2, stylegan2_discriminator
from ganfail_jax.nn.convolutions import ON_CPU, PLAIN
from ganfail_jax.training.losses import path_lengths, r1_penalty
from tests.training.tiny_gan import CONDITIONAL, GROWING

LABEL = np.eye(3)[np.arange(4) % 3]
GENERATOR = replace(CONDITIONAL.generator, dtype="float64")
STYLEGAN2_CRITIC = replace(CONDITIONAL.discriminator, dtype="float64")


def draw(template, dtype):
    """Normal numbers in the shapes of `template`."""
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), dtype), template)


def r1_of_stylegan2(params, images):
    critic = stylegan2_discriminator.StyleGAN2Discriminator(STYLEGAN2_CRITIC)
    return r1_penalty(lambda x: jnp.asarray(critic.apply(params, x, jnp.asarray(LABEL))), images)


def r1_of_pggan(params, images):
    critic = pggan_discriminator.PGGANDiscriminator(GROWING.discriminator)
    return r1_penalty(lambda x: critic.apply(params, x)[0], images)  # pyright: ignore


def path_length(params, ws):
    network = stylegan2.StyleGAN2(GENERATOR)

    def synthesize(ws):
        styles = network.apply(params, ws, method="styles_of_ws")
        return jnp.asarray(network.apply(params, styles, method="synthesize"))

    return jnp.mean(path_lengths(synthesize, ws, jax.random.key(0)) ** 2)


CASES = {
    "r1 of StyleGAN2": (
        r1_of_stylegan2,
        lambda key: stylegan2_discriminator.init(STYLEGAN2_CRITIC, key),
        (4, 8, 8, 1),
    ),
    "r1 of PGGAN": (
        r1_of_pggan,
        lambda key: pggan_discriminator.init(GROWING.discriminator, key),
        (4, 8, 8, 1),
    ),
    "path length": (
        path_length,
        lambda key: stylegan2.init(GENERATOR, key),
        (4, GENERATOR.num_ws, GENERATOR.w_dim),
    ),
}


@pytest.mark.parametrize(("penalty", "init", "shape"), CASES.values(), ids=CASES)
def test_both_forms_of_the_convolutions_give_the_same_gradient(monkeypatch, penalty, init, shape):
    with jax.enable_x64(True):
        params = draw(jax.eval_shape(init, jax.random.key(0)), float)
        inputs = draw(jax.ShapeDtypeStruct(shape, float), float)
        gradients = []
        for family in (ON_CPU, PLAIN):
            monkeypatch.setattr(ops, "convolutions", lambda family=family: family)
            gradients.append(jax.jit(jax.grad(penalty))(params, inputs))
        ours, plain = map(jax.tree.leaves, gradients)
        assert max(float(jnp.max(jnp.abs(x))) for x in plain) > 0
        for a, b in zip(ours, plain, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * float(jnp.max(jnp.abs(b))))
