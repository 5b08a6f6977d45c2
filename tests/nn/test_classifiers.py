"""The CNN and its contract."""

import re
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.nn import classifiers
from ganfail_jax.nn.classifiers import CNNConfig

CONFIG = CNNConfig()
COLOUR = CNNConfig(image_shape=(20, 16, 3), crop=16, num_classes=3, widths=(8, 12, 4), convs=1)
INSIDE = (slice(None), slice(2, -2), slice(2, -2))


@cache
def make(config=CONFIG, batch=3):
    names = tuple(f"class {k}" for k in range(config.num_classes))
    images = np.random.default_rng(0).uniform(-1, 1, (batch, *config.image_shape))
    params = jax.jit(partial(classifiers.init, config))(jax.random.key(0))
    return classifiers.build(config, names), params, jnp.asarray(images, jnp.float32)


@pytest.mark.parametrize(("config", "last"), [(CONFIG, (7, 7, 64)), (COLOUR, (2, 2, 4))])
def test_logits_are_the_head_of_the_last_feature_map(config, last):
    classifier, params, images = make(config)
    features = jax.jit(classifier.feature_map)(params, images)
    assert features.shape == (3, *last)
    assert (features >= 0).all()
    logits = jax.jit(classifier.logits)(params, images)
    assert logits.shape == (3, config.num_classes)
    np.testing.assert_array_equal(logits, jax.jit(classifier.head)(params, features))
    assert classifier.image_shape == config.image_shape
    assert len(classifier.class_names) == classifier.num_classes == config.num_classes


def test_size_of_the_default_network():
    leaves = jax.tree.leaves(make()[1])
    assert sum(leaf.size for leaf in leaves) == 129_754
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}


def test_an_image_does_not_depend_on_its_batch():
    classifier, params, images = make()
    logits = jax.jit(classifier.logits)
    np.testing.assert_allclose(
        logits(params, images)[1:2], logits(params, images[1:2]), rtol=0, atol=1e-5
    )


def test_blocks_become_channels():
    x = jnp.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3).astype(jnp.float32)
    blocks = classifiers.blocks_to_channels(x)
    assert blocks.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(blocks[1, 1, 2], x[1, 2:4, 4:6].reshape(-1))


def test_the_border_is_not_seen():
    classifier, params, images = make()
    noise = jax.random.uniform(jax.random.key(1), images.shape)
    logits = jax.jit(classifier.logits)
    before = logits(params, images)
    framed = noise.at[INSIDE].set(images[INSIDE])
    np.testing.assert_array_equal(logits(params, framed), before)
    for row, column in [(2, 2), (29, 29)]:  # the corners of the crop are seen
        moved = logits(params, images.at[:, row, column].add(1.0))
        assert (jnp.abs(moved - before).max(axis=1) > 0).all()


def test_gradients_are_finite_and_zero_on_the_border_alone():
    classifier, params, images = make()
    score = lambda x: jax.nn.softmax(classifier.logits(params, x))[:, 3].sum()  # noqa: E731
    gradient = jax.jit(jax.grad(score))(images)
    assert jnp.isfinite(gradient).all()
    assert (gradient[INSIDE] != 0).mean() > 0.99
    assert not gradient.at[INSIDE].set(0.0).any()


def test_gradients_agree_with_float64_differences():
    with jax.enable_x64(True):
        classifier, params, images = make(COLOUR, batch=1)
        params, images = jax.tree.map(lambda x: x.astype(jnp.float64), (params, images))
        direction = jax.random.normal(jax.random.key(2), images.shape, jnp.float64)
        score = jax.jit(lambda t: classifier.logits(params, images + t * direction)[0, 1])
        slope = (score(1e-7) - score(-1e-7)) / 2e-7
        np.testing.assert_allclose(jax.jit(jax.grad(score))(0.0), slope, rtol=1e-5)


def test_one_name_per_class():
    with pytest.raises(InputError, match=r"^2 class names for 10 classes$"):
        classifiers.build(CONFIG, ("a", "b"))


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1)])
def test_images_of_another_shape_are_refused(shape):
    classifier, params, _ = make()
    expected = f"images of shape {shape}, but this classifier wants (32, 32, 1)"
    with pytest.raises(InputError, match="^" + re.escape(expected)):
        classifier.logits(params, jnp.zeros((1, *shape)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"crop": 33}, "a crop of 33 has no centre in images of 32x32"),
        ({"crop": 27}, "a crop of 27 has no centre in images of 32x32"),
        ({"widths": (4, 4, 4)}, "a crop of 28 cannot be halved 3 times"),
    ],
)
def test_configurations_that_do_not_fit(values, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        CNNConfig(**values)
