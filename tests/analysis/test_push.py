"""Pushing fresh samples along the ranking."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.analysis import outputs, push
from ganfail_jax.analysis.attributes import contrast_and_noise
from ganfail_jax.analysis.views import views_of
from tests.analysis.test_ranking import run
from tests.tiny import models


@pytest.fixture(scope="module")
def found():
    return run(num_samples=200, batch_size=100, normalize="std")


def test_the_top_lowers_the_output_more_than_random_dimensions(found):
    views = views_of(models(), 64)
    effect = push.push_effect(views, found, num_samples=150, first_index=200, top=5)
    assert effect.num_samples == 150
    assert effect.top < effect.random < effect.before
    assert all(0 < error < 0.1 for error in effect.standard_errors)
    assert len(effect.random_draws) == push.DRAWS
    assert np.mean(effect.random_draws) == pytest.approx(effect.random)
    spread = np.std(effect.random_draws, ddof=1) / np.sqrt(push.DRAWS)
    assert effect.standard_errors[2] > spread > 0  # the draws count, not only the samples


def test_before_is_the_mean_of_the_fresh_samples(found):
    tiny = models()
    views = views_of(tiny, 16)
    effect = push.push_effect(views, found, num_samples=40, first_index=200)
    sample = jax.jit(lambda i: outputs.sample_styles(tiny, 0, i, 1.0))
    styles, labels, _ = sample(jnp.arange(200, 240))
    logits = jax.jit(lambda s: outputs.logits_of(tiny, s))(styles)
    softmax = outputs.softmax_score(logits, labels)
    assert effect.before == pytest.approx(float(softmax.mean()), rel=1e-5)


def test_the_grid_moves_one_dimension_at_a_time(found):
    grid = push.push_grid(views_of(models(), 100), found, top=3, true_class=1, shifts=(0.0, 0.5))
    assert grid.images.shape == (3, 2, 8, 8, 1)
    assert (grid.true_class, grid.group) == (1, 2)
    start = grid.images[:, 0]
    np.testing.assert_array_equal(start, np.broadcast_to(start[0], start.shape))
    assert (grid.softmax[:, 1] < grid.softmax[:, 0]).all()
    assert all(not np.array_equal(*pair) for pair in grid.images)


def test_the_grid_shows_a_sample(found):
    tiny = models()
    grid = push.push_grid(views_of(tiny, 100), found, top=2)
    styles, *_ = jax.jit(lambda i: outputs.sample_styles(tiny, 0, i, 1.0))(jnp.arange(200))
    images = np.asarray(jax.jit(lambda s: outputs.render(tiny, s))(styles))
    distance = np.abs(images - grid.images[0, 0]).max(axis=(1, 2, 3))
    assert distance.min() < 1e-4


def test_what_is_beyond_the_observed_range_is_marked(found):
    tiny = models()
    views = views_of(tiny, 100)
    grid = push.push_grid(views, found, top=3, shifts=(0.0, 100.0))
    assert grid.beyond[:, 1].all()
    assert not grid.beyond[:, 0].any()


def test_contrast_and_noise():
    """Contrast and noise of the image itself, in float64, beside those of all candidates."""
    images = np.zeros((4, 16, 16, 1), np.float32) - 1
    images[:, 4:12, 4:12] = 1
    images[1] *= 0.1  # pale
    images[2] += 0.5 * np.random.default_rng(0).normal(size=images[2].shape).astype(np.float32)
    contrast, noise = np.asarray(contrast_and_noise(jnp.asarray(images))).T
    np.testing.assert_allclose(contrast, (images / 2).std(axis=(1, 2, 3), dtype=float), rtol=1e-5)
    assert contrast.argmin() == 1
    assert noise.argmax() == 2
    assert 0.15 < noise[2] < 0.35
