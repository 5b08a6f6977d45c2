"""Building blocks against plain definitions in numpy and scipy."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import convolve2d

from ganfail_jax.nn import ops

RNG = np.random.default_rng(0)
KERNEL = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def zero_inserted(image):
    wide = np.zeros((2 * image.shape[0], 2 * image.shape[1]))
    wide[::2, ::2] = image
    return wide


def test_up_convolution_is_transposed_convolution_and_filter():
    x, kernel = normal(1, 5, 4, 2), normal(3, 3, 2, 1)
    full = sum(
        convolve2d(
            zero_inserted(np.asarray(x[0, :, :, i]))[:-1, :-1], np.asarray(kernel[:, :, i, 0])
        )
        for i in range(2)
    )
    expected = convolve2d(np.pad(full, 1), 4 * KERNEL, mode="valid")
    np.testing.assert_allclose(ops.conv2d_up(x, kernel)[0, :, :, 0], expected, atol=1e-5)


def test_demodulated_weights_have_unit_norm():
    """Scaling activations equals scaling the weights of each sample (StyleGAN2, eq. 1 and 3)."""
    x, kernel, style = normal(2, 4, 4, 3), normal(3, 3, 3, 5), normal(2, 3)
    ours = ops.modulated_conv2d(x, kernel, style, demodulate=True)
    for b in range(2):
        weights = np.asarray(kernel) * np.asarray(style[b])[None, None, :, None]
        weights = weights / np.sqrt((weights**2).sum((0, 1, 2)) + 1e-8)
        expected = ops.conv2d(x[b : b + 1], jnp.asarray(weights))
        np.testing.assert_allclose(ours[b], expected[0], atol=1e-5)


def test_minibatch_deviation_is_that_of_the_group():
    x = normal(8, 2, 2, 3)
    plane = np.asarray(ops.minibatch_stddev(x, 4))[..., -1]
    for m in range(2):
        group = np.asarray(x)[m::2]
        expected = np.sqrt(group.var(0) + 1e-8).mean()
        np.testing.assert_allclose(plane[m::2], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="a batch of 6 is not a multiple of the group of 4"):
        ops.minibatch_stddev(x[:6], 4)
