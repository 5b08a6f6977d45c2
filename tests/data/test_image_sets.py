"""Images by their numbers, the same whatever is asked for together."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.data.image_sets import generated, in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8
from ganfail_jax.types import Generator


def test_arrays_give_their_rows():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 1), np.uint8)
    images = in_memory(pixels)
    assert images.shape == (5, 2, 3, 1)
    assert images.first(2).shape == (2, 2, 3, 1)
    np.testing.assert_array_equal(images.take(np.array([4, 0, 4])), pixels[[4, 0, 4]])
    some = images.select(np.array([3, 1]))
    assert some.shape == (2, 2, 3, 1)
    np.testing.assert_array_equal(some.take(np.array([1, 0, 1])), pixels[[1, 3, 1]])


def styles(params, z, label=None, truncation_psi: Any = 1.0):
    return {"z": z * truncation_psi, "label": label}


def synthesis(params, styles, *_):
    images = params * styles["z"] + styles["label"].argmax(axis=1)[:, None] / 4
    return images.reshape(-1, 2, 2, 1), {}


def test_generated_images_are_the_samples_of_their_numbers():
    generator = Generator(4, 3, (2, 2, 1), {}, {}, None, styles, synthesis)
    images = generated(generator, jnp.asarray(0.2), 30, seed=3, truncation_psi=0.7)
    assert images.shape == (30, 2, 2, 1)
    numbers = np.array([20, 3, 11])
    key = jax.random.key(3)
    z = np.stack([jax.random.normal(jax.random.fold_in(key, n), (4,)) for n in numbers])
    expected = to_uint8((0.2 * z * 0.7 + (numbers % 3)[:, None] / 4).astype(np.float32))
    found = images.take(numbers)
    assert np.abs(found.reshape(3, 4).astype(int) - expected).max() <= 1  # rounding
    np.testing.assert_array_equal(images.take(numbers[::-1]), found[::-1])


def test_a_generator_that_overflows_is_refused():
    generator = Generator(4, 3, (2, 2, 1), {}, {}, None, styles, synthesis)
    images = generated(generator, jnp.asarray(3e38), 50, truncation_psi=0.7)
    with pytest.raises(InputError, match="images with pixels that are not finite"):
        images.take(np.arange(50))
