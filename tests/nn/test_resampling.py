"""The filter and its resampling: definitions in scipy, transposes, derivatives of every order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import convolve2d

from ganfail_jax.nn.resampling import downsample2d, fir_filter, upsample2d

pytestmark = pytest.mark.usefixtures("float64")
RNG = np.random.default_rng(0)
KERNEL = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
MAPS = {  # the map, rows and columns of its input
    "filter": (jax.jit(lambda x: fir_filter(x, (1, 2), 4.0)), (5, 4)),
    "filter of one pixel": (jax.jit(lambda x: fir_filter(x, (2, 2))), (1, 1)),
    "filter that crops": (jax.jit(lambda x: fir_filter(x, (0, 3))), (7, 4)),
    "up": (jax.jit(upsample2d), (3, 4)),
    "down": (jax.jit(downsample2d), (6, 4)),
}
every_map = pytest.mark.parametrize(("function", "size"), MAPS.values(), ids=MAPS)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape))


def zero_inserted(image):
    wide = np.zeros((2 * image.shape[0], 2 * image.shape[1]))
    wide[::2, ::2] = image
    return wide


def test_upsampling_is_zero_insertion_and_filter():
    x = normal(1, 4, 6, 1)
    padded = np.pad(zero_inserted(np.asarray(x[0, :, :, 0])), ((2, 1), (2, 1)))
    expected = convolve2d(padded, 4 * KERNEL, mode="valid")
    np.testing.assert_allclose(upsample2d(x)[0, :, :, 0], expected, atol=1e-12)


def test_downsampling_is_filter_and_decimation():
    x = normal(1, 8, 6, 1)
    expected = convolve2d(np.pad(x[0, :, :, 0], 1), KERNEL, mode="valid")[::2, ::2]
    np.testing.assert_allclose(downsample2d(x)[0, :, :, 0], expected, atol=1e-12)


def test_odd_sizes_cannot_be_halved():
    with pytest.raises(ValueError, match="cannot halve 5x4 pixels"):
        downsample2d(normal(1, 5, 4, 1))


@every_map
def test_the_stated_transpose_is_the_transpose(function, size):
    """<f(x), y> = <x, f^T(y)> for linear f, and the transpose of the transpose is f."""
    x = normal(2, *size, 3)
    y, pullback = jax.vjp(function, x)
    cotangent = normal(*y.shape)
    (back,) = pullback(cotangent)
    assert float(jnp.vdot(y, cotangent)) == pytest.approx(float(jnp.vdot(x, back)), rel=1e-12)
    _, again = jax.vjp(lambda y: pullback(y)[0], cotangent)
    np.testing.assert_allclose(again(x)[0], y, atol=1e-13)


@every_map
def test_second_derivatives_equal_finite_differences(function, size):
    """Of a loss that is quartic in the input, along one direction."""
    x, direction = normal(1, *size, 2), normal(1, *size, 2)
    gradient = jax.grad(lambda x: jnp.sum(function(x) ** 4))
    slope = jax.jit(lambda x: jnp.vdot(gradient(x), direction))
    step = 1e-5
    expected = (slope(x + step * direction) - slope(x - step * direction)) / (2 * step)
    found = jnp.vdot(jax.jit(jax.grad(slope))(x), direction)
    assert float(found) == pytest.approx(float(expected), rel=1e-7)


@every_map
def test_a_batch_of_batches(function, size):
    x = normal(2, 3, *size, 2)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(function(x) ** 3)))
    together = jax.jit(jax.vmap(gradient))(x)
    np.testing.assert_allclose(together, jnp.stack([gradient(a) for a in x]), rtol=1e-10)


@every_map
def test_bfloat16_is_kept(function, size):
    x = normal(2, *size, 3).astype(jnp.bfloat16)
    y, pullback = jax.vjp(function, x)
    assert y.dtype == pullback(y)[0].dtype == jnp.bfloat16
    exact = function(x.astype(float))
    error = float(jnp.max(jnp.abs(y - exact)) / jnp.max(jnp.abs(exact)))
    assert error < 4 * float(jnp.finfo(jnp.bfloat16).eps)
