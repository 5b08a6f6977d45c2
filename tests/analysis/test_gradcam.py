"""Grad-CAM against differences in float64 and loops, and where the map lies in the image."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.analysis import gradcam
from ganfail_jax.errors import InputError
from ganfail_jax.nn import classifiers
from ganfail_jax.types import Classifier
from tests.analysis import plain

SHAPE, CLASSES = (8, 12, 2), 3
RNG = np.random.default_rng(0)
WEIGHTS = {
    "mix": RNG.normal(size=(2, 5)),
    "hidden": RNG.normal(size=(2 * 3 * 5, 4)) * 0.3,
    "out": RNG.normal(size=(4, CLASSES)),
}
IMAGES = RNG.uniform(-1, 1, size=(4, *SHAPE))
TARGET = np.array([0, 2, 1, 2])


def features(params, images, xp=jnp):
    """Means of 4x4 pixels, mixed; ReLU."""
    b, h, w, c = images.shape
    blocks = images.reshape(b, h // 4, 4, w // 4, 4, c).mean(axis=(2, 4))
    return xp.maximum(xp.einsum("bhwi,io->bhwo", blocks, params["mix"]), 0)


def head(params, maps, xp=jnp):
    return xp.tanh(maps.reshape(len(maps), -1) @ params["hidden"]) @ params["out"]


NETWORK = Classifier(SHAPE, CLASSES, ("a", "b", "c"), features, head)
PARAMS = {name: jnp.asarray(value, jnp.float32) for name, value in WEIGHTS.items()}


def by_definition(image, target):
    """Central differences for dy / dA, then loops, in float64."""
    maps = features(WEIGHTS, image[None], np)[0]
    h, w, c = maps.shape
    alpha = np.zeros(c)
    for i, j, k in np.ndindex(maps.shape):
        step = np.zeros_like(maps)
        step[i, j, k] = 1e-6
        up, down = (head(WEIGHTS, (maps + s * step)[None], np)[0, target] for s in (1, -1))
        alpha[k] += (up - down) / 2e-6 / (h * w)
    coarse = np.zeros((h, w))
    for i, j in np.ndindex(h, w):
        coarse[i, j] = max(0, sum(alpha[k] * maps[i, j, k] for k in range(c)))
    fine = plain.enlarge(coarse, *SHAPE[:2])
    return fine / fine.max() if fine.max() > 0 else fine


def test_it_is_the_definition():
    found = jax.jit(partial(gradcam.grad_cam, NETWORK))(
        PARAMS, jnp.asarray(IMAGES, jnp.float32), TARGET
    )
    expected = np.stack([by_definition(*each) for each in zip(IMAGES, TARGET, strict=True)])
    assert (expected.max(axis=(1, 2)) == 1).sum() >= 3
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_it_maps_over_a_further_axis():
    images = jnp.asarray(IMAGES, jnp.float32)
    run = partial(gradcam.grad_cam, NETWORK)
    whole = jax.jit(run)(PARAMS, images, TARGET)
    pairs = jax.jit(jax.vmap(run, (None, 0, 0)))(
        PARAMS, images.reshape(2, 2, *SHAPE), TARGET.reshape(2, 2)
    )
    np.testing.assert_allclose(pairs.reshape(whole.shape), whole, atol=1e-6)


def test_a_map_without_evidence_stays_zero():
    against = PARAMS | {"hidden": jnp.abs(PARAMS["hidden"]), "out": -jnp.ones((4, CLASSES))}
    images = jnp.asarray(IMAGES, jnp.float32)
    maps = jax.jit(partial(gradcam.grad_cam, NETWORK))(against, images, TARGET)
    np.testing.assert_array_equal(maps, 0)
    assert not gradcam.pseudo_mask(maps, 0.0).any()


def test_the_map_lies_where_the_classifier_looks():
    """Of the bundled CNN, which crops the centre; a bright spot is all there is to see."""
    config = classifiers.CNNConfig((20, 20, 1), crop=16, num_classes=2, widths=(3,), convs=1)
    network = classifiers.build(config, ("a", "b"))
    params = {
        "conv_0": {"kernel": jnp.zeros((3, 3, 4, 3)).at[1, 1].set(1), "bias": jnp.zeros(3)},
        "dense": {"kernel": jnp.ones((8 * 8 * 3, 2)), "bias": jnp.zeros(2)},
    }
    images = jnp.zeros((1, 20, 20, 1)).at[0, 2:4, 14:16].set(1)  # one position of the map: (0, 6)
    found = np.asarray(jax.jit(partial(gradcam.grad_cam, network))(params, images, np.array([0])))[
        0
    ]
    mask = np.asarray(gradcam.pseudo_mask(jnp.asarray(found[None]), 0.5))[0]
    assert mask[2:4, 14:16].all()
    assert mask.sum() == 4
    assert found.max() == 1
    np.testing.assert_array_equal(found[:2], 0)


@pytest.mark.parametrize("threshold", [-0.1, 1.0])
def test_a_threshold_that_leaves_nothing(threshold):
    message = f"a mask's threshold is at least 0 and less than 1, not {threshold}"
    with pytest.raises(InputError, match=f"^{message}$"):
        gradcam.pseudo_mask(jnp.zeros((1, 2, 2)), threshold)
