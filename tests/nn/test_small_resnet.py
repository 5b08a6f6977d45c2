"""The residual network against its layers in float64, and its contract."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.nn import limits, small_resnet
from ganfail_jax.nn.small_resnet import SmallResNetConfig
from tests.nn import plain

ODD = SmallResNetConfig((11, 9, 3), 5, (4, 6), 2)


def make(config, seed=0):
    """With random parameters, so that gains and biases matter."""
    template = jax.eval_shape(partial(small_resnet.init, config), jax.random.key(0))
    rng = np.random.default_rng(seed)
    draw = lambda x: jnp.asarray(rng.normal(size=x.shape) * 0.3, x.dtype)  # noqa: E731
    names = tuple(f"class {k}" for k in range(config.num_classes))
    images = rng.uniform(-1, 1, (3, *config.image_shape))
    classifier = small_resnet.build(config, names)
    return classifier, jax.tree.map(draw, template), jnp.asarray(images, jnp.float32)


def by_definition(params, images, stages, blocks):
    """Feature map and logits in float64."""

    def conv(x, name):
        return plain.conv(x, params[name]["kernel"], params[name]["bias"], padding=(1, 1))

    def inner(x, block, name):
        kernel = block[name]
        return plain.conv(np.maximum(x, 0), kernel["kernel"], kernel["bias"], padding=(1, 1))

    x = np.asarray(images, np.float64)
    for i in range(stages):
        x = np.maximum(x, 0) if i else x
        x = np.pad(x, [(0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)])
        corners = [x[:, a::2, b::2] for a in (0, 1) for b in (0, 1)]
        x = conv(np.concatenate(corners, axis=3), f"halve_{i}")
        for j in range(blocks):
            block = params[f"block_{i}_{j}"]
            x = x + float(block["gain"]) * inner(inner(x, block, "conv0"), block, "conv1")
    x = np.maximum(x, 0)
    dense = params["dense"]
    return x, x.mean((1, 2)) @ np.asarray(dense["kernel"], np.float64) + dense["bias"]


def test_it_is_its_layers():
    """Float32 against float64: sums of at most 9 * 24 terms of size one."""
    classifier, params, images = make(ODD)
    features, logits = by_definition(params, images, 2, 2)
    assert features.shape == (3, 3, 3, 6)
    np.testing.assert_allclose(classifier.feature_map(params, images), features, rtol=0, atol=1e-4)
    np.testing.assert_allclose(classifier.logits(params, images), logits, rtol=0, atol=1e-4)
    assert classifier.margins == (0, 0)


def test_branches_start_as_nothing():
    params = small_resnet.init(ODD, jax.random.key(0))
    gains = [params[name]["gain"] for name in params if name.startswith("block")]
    assert len(gains) == 4
    assert not np.any(gains)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_an_image_does_not_depend_on_its_batch():
    classifier, params, images = make(ODD)
    alone = classifier.logits(params, images[1:2])
    np.testing.assert_allclose(classifier.logits(params, images)[1:2], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "widths", "last"),
    [
        ((8, 8, 1), (96,), 4),
        ((16, 20, 3), (96,), 8),
        ((28, 28, 1), (48, 96), 7),
        ((32, 32, 3), (48, 96), 8),
        ((33, 40, 3), (24, 48, 96), 5),
        ((64, 64, 3), (24, 48, 96), 8),
        ((224, 224, 3), (16, 16, 24, 48, 96), 7),
    ],
)
def test_stages_follow_from_the_size(shape, widths, last):
    config = small_resnet.fitting(shape, 37)
    assert config == SmallResNetConfig(shape, 37, widths)
    classifier = small_resnet.build(config, tuple(map(str, range(37))))
    params = jax.eval_shape(partial(small_resnet.init, config), jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    assert jax.eval_shape(classifier.feature_map, params, image).shape[1] == last


def test_what_does_not_fit_is_one_line():
    with pytest.raises(InputError, match=r"images of 9x7 are too small .* 8 pixels a side and"):
        small_resnet.fitting((7, 9, 3), 2)
    with pytest.raises(InputError, match="blocks is 1000000, but must be a whole number from 1"):
        SmallResNetConfig(blocks=10**6)
    with pytest.raises(InputError, match="2 class names for 5 classes"):
        small_resnet.build(ODD, ("a", "b"))
    classifier, params, images = make(ODD)
    with pytest.raises(InputError, match=r"images of shape \(9, 9, 3\), but this classifier wants"):
        classifier.logits(params, images[:, :9])
    limits.check(SmallResNetConfig((4096, 4096, 64), 100_000, (16,) * 10))
