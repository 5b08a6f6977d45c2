import numpy as np
import pytest

from ganfail_jax.data import mnist
from ganfail_jax.data.mnist_c import corrupt
from ganfail_jax.data.pipelines import (
    DATASETS,
    batch_indices,
    epoch_indices,
    load_dataset,
    to_picture,
)
from ganfail_jax.images import to_uint8


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize(("split", "count"), [("train", 40), ("test", 20)])
def test_every_dataset_loads(small_mnist, name, split, count):
    dataset = load_dataset(name, split, mnist_dir=small_mnist)
    digits = mnist.load(split, small_mnist)
    assert dataset.name == name
    assert dataset.images.shape == (count, 32, 32, 1)
    assert dataset.images.whole().dtype == np.uint8
    assert dataset.labels.dtype == np.int32
    np.testing.assert_array_equal(dataset.labels, digits.labels)
    assert dataset.class_names == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert dataset.source == digits.source


def test_mnist_is_clean_and_padded(small_mnist):
    dataset = load_dataset("mnist", "train", mnist_dir=small_mnist)
    np.testing.assert_array_equal(
        dataset.images.whole()[:, 2:-2, 2:-2, 0], mnist.load("train", small_mnist).images
    )
    border = dataset.images.whole()
    border[:, 2:-2, 2:-2] = 0
    assert not border.any()
    assert not dataset.attributes


@pytest.mark.parametrize("corruption", ["half", 0.5])
def test_mnist_c_is_the_function_with_its_severities(small_mnist, corruption):
    dataset = load_dataset("mnist_c", "test", seed=5, mnist_dir=small_mnist, corruption=corruption)
    digits = mnist.load("test", small_mnist)
    expected = corrupt(digits.images, corruption=corruption, seed=5, split="test")
    np.testing.assert_array_equal(dataset.images.whole(), expected.images)
    assert set(dataset.attributes) == {"blur_severity", "noise_severity"}
    for name, values in dataset.attributes.items():
        np.testing.assert_array_equal(values, getattr(expected, name))


def test_unknown_name():
    with pytest.raises(
        mnist.DataError, match=r"^no dataset is called 'mnist_d'; datasets are mnist, mnist_c, a "
    ):
        load_dataset("mnist_d", "train")


def test_pictures_of_512_pixels_are_half_as_large():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 512, 512, 1)).astype(np.float32)
    means = [
        images[1, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, 0].mean() for i, j in ((0, 0), (9, 200))
    ]
    found = to_picture(images)
    assert found.shape == (2, 256, 256, 1)
    np.testing.assert_allclose(
        [found[1, 0, 0, 0], found[1, 9, 200, 0]], to_uint8(np.asarray(means)), atol=1
    )
    small = images[:, :300, :300]
    np.testing.assert_array_equal(to_picture(small), to_uint8(small))


@pytest.mark.parametrize("batch_size", [1, 3, 10, 17, 45])
def test_every_example_comes_once_an_epoch(batch_size):
    num_examples, epochs = 10, 9
    steps = -(-num_examples * epochs // batch_size)
    batches = [batch_indices(num_examples, batch_size, step, 0) for step in range(steps)]
    assert {batch.shape for batch in batches} == {(batch_size,)}
    stream = np.concatenate(batches)[: num_examples * epochs].reshape(epochs, num_examples)
    np.testing.assert_array_equal(np.sort(stream, 1), np.tile(np.arange(10), (epochs, 1)))
    np.testing.assert_array_equal(stream[4], epoch_indices(num_examples, 4, 0))
    assert len({tuple(epoch) for epoch in stream}) == epochs


def test_a_batch_depends_on_seed_and_step_alone():
    forward = [batch_indices(100, 32, step, 1) for step in range(20)]
    epoch_indices.cache_clear()
    for step in reversed(range(20)):
        np.testing.assert_array_equal(batch_indices(100, 32, step, 1), forward[step])
    assert (batch_indices(100, 32, 0, 2) != forward[0]).any()


def test_a_caller_cannot_damage_the_cached_order():
    with pytest.raises(ValueError, match="read-only"):
        epoch_indices(10, 0, 0)[0] = 3
    batch_indices(10, 5, 0, 0)[:] = -1
    assert (batch_indices(10, 5, 0, 0) >= 0).all()


@pytest.mark.parametrize(("num_examples", "batch_size", "step"), [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_no_batch_of_nothing(num_examples, batch_size, step):
    with pytest.raises(ValueError, match="must be at least 1 and step at least 0"):
        batch_indices(num_examples, batch_size, step, 0)


@pytest.mark.mnist
def test_the_full_mnist_c(full_mnist_dir):
    dataset = load_dataset("mnist_c", "train", mnist_dir=full_mnist_dir)
    assert dataset.images.shape == (60_000, 32, 32, 1)
    assert (dataset.attributes["blur_severity"] > 0).sum() == 30_000
