from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from ganfail_jax.training.augment import (
    SYM6,
    AugmentPipe,
    augment,
    draw_colour,
    draw_warp,
    recolour,
    update_probability,
    warp,
)

ROUNDING = 2e-6  # float32, through the resampler
apply = jax.jit(augment, static_argnames="pipe")
warp_once = jax.jit(warp)
EYE, STILL = jnp.eye(2), jnp.zeros(2)
COLOUR = ("brightness", "contrast", "lumaflip", "hue", "saturation")


def noise(*shape, seed=0):
    return jnp.array(np.random.RandomState(seed).uniform(-1, 1, shape), jnp.float32)


def copies(image, n):
    return jnp.broadcast_to(image, (n, *image.shape))


def keys(n, seed=0):
    return jax.random.split(jax.random.key(seed), n)


def within_four_sigma(hits, n, probability):
    return abs(hits - n * probability) < 4 * np.sqrt(n * probability * (1 - probability))


def shifted(image, down, right):
    """The image moved by whole pixels, reflected at its end pixels as often as needed."""
    rows, columns = (np.pad(np.arange(n), 200, mode="reflect") for n in image.shape[:2])
    height, width, _ = image.shape
    return image[rows[200 - down : 200 - down + height]][
        :, columns[200 - right : 200 - right + width]
    ]


def smooth(height, width):
    """A sum of slow cosines, which reflection continues smoothly; [h, w, 1]."""
    y, x = np.linspace(0, np.pi, height)[:, None], np.linspace(0, np.pi, width)
    image = 0.5 * np.cos(3 * y) * np.cos(2 * x) + 0.3 * np.cos(y) * np.cos(4 * x)
    return jnp.array(image[..., None], jnp.float32)


# The filter


def test_sym6_is_the_low_pass_of_pywavelets():
    pywt = pytest.importorskip("pywt")
    np.testing.assert_allclose(SYM6, pywt.Wavelet("sym6").dec_lo, rtol=0, atol=1e-12)


def test_sym6_is_orthonormal_with_six_vanishing_moments():
    assert SYM6.sum() == pytest.approx(np.sqrt(2), abs=1e-11)
    products = [SYM6[: 12 - shift] @ SYM6[shift:] for shift in (0, 2, 4, 6, 8, 10)]
    np.testing.assert_allclose(products, [1, 0, 0, 0, 0, 0], atol=1e-11)
    taps = (np.arange(12) - 5.5) / 5.5
    moments = [((-1) ** np.arange(12) * SYM6) @ taps**k for k in range(7)]
    np.testing.assert_allclose(moments[:6], 0, atol=1e-10)
    assert abs(moments[6]) > 1e-4


# Blit


@pytest.mark.parametrize("channels", [1, 3])
def test_probability_zero_returns_the_images_to_rounding(channels):
    images = noise(5, 16, 16, channels)
    result = apply(images, jax.random.key(1), 0.0)
    np.testing.assert_allclose(result, images, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("p", [0.4, 1.0])
def test_xflip_mirrors_oblong_images_exactly_with_frequency_p_over_two(p):
    image, n = noise(4, 6, 3), 2000
    result = np.asarray(apply(copies(image, n), jax.random.key(2), p, AugmentPipe(xflip=1.0)))
    mirrored = (result == image[:, ::-1]).all((1, 2, 3))
    kept = (result == image).all((1, 2, 3))
    assert (mirrored ^ kept).all()
    assert within_four_sigma(mirrored.sum(), n, p / 2)


def test_rotate90_equals_rot90_exactly_and_each_turn_is_as_likely():
    image, n = noise(6, 6, 1), 2000
    result = np.asarray(
        augment(copies(image, n), jax.random.key(3), 1.0, AugmentPipe(rotate90=1.0))
    )
    found = np.stack([(result == np.rot90(image, k)).all((1, 2, 3)) for k in range(4)])
    assert (found.sum(0) == 1).all()
    assert all(within_four_sigma(hits, n, 1 / 4) for hits in found.sum(1))


def test_integer_translation_shifts_whole_pixels_and_reflects_up_to_an_eighth():
    image, n = noise(16, 16, 1), 400
    result = np.asarray(apply(copies(image, n), jax.random.key(4), 1.0, AugmentPipe(xint=1.0)))
    shifts = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    found = np.stack([abs(result - shifted(image, *s)).max((1, 2, 3)) < ROUNDING for s in shifts])
    assert (found.sum(0) == 1).all()
    assert found.any(1).all()


# Geometry


@pytest.mark.parametrize("shape", [(16, 16, 3), (9, 14, 1)])
def test_identity_warp_returns_even_white_noise(shape):
    image = noise(*shape)
    np.testing.assert_allclose(warp_once(image, EYE, STILL), image, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("move", [(3, -5), (-1, 0), (40, -77)])
def test_warp_by_whole_pixels_equals_the_shifted_reflected_image(move):
    image = noise(12, 17, 1)
    result = warp_once(image, EYE, -jnp.array(move, float))
    np.testing.assert_allclose(result, shifted(image, *move), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("linear", "shift"),
    [
        ([[1, 0], [0, 1]], [0.5, -2.3]),
        ([[0.8, -0.6], [0.6, 0.8]], [0, 0]),
        ([[0.7, 0], [0, 1 / 0.7]], [0, 0]),
        ([[1.3, 0.4], [-0.5, 0.9]], [9.1, -4.7]),
    ],
)
def test_warp_agrees_with_scipy_on_a_smooth_image(linear, shift):
    image, centre = smooth(40, 48), np.array([19.5, 23.5])
    offset: Any = np.array(shift) + centre - np.array(linear) @ centre
    expected = ndimage.affine_transform(image[..., 0], linear, offset, order=3, mode="mirror")
    result = warp_once(image, jnp.array(linear, float), jnp.array(shift, float))
    assert abs(result[..., 0] - expected).max() < 0.01


@jax.jit
def many_warps(some_keys, p, pipe):
    return jax.vmap(lambda key: draw_warp(key, p, pipe, 10, 20))(some_keys)


@partial(jax.jit, static_argnums=3)
def many_colours(some_keys, p, pipe, channels):
    return jax.vmap(lambda key: draw_colour(key, p, pipe, channels))(some_keys)


def draws(p, **multipliers):
    pipe = AugmentPipe(**multipliers)
    return tuple(map(np.asarray, many_warps(keys(4000), p, pipe)))


def test_scale_and_stretch_are_log_normal_with_a_fifth_of_an_octave():
    zoom, _ = draws(1.0, scale=1.0)
    np.testing.assert_array_equal(zoom[:, 0, 0], zoom[:, 1, 1])
    stretch, _ = draws(1.0, aniso=1.0)
    np.testing.assert_allclose(np.linalg.det(stretch), 1, atol=1e-5)
    for linear in (zoom, stretch):
        octaves = np.log2(linear[:, 0, 0])
        assert abs(octaves.mean()) < 4 * 0.2 / np.sqrt(4000)
        assert octaves.std() == pytest.approx(0.2, rel=0.05)


def test_rotation_happens_before_or_after_with_probability_p_together():
    linear, shift = draws(0.3, rotate=1.0)
    angle = np.arctan2(linear[:, 1, 0], linear[:, 0, 0])
    np.testing.assert_allclose(np.linalg.norm(linear, axis=1), 1, atol=1e-5)
    assert within_four_sigma((angle != 0).sum(), 4000, 0.3)
    assert np.histogram(angle[angle != 0], 8, (-np.pi, np.pi))[0].min() > 90
    assert not shift.any()


def test_fractional_translation_is_normal_in_shares_of_each_side():
    linear, shift = draws(1.0, xfrac=1.0)
    np.testing.assert_array_equal(linear, np.broadcast_to(np.eye(2), linear.shape))
    np.testing.assert_allclose(shift.std(0), [1.25, 2.5], rtol=0.05)


def test_fractional_translation_acts_on_the_result_and_whole_pixels_on_the_source():
    linear, none = draws(1.0, scale=1.0, rotate=1.0, aniso=1.0)
    _, fraction = draws(1.0, xfrac=1.0)
    _, whole = draws(1.0, xint=1.0)
    _, shift = draws(1.0, scale=1.0, rotate=1.0, aniso=1.0, xfrac=1.0, xint=1.0)
    assert not none.any()
    expected = np.einsum("bij,bj->bi", linear, fraction) + whole
    np.testing.assert_allclose(shift, expected, rtol=0, atol=1e-4)


# Colour


def colours(*names, channels=3):
    pipe = AugmentPipe(**dict.fromkeys(names, 1.0))
    return tuple(map(np.asarray, many_colours(keys(500), 1.0, pipe, channels)))


def test_hue_rotates_about_the_grey_axis():
    matrix, _ = colours("hue")
    np.testing.assert_allclose(matrix.sum(2), 1, atol=1e-6)
    np.testing.assert_allclose(
        matrix @ matrix.transpose(0, 2, 1), matrix * 0 + np.eye(3), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-6)
    angle = np.arctan2(
        (matrix[:, 1, 0] - matrix[:, 0, 1]) * np.sqrt(3) / 2, matrix[:, 0, 0] * 1.5 - 0.5
    )
    assert np.histogram(angle, 4, (-np.pi, np.pi))[0].min() > 90


def test_luma_flip_is_the_householder_reflection_of_the_grey_axis():
    matrix, _ = colours("lumaflip")
    flipped = abs(matrix - (np.eye(3) - 2 / 3)).max((1, 2)) < 1e-6
    kept = abs(matrix - np.eye(3)).max((1, 2)) < 1e-6
    assert (flipped ^ kept).all()
    assert within_four_sigma(flipped.sum(), 500, 0.5)


def test_saturation_scales_the_plane_across_the_grey_axis():
    matrix, _ = colours("saturation")
    np.testing.assert_allclose(matrix.sum(2), 1, atol=2e-6)
    scale = matrix[:, 0, 0] - matrix[:, 0, 1]
    plane = np.array([1, -1, 0])
    np.testing.assert_allclose(matrix @ plane, scale[:, None] * plane, atol=2e-6)
    assert np.log2(scale).std() == pytest.approx(1, rel=0.15)


def test_contrast_and_brightness_have_their_spread():
    matrix, brightness = colours("contrast", "brightness")
    np.testing.assert_allclose(matrix, matrix[:, :1, :1] * np.eye(3), atol=1e-6)
    assert np.log2(matrix[:, 0, 0]).std() == pytest.approx(0.5, rel=0.15)
    assert brightness.std() == pytest.approx(0.2, rel=0.15)
    np.testing.assert_array_equal(brightness, colours("brightness")[1])


def test_brightness_is_added_before_the_matrix_multiplies():
    image = jnp.array([0.5, 0.0, -0.5]).reshape(1, 1, 3)
    matrix = jnp.array([[2.0, 0, 0], [0, 3, 1], [0, 0, 4]])
    np.testing.assert_allclose(recolour(image, matrix, jnp.array(0.25))[0, 0], [1.5, 0.5, -1])


def test_all_colour_steps_multiply_as_in_the_reference():
    matrix, _ = colours(*COLOUR)
    steps = [colours(name)[0] for name in ("saturation", "hue", "lumaflip", "contrast")]
    np.testing.assert_allclose(
        matrix, steps[0] @ steps[1] @ steps[2] @ steps[3], rtol=1e-5, atol=1e-5
    )


def test_grey_images_get_the_mean_row_of_the_rgb_matrix():
    rgb, rgb_brightness = colours(*COLOUR)
    grey, grey_brightness = colours(*COLOUR, channels=1)
    np.testing.assert_allclose(grey[:, 0, 0], rgb.mean(1).sum(1), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(grey_brightness, rgb_brightness)
    unchanged, _ = colours("hue", "saturation", channels=1)
    np.testing.assert_array_equal(unchanged, 1)


# The whole pipe


def test_an_image_is_augmented_alike_in_any_batch():
    images = noise(5, 16, 16, 3)
    whole = apply(images, jax.random.key(6), 0.8)
    part = apply(images[:3], jax.random.key(6), 0.8)
    np.testing.assert_allclose(part, whole[:3], rtol=0, atol=1e-5)
    assert abs(whole - images).max((1, 2, 3)).min() > 0.05


def test_equal_images_in_a_batch_are_augmented_differently():
    result = np.asarray(apply(copies(noise(16, 16, 1), 5), jax.random.key(7), 1.0))
    gaps = abs(result[:, None] - result).max((2, 3, 4))[~np.eye(5, dtype=bool)]
    assert gaps.min() > 0.01


def test_probability_acts_as_one_above_one():
    half, one, above = (apply(noise(5, 16, 16, 1), jax.random.key(8), p) for p in (0.5, 1.0, 1.7))
    np.testing.assert_array_equal(above, one)
    assert abs(half - one).max() > 0.01


def logits(gain, images):
    return jnp.tanh(gain * augment(images, jax.random.key(9), 1.0)).sum()


def penalty(gain, images):
    """R1: its own gradient goes twice through the augmentation."""
    return jnp.square(jax.grad(logits, argnums=1)(gain, images)).sum()


@pytest.mark.parametrize("function", [logits, penalty])
def test_gradients_through_augment_match_finite_differences(function):
    with jax.enable_x64(True):
        images = jnp.array(noise(3, 8, 8, 3), jnp.float64)
        direction = jnp.array(noise(3, 8, 8, 3, seed=1), jnp.float64)

        values = jax.jit(jax.value_and_grad(function, argnums=(0, 1)))
        above, below = (values(1.3 + s, images + s * direction)[0] for s in (1e-5, -1e-5))
        _, (by_gain, by_images) = values(1.3, images)
        slope = by_gain + (by_images * direction).sum()
        assert float(slope) == pytest.approx(float(above - below) / 2e-5, rel=1e-7)


def test_dtype_is_kept():
    images = jnp.zeros((2, 8, 8, 1), jnp.bfloat16)
    assert jax.eval_shape(augment, images, jax.random.key(0), 1.0).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 8, 8, 2), r"1 \(grey\) or 3 \(RGB\) channels, got 2"),
        ((2, 8, 12, 3), "rotate90 needs square images, got 8x12; set rotate90=0"),
    ],
)
def test_unfit_images_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        augment(jnp.zeros(shape), jax.random.key(0), 0.5)


# The controller


@pytest.mark.parametrize(
    ("p", "mean_sign", "expected"),
    [
        (0.25, 0.9, 0.25 + 0.000512),
        (0.25, 0.1, 0.25 - 0.000512),
        (0.25, 0.6, 0.25),
        (0.0001, -1.0, 0.0),
        (1.0, 1.0, 1.000512),
    ],
)
def test_controller_steps_towards_its_target_and_stays_non_negative(p, mean_sign, expected):
    sign = jnp.float32(mean_sign)
    result = update_probability(p, sign, batch_size=64, interval=4, target=0.6, ada_kimg=500)
    assert float(result) == pytest.approx(expected, abs=1e-7)


def test_controller_needs_ada_kimg_thousand_images_from_zero_to_one():
    p = [jnp.float32(0)]
    for _ in range(20_000 // (250 * 4)):
        p.append(update_probability(p[-1], 1.0, batch_size=250, interval=4, ada_kimg=20))
    np.testing.assert_allclose(p, np.linspace(0, 1, 21), atol=1e-6)
