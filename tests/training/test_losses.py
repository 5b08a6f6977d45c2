import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.training.losses import (
    discriminator_loss,
    generator_loss,
    path_lengths,
    r1_penalty,
)

IMAGES = jax.random.normal(jax.random.key(0), (5, 4, 3, 2))


def test_adversarial_losses_are_negative_log_probabilities():
    real, fake = jnp.array([0.3, -2.0, 5.0]), jnp.array([-0.7, 1.0, 0.1])
    log_sigmoid = lambda x: -np.log1p(np.exp(-np.asarray(x, np.float64)))  # noqa: E731
    assert float(generator_loss(fake)) == pytest.approx(-log_sigmoid(fake).mean(), rel=1e-6)
    expected = -log_sigmoid(real).mean() - log_sigmoid(-fake).mean()
    assert float(discriminator_loss(real, fake)) == pytest.approx(expected, rel=1e-6)
    assert float(generator_loss(jnp.array([-200.0]))) == 200.0


def test_r1_of_a_linear_discriminator_is_the_squared_norm_of_its_weights():
    weights = jax.random.normal(jax.random.key(1), IMAGES.shape[1:])
    penalty = r1_penalty(lambda x: jnp.einsum("bhwc,hwc->b", x, weights) + 3, IMAGES)
    assert float(penalty) == pytest.approx(float(jnp.sum(weights**2)), rel=1e-6)


def test_r1_is_the_mean_over_images_of_the_squared_gradient():
    penalty = r1_penalty(lambda x: jnp.sum(jnp.square(x), axis=(1, 2, 3)) / 2, IMAGES)
    squares = np.square(np.asarray(IMAGES)).sum(axis=(1, 2, 3))
    assert float(penalty) == pytest.approx(squares.mean(), rel=1e-6)


def linear_generator(num_ws=3, w_dim=4):
    weights = jax.random.normal(jax.random.key(2), (num_ws, w_dim, 4, 3, 2))
    return weights, lambda ws: jnp.einsum("blw,lwhvc->bhvc", ws, weights)


def test_path_length_of_a_linear_generator_is_the_projected_norm():
    weights, generator = linear_generator()
    ws, key = jax.random.normal(jax.random.key(3), (5, 3, 4)), jax.random.key(4)
    noise = jax.random.normal(key, (5, 4, 3, 2)) / np.sqrt(4 * 3)
    projected = np.einsum("bhvc,lwhvc->blw", noise, weights)
    expected = np.sqrt(np.square(projected).sum(axis=2).mean(axis=1))
    np.testing.assert_allclose(path_lengths(generator, ws, key), expected, rtol=1e-5)


def test_mean_squared_path_length_is_the_squared_weights_per_pixel_and_layer():
    weights, generator = linear_generator()
    n = 4000
    squares = np.asarray(path_lengths(generator, jnp.zeros((n, 3, 4)), jax.random.key(5))) ** 2
    expected = float(jnp.sum(weights**2)) / (4 * 3) / 3
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(n)


def test_path_length_of_a_generator_twice_as_steep_doubles():
    _, generator = linear_generator()
    ws, key = jnp.zeros((5, 3, 4)), jax.random.key(4)
    once, twice = (
        path_lengths(lambda w, gain=gain: gain * generator(w), ws, key) for gain in (1.0, 2.0)
    )
    np.testing.assert_allclose(twice, 2 * np.asarray(once), rtol=1e-6)
