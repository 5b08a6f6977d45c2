"""Images enter a wrapped function as Pillow and closed forms say; what does not fit is one line."""

import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from ganfail_jax.errors import InputError
from ganfail_jax.nn.on_host import on_host
from ganfail_jax.nn.wrapped import Entry, wrap
from tests.test_imports import ROOT

RNG = np.random.default_rng(0)
COLOUR = RNG.uniform(-1, 1, (2, 12, 16, 3)).astype(np.float32)
GREY = COLOUR[..., :1]
RAW = Entry(range=(-1.0, 1.0))


@pytest.mark.parametrize("size", [(24, 40), (5, 6), (12, 7)], ids=str)
def test_bilinear_resizing_is_pillows(size):
    entered = RAW._replace(size=size).images(jnp.asarray(GREY))
    for image, resized in zip(GREY, entered, strict=True):
        expected = Image.fromarray(image[..., 0]).resize(size[::-1], Image.Resampling.BILINEAR)
        # Pillow's weights are of float64
        np.testing.assert_allclose(resized[..., 0], np.asarray(expected), atol=2e-6)


def test_colour_becomes_pillows_luma_and_grey_is_repeated():
    levels = RNG.integers(0, 256, (6, 7, 3), np.uint8)
    images = levels[None] / np.float32(127.5) - 1
    grey = Entry(channels=1, range=(0.0, 255.0)).images(jnp.asarray(images))[0, ..., 0]
    expected = np.asarray(Image.fromarray(levels).convert("L"), np.float32)
    np.testing.assert_allclose(grey, expected, atol=0.51)  # Pillow rounds to whole levels
    colour = RAW._replace(channels=3).images(jnp.asarray(GREY))
    np.testing.assert_array_equal(colour, np.repeat(GREY, 3, axis=3))


def test_padding_is_black_and_cropping_takes_the_centre():
    padded = np.asarray(RAW._replace(size=(15, 18), resize="pad").images(jnp.asarray(GREY)))
    np.testing.assert_array_equal(padded[:, 1:13, 1:17], GREY)
    assert padded.sum() == pytest.approx(GREY.sum() - 2 * (15 * 18 - 12 * 16), rel=1e-5)
    cropped = RAW._replace(size=(8, 12), resize="crop").images(jnp.asarray(GREY))
    np.testing.assert_array_equal(cropped, GREY[:, 2:10, 2:14])


def test_range_mean_and_deviation_are_of_the_publisher():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    entry = Entry(mean=mean, std=std, layout="NCHW")
    expected = ((COLOUR.astype(np.float64) + 1) / 2 - mean) / std
    np.testing.assert_allclose(
        entry.images(jnp.asarray(COLOUR)), expected.transpose(0, 3, 1, 2), atol=1e-6
    )
    level = Entry(range=(0.0, 255.0)).images(jnp.asarray(COLOUR))
    np.testing.assert_allclose(level, (COLOUR + 1) * 127.5, rtol=1e-5, atol=1e-5)


FOUR: dict[str, Any] = {"size": 4, "channels": 1}


def linear(params, images):
    return images.reshape(len(images), -1) @ params


def test_a_function_is_differentiated_through_its_entry():
    params = jnp.asarray(RNG.normal(size=(3 * 6 * 8, 4)), jnp.float32)
    classifier, held = wrap(linear, params, size=(6, 8), channels=3, resize="crop", layout="NCHW")
    assert (classifier.num_classes, classifier.class_names) == (4, ("0", "1", "2", "3"))
    gradient = jax.grad(lambda x: classifier.logits(held, x)[:, 2].sum())(jnp.asarray(COLOUR))
    expected = np.zeros(COLOUR.shape)
    expected[:, 3:9, 4:12] = np.asarray(params[:, 2]).reshape(3, 6, 8).transpose(1, 2, 0) / 2
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_a_function_of_the_host_serves_compiled_programs_without_a_gradient():
    seen = []

    def forest(images):
        assert isinstance(images, np.ndarray)
        seen.append(images.shape)
        return np.stack([images.mean((1, 2, 3)), np.ones(len(images))], axis=1) / 2

    how = {"size": 4, "channels": 1, "outputs": "probabilities", "gradient": False}
    classifier, params = wrap(forest, class_names=("a", "b"), **how)
    logits = jax.jit(classifier.logits)(params, jnp.asarray(COLOUR))
    assert seen == [(1, 4, 4, 1), (2, 4, 4, 1)]
    np.testing.assert_allclose(logits[:, 1], np.log(0.5), rtol=1e-6)
    assert not classifier.has_gradient
    with pytest.raises(InputError, match="no gradient: rank with --score=auc"):
        jax.grad(lambda x: classifier.logits(params, x).sum())(jnp.asarray(COLOUR))


def test_params_of_the_host_stay_there():
    params = RNG.normal(size=(16, 3)).astype(np.float32)
    classifier, held = wrap(linear, params, gradient=False, **FOUR)
    compiled, inside = jax.jit(classifier.logits), jax.jit(wrap(linear, params, **FOUR)[0].logits)
    images = jnp.asarray(COLOUR)
    np.testing.assert_allclose(compiled(held, images), inside(held, images), atol=1e-5)


def test_several_devices_are_refused_because_they_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(jax, "device_count", lambda: 2)
    classifier, params = wrap(lambda x: x[:, 0, :2, 0], gradient=False, **FOUR)
    with pytest.raises(InputError, match="runs on the host, which serves one device"):
        jax.jit(classifier.logits)(params, jnp.asarray(COLOUR))


def test_the_gradient_of_the_host_is_used():
    def forward(x):
        return np.stack([np.sin(x).sum(1), np.cos(x).sum(1)], axis=1)

    def backward(x, g):
        return g[:, :1] * np.cos(x) - g[:, 1:] * np.sin(x)

    x, function = jnp.asarray(GREY[:, 0, :, 0]), on_host(forward, 2, backward)
    ours = jax.jit(jax.grad(lambda x: (function(x) ** 2).sum()))(x)
    theirs = jax.grad(lambda x: (jnp.stack([jnp.sin(x).sum(1), jnp.cos(x).sum(1)], 1) ** 2).sum())(
        x
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


FLAT: dict[str, Any] = {"size": 2, "channels": 1}
BAD = [
    ({"size": (1, 2, 3)}, r"size is \(1, 2, 3\); 2 numbers are wanted"),
    ({"size": 0}, r"rows and columns are at least 1"),
    ({"channels": 2}, "channels is 2; images have 1 or 3"),
    ({"range": (1, 0)}, "the first is black, the second white"),
    ({"mean": np.nan}, "mean is nan; finite numbers are wanted"),
    ({"mean": (0.1, 0.2)}, "mean has 2 numbers for 1 channels"),
    ({"std": 0}, "it is above 0"),
    ({"layout": "NWHC"}, "layout is 'NWHC'; it is one of NHWC, NCHW"),
    ({"resize": "squash"}, "resize is 'squash'; it is one of bilinear, pad, crop"),
    ({"outputs": "classes"}, "outputs is 'classes'; it is one of logits, probabilities"),
    ({"class_names": ("a",)}, "1 class names for 3 outputs"),
    ({"size": None}, "give size and channels, or class_names"),
    ({"size": 3}, r"the function fails on images of shape \(1, 3, 3, 1\): TypeError: dot_general"),
]


@pytest.mark.parametrize(("settings", "message"), BAD, ids=lambda x: str(x)[:30])
def test_what_cannot_be_wrapped_is_one_line(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        wrap(linear, np.zeros((4, 3), np.float32), **FLAT | settings)
    assert "\n" not in str(caught.value)


def test_outputs_of_another_shape_are_refused():
    for function in (lambda x: x.sum((1, 2, 3)), lambda x: x, lambda x: x.mean((1, 2))):
        with pytest.raises(InputError, match=r"logits \(1, classes\) are wanted"):
            wrap(function, **FLAT)


@pytest.mark.parametrize("resize", ["pad", "crop"])
def test_what_cannot_be_padded_or_cropped_is_refused(resize):
    size = (20, 8)  # one larger, one smaller
    classifier, params = wrap(linear, size=size, resize=resize, class_names=("a", "b"))
    with pytest.raises(InputError, match=f"12x16 cannot be {resize}{resize[-1]}ed to 20x8"):
        classifier.logits(params, jnp.asarray(GREY))
    two = np.zeros((1, 4, 4, 2), np.float32)
    with pytest.raises(InputError, match="images have 2 channels, but it takes 3"):
        Entry(channels=3).images(jnp.asarray(two))


ONE_CORE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import jax, numpy as np
from ganfail_jax.nn.wrapped import wrap
how = {"size": 224, "channels": 3, "gradient": False}
both = [wrap(lambda x, k=k: k * x[:, 0, :5, 0], **how)[0] for k in (1, 2)]
images = np.ones((60, 8, 8, 1), np.float32)
print(sum(y.sum() for y in jax.jit(lambda x: [c.logits(None, x) for c in both])(images)))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_two_functions_of_the_host_do_not_wait_for_each_other_on_one_core():
    called = [sys.executable, "-c", ONE_CORE]
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "900.0\n", done.stderr
