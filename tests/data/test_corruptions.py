from pathlib import Path

import numpy as np
import pytest

from ganfail_jax.data.corruptions import (
    GAUSSIAN_BLUR_SIGMA,
    GAUSSIAN_NOISE_SIGMA,
    SEVERITIES,
    gaussian_blur,
    gaussian_noise,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "corruptions.npz"


@pytest.mark.parametrize("severity", SEVERITIES)
def test_blur_equals_scikit_image(severity):
    with np.load(GOLDEN) as golden:
        images = golden["image"] / 255.0
        expected = golden[f"gaussian_blur_s{severity}"]
    blurred = gaussian_blur(images, np.full(len(images), severity))
    # Both are the same float64 sums: only their order may differ, 1e-15 of 255 each.
    np.testing.assert_allclose(blurred * 255.0, expected, rtol=0, atol=1e-11)


def test_sigmas_are_imagenet_cs():
    assert GAUSSIAN_BLUR_SIGMA == {1: 1.0, 2: 2.0, 3: 3.0}
    with np.load(GOLDEN) as golden:
        assert list(GAUSSIAN_NOISE_SIGMA.values()) == list(golden["gaussian_noise_sigma_s123"])


def test_each_image_has_its_own_severity():
    images = np.random.default_rng(0).random((8, 16, 16))
    noise = np.random.default_rng(1).standard_normal(images.shape)
    severity = np.array([3, 0, 1, 2, 2, 0, 3, 1], np.uint8)
    blurred, noised = gaussian_blur(images, severity), gaussian_noise(images, severity, noise)
    for i, level in enumerate(severity):
        alone, draws, level = images[i : i + 1], noise[i : i + 1], np.array([level])
        np.testing.assert_array_equal(blurred[i], gaussian_blur(alone, level)[0])
        np.testing.assert_array_equal(noised[i], gaussian_noise(alone, level, draws)[0])


def test_severity_zero_changes_nothing():
    images = np.random.default_rng(0).random((3, 8, 8))
    clean = np.zeros(3, np.uint8)
    np.testing.assert_array_equal(gaussian_blur(images, clean), images)
    np.testing.assert_array_equal(gaussian_noise(images, clean, np.ones_like(images)), images)


def test_blur_keeps_a_constant_image():
    images = np.full((3, 32, 32), 0.7)
    np.testing.assert_allclose(gaussian_blur(images, np.array(SEVERITIES)), images, atol=1e-12)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_has_the_tables_sigma_and_no_bias(severity):
    images = np.full((100, 32, 32), 0.5)  # 0 and 1 are 2.8 sigma away at the most
    normal = np.random.default_rng(0).standard_normal(images.shape)
    change = gaussian_noise(images, np.full(100, severity), normal) - images
    assert change.std() == pytest.approx(GAUSSIAN_NOISE_SIGMA[severity], rel=0.01)
    assert abs(change.mean()) < 5 * GAUSSIAN_NOISE_SIGMA[severity] / np.sqrt(change.size)


def test_noise_is_clipped():
    images = np.stack([np.zeros((32, 32)), np.ones((32, 32))])
    normal = np.random.default_rng(0).standard_normal(images.shape)
    noised = gaussian_noise(images, np.array([3, 3]), normal)
    assert noised.min() == 0.0
    assert noised.max() == 1.0


@pytest.mark.parametrize("severity", [-1, 4])
def test_unknown_severity_is_an_error(severity):
    images = np.zeros((1, 4, 4))
    message = rf"severity {severity} is unknown; severities are 0 \(untouched\), 1, 2, 3"
    with pytest.raises(ValueError, match=message):
        gaussian_blur(images, np.array([severity]))
    with pytest.raises(ValueError, match=message):
        gaussian_noise(images, np.array([severity]), images)
