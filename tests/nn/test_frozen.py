"""Frozen layers against their definitions in float64; resizing against TensorFlow 1's and scipy's.

Tolerance 1e-5 standard deviations: float32 sums of a few hundred products.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from ganfail_jax.nn import frozen
from tests.goldens import deviation
from tests.nn import plain

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("size", [(8, 9), (9, 8)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 5), (1, 7), (7, 1)])
def test_convolutions(size, stride, kernel):
    x, layer = normal(2, *size, 5), frozen.Folded(normal(*kernel, 5, 4), normal(4))
    for padded, padding in {True: (kernel[0] // 2, kernel[1] // 2), False: (0, 0)}.items():
        ours = frozen.conv(jnp.asarray(x), layer, stride, padded)
        assert deviation(np.asarray(ours), plain.conv(x, *layer, stride, padding)) < 1e-5


def test_batch_norm_is_folded_exactly():
    x, kernel, mean, scale, shift = normal(2, 6, 6, 3), normal(3, 3, 3, 4), *normal(3, 4)
    variance = RNG.uniform(1e-4, 2, 4)  # some as small as epsilon
    folded = frozen.fold_batch_norm(kernel, mean, variance, scale, shift, 1e-3)
    normal_form = (plain.conv(x, kernel, 0.0) - mean) / np.sqrt(variance + 1e-3) * scale + shift
    assert deviation(plain.conv(x, *folded), normal_form) < 1e-6


def test_layers_side_by_side_are_the_layers():
    x = jnp.asarray(normal(2, 5, 5, 3))
    layers = [frozen.Folded(normal(1, 1, 3, n), normal(n)) for n in (2, 4, 1)]
    wide = frozen.conv(x, frozen.side_by_side(layers))
    parts = jnp.concatenate([frozen.conv(x, layer) for layer in layers], axis=-1)
    np.testing.assert_allclose(wide, parts, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 2, 0), (3, 1, 1), (3, 2, 1), (2, 2, 0)]
)
def test_maximum_pools(size, stride, padding):
    x = normal(2, 9, 8, 3) - 5  # all negative: padded zeros would win
    ours = frozen.max_pool(jnp.asarray(x), size, stride, padding)
    np.testing.assert_array_equal(ours, plain.max_pool(x, size, stride, padding).astype(np.float32))


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 3), (7, 5)])
def test_mean_pools_do_not_count_what_is_padded(size):
    x = normal(2, *size, 3) + 3
    ours = frozen.mean_pool3(jnp.asarray(x))
    np.testing.assert_allclose(ours, plain.mean_pool(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("half_pixel", [True, False])
@pytest.mark.parametrize("target", [(5, 7), (13, 9), (30, 31), (6, 6)])
def test_resizing_is_scipys_interpolation_at_the_convention_s_places(half_pixel, target):
    x = normal(2, 6, 8, 3)
    shift = 0.5 if half_pixel else 0.0
    places = [
        (np.arange(t) + shift) * n / t - shift for t, n in zip(target, x.shape[1:3], strict=True)
    ]
    grid = np.stack(np.meshgrid(*places, indexing="ij"))
    expected = np.empty((2, *target, 3))
    for b in range(2):
        for c in range(3):
            image = x[b, :, :, c].astype(np.float64)
            expected[b, :, :, c] = ndimage.map_coordinates(image, grid, order=1, mode="nearest")
    ours = frozen.resize_bilinear(x, target, half_pixel=half_pixel)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_grey_becomes_three_equal_channels():
    x = jnp.asarray(normal(2, 3, 3, 1))
    for c in range(3):
        np.testing.assert_array_equal(frozen.grey_to_rgb(x)[..., c], x[..., 0])
    colour = jnp.asarray(normal(2, 3, 3, 3))
    np.testing.assert_array_equal(frozen.grey_to_rgb(colour), colour)
