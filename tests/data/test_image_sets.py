"""Images by their numbers, the same whatever is asked for together."""

import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.data.image_sets import Images, generated, in_memory
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


@pytest.mark.parametrize("read_ahead", [False, True])
def test_batches_come_in_turn_and_few_are_in_memory(read_ahead):
    alive = most = 0

    def forget():
        nonlocal alive
        alive -= 1

    def take(numbers):
        nonlocal alive, most
        pixels = np.broadcast_to(numbers.astype(np.uint8)[:, None, None, None], (2, 1, 1, 1)).copy()
        weakref.finalize(pixels, forget)
        alive += 1
        most = max(most, alive)
        return pixels

    images = Images((40, 1, 1, 1), take, read_ahead)
    seen = [batch.ravel().tolist() for batch in images.batches(np.arange(40).reshape(20, 2))]
    assert seen == np.arange(40).reshape(20, 2).tolist()
    assert most <= (3 if read_ahead else 2)  # one in use, and two that are read ahead


def test_what_cannot_be_read_ahead_is_raised_in_its_turn():
    def take(numbers):
        if numbers[0] == 2:
            raise InputError("damaged")
        return np.zeros((1, 1, 1, 1), np.uint8)

    batches = Images((4, 1, 1, 1), take, True).batches(np.arange(4)[:, None])
    assert next(batches).shape == next(batches).shape == (1, 1, 1, 1)
    with pytest.raises(InputError, match="damaged"):
        next(batches)
