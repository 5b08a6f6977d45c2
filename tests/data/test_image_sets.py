"""Images by their numbers, the same whatever is asked for together."""

import jax.numpy as jnp
import numpy as np

from ganfail_jax.data.image_sets import generated, in_memory
from ganfail_jax.data.pipelines import to_uint8
from ganfail_jax.latents import latents
from tests.tiny import models


def test_arrays_give_their_rows():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 1), np.uint8)
    images = in_memory(pixels)
    assert images.shape == (5, 2, 3, 1)
    assert images.first(2).shape == (2, 2, 3, 1)
    np.testing.assert_array_equal(images.take(np.array([4, 0, 4])), pixels[[4, 0, 4]])


def test_generated_images_are_the_samples_of_their_numbers():
    generator, params, *_ = models()
    images = generated(generator, params, 30, seed=3, truncation_psi=0.7)
    assert images.shape == (30, 8, 8, 1)
    numbers = np.array([20, 3, 11])
    drawn = latents(generator, 3, jnp.asarray(numbers))
    styles = generator.styles(params, drawn.z, drawn.one_hot, 0.7)
    expected = to_uint8(np.asarray(generator.synthesize(params, styles)[0]))
    found = images.take(numbers)
    assert np.abs(found.astype(int) - expected).max() <= 1  # rounding
    np.testing.assert_array_equal(images.take(numbers[::-1]), found[::-1])
