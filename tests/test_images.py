import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.images import LEVELS, as_viewed, as_viewed_in_training, to_float, to_uint8

VIEWS = (as_viewed, as_viewed_in_training)


def test_float_and_back_is_the_identity_on_every_value():
    values = np.arange(256, dtype=np.uint8)
    floats = to_float(values)
    assert floats.dtype == np.float32
    assert (floats[0], floats[-1]) == (-1.0, 1.0)
    np.testing.assert_array_equal(to_uint8(floats), values)


def test_to_uint8_truncates_and_clips():
    floats = np.array([-2.0, -1.0, 0.0, 0.999 / 127.5, 1.0, 2.0], np.float32)
    np.testing.assert_array_equal(to_uint8(floats), [0, 0, 128, 128, 255, 255])


@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf])
def test_images_that_are_not_finite_become_no_8_bits(pixel):
    images = np.zeros((2, 3, 3, 1), np.float32)
    images[1, 2, 0] = pixel
    with pytest.raises(InputError, match="images with pixels that are not finite"):
        to_uint8(images)
    viewed = np.asarray(jax.jit(as_viewed)(images))
    np.testing.assert_array_equal(np.isnan(viewed), ~np.isfinite(images))
    with pytest.raises(InputError, match="images with pixels that are not finite"):
        to_uint8(viewed)


@pytest.mark.parametrize("view", VIEWS)
def test_a_viewed_image_is_the_8_bit_image_to_the_last_bit(view):
    levels = np.arange(256, dtype=np.uint8)
    inside = np.random.default_rng(0).uniform(-0.49, 0.49, (100, 256))  # of a level
    random = (levels + inside - 127.5) / 127.5
    far = np.linspace(1.01, 1e30, 300)
    for values in (to_float(levels), random, far, -far):
        images = values.astype(np.float32).reshape(1, -1, 1, 1)
        np.testing.assert_array_equal(jax.jit(view)(images), to_float(to_uint8(images)))


@pytest.mark.parametrize("view", VIEWS)
def test_a_broken_image_stays_broken(view):
    images = jnp.asarray([np.nan, np.inf, -np.inf, 0.0]).reshape(1, -1, 1, 1)
    for function in (view, jax.jit(view)):
        np.testing.assert_array_equal(
            function(images).ravel(), [np.nan, np.nan, np.nan, LEVELS[128]]
        )
    gradient = jax.grad(lambda x: jnp.sum(view(x) ** 2))(images)
    assert np.isnan(gradient[0, 0, 0, 0])


def test_the_gradient_of_a_viewed_image_is_that_of_clipping():
    images = jnp.asarray([-1.2, -1.0, -0.3, 0.77, 1.0, 1.01]).reshape(1, -1, 1, 1)
    gradient = jax.grad(lambda x: jnp.sum(as_viewed(x) * jnp.arange(1.0, 7.0)[:, None, None]))
    np.testing.assert_array_equal(gradient(images).ravel(), [0, 2, 3, 4, 5, 0])
    pushed = jax.jvp(as_viewed, (images,), (jnp.ones_like(images),))[1]
    np.testing.assert_array_equal(pushed.ravel(), [0, 1, 1, 1, 1, 0])


def test_training_brings_clipped_pixels_back_but_pushes_none_further_out():
    images = jnp.asarray([-1.2, -1.2, 0.5, 1.2, 1.2]).reshape(1, -1, 1, 1)
    gradient = jnp.asarray([-1.0, 1.0, -1.0, -1.0, 1.0]).reshape(1, -1, 1, 1)
    (pulled,) = jax.vjp(as_viewed_in_training, images)[1](gradient)
    np.testing.assert_array_equal(pulled.ravel(), [-1, 0, -1, 0, 1])
