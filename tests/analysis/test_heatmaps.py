"""Heat maps against loops over positions and neurons, also under sequential ablation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import edits
from ganfail_jax.analysis import gradcam, heatmaps
from ganfail_jax.latents import generate
from tests.tiny import models

GENERATOR, PARAMS = models().generator, models().generator_params
LAYERS = ("b0004/conv1", "b0008/conv0", "b0008/conv1")
INDICES = np.asarray([4, 0, 31], np.int32)
run = jax.jit(lambda chosen: generate(GENERATOR, PARAMS, 3, jnp.asarray(INDICES), chosen))


def without(low, layers):
    """Images and activations with these layers' neurons ablated; one program for all."""
    masks = {name: low[name] & (name in layers) for name in LAYERS}
    return run({name: edits.zero_activated(mask) for name, mask in masks.items()})


def share_by_loops(activation, low):
    found = np.zeros(activation.shape[:3])
    for b, h, w in np.ndindex(found.shape):
        active = [c for c in range(activation.shape[3]) if activation[b, h, w, c] > 0]
        if active:
            found[b, h, w] = sum(low[h, w, c] for c in active) / len(active)
    return found


def enlarge_by_loops(share, height, width):
    h, w = share.shape
    found = np.zeros((height, width))
    for y, x in np.ndindex(found.shape):
        row, column = (y + 0.5) * h / height - 0.5, (x + 0.5) * w / width - 0.5
        for i, j in np.ndindex(2, 2):
            r, c = int(np.floor(row)) + i, int(np.floor(column)) + j
            weight = (1 - abs(row - r)) * (1 - abs(column - c))
            found[y, x] += weight * share[np.clip(r, 0, h - 1), np.clip(c, 0, w - 1)]
    return found


def test_a_share_is_that_of_the_activated_neurons():
    rng = np.random.default_rng(0)
    activation = rng.normal(size=(2, 3, 3, 5)).astype(np.float32)
    activation[1, 2, 0] = -1  # a position without any activated neuron
    activation[0, 0, 1] = 0  # zero is not activated
    low = rng.random((3, 3, 5)) < 0.5
    found = heatmaps.low_rate_share(jnp.asarray(activation), low)
    np.testing.assert_allclose(found, share_by_loops(activation, low), atol=1e-7)


@pytest.mark.parametrize("size", [(8, 8), (4, 4), (12, 20)])
def test_maps_are_enlarged_bilinearly(size):
    share = np.random.default_rng(1).random((1, 4, 4)).astype(np.float32)
    found = gradcam.enlarge(share, *size)
    np.testing.assert_allclose(found[0], enlarge_by_loops(share[0], *size), atol=1e-6)


@pytest.fixture(scope="module")
def low():
    rng = np.random.default_rng(2)
    shapes = {name: GENERATOR.layers[name] for name in LAYERS}
    return {
        name: rng.random((info.resolution, info.resolution, info.channels)) < 0.5
        for name, info in shapes.items()
    }


@pytest.fixture(scope="module")
def found(low):
    return heatmaps.heatmaps(GENERATOR, PARAMS, low, INDICES, seed=3)


def test_as_they_are(found, low):
    images, taps = without(low, ())
    np.testing.assert_allclose(found.images[0], images, atol=1e-4)
    assert tuple(found.shares) == LAYERS
    for i, name in enumerate(LAYERS):
        activation = np.asarray(taps[name])
        expected = share_by_loops(activation, low[name])
        np.testing.assert_allclose(found.shares[name], expected, atol=1e-6)
        for n, one in enumerate(activation):
            assert found.activated[n, i] == sum(one[low[name]] > 0)


@pytest.mark.parametrize("number", range(1, 1 + len(LAYERS)))
def test_under_sequential_ablation(found, low, number):
    """Of the first layers; a heat map is what is left to ablate at the next."""
    images, taps = without(low, LAYERS[:number])
    np.testing.assert_allclose(found.images[number], images, atol=1e-4)
    assert abs(found.images[number] - found.images[number - 1]).max() > 0.01
    if number < len(LAYERS):
        name = LAYERS[number]
        expected = share_by_loops(np.asarray(taps[name]), low[name])
        np.testing.assert_allclose(found.ablated[name], expected, atol=1e-6)
        assert abs(found.ablated[name] - found.shares[name]).max() > 0.01


def test_before_the_first_layer_nothing_is_ablated(found):
    np.testing.assert_array_equal(found.ablated[LAYERS[0]], found.shares[LAYERS[0]])


def test_arrays_for_a_file(found):
    arrays = found.arrays()
    assert arrays["layers"].tolist() == list(LAYERS)
    for name in LAYERS:
        np.testing.assert_array_equal(arrays[f"plain/{name}"], found.shares[name])
        np.testing.assert_array_equal(arrays[f"ablated/{name}"], found.ablated[name])
    again = heatmaps.restore(arrays)
    assert list(again.shares) == list(again.ablated) == list(LAYERS)
    np.testing.assert_array_equal(again.activated, found.activated)
    np.testing.assert_allclose(again.images, np.clip(found.images, -1, 1), atol=1 / 127.5)
    np.testing.assert_array_equal(again.ablated[LAYERS[1]], found.ablated[LAYERS[1]])
