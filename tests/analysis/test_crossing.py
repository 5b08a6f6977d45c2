"""The crossing search against a hyperplane's closed form, and on a tiny network."""

import functools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logit, softmax

from ganfail_jax.analysis import crossing
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.starts import at_samples, at_styles
from ganfail_jax.analysis.views import views_of
from ganfail_jax.types import Classifier, Generator
from tests.tiny import CONFIG, models

pytestmark = pytest.mark.usefixtures("unrounded")
S = 16


def linear_models(classes=2, seed=3):
    """Images linear in S and logits linear in images, so that logits are styles @ weights."""
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(S, S)).astype(np.float32)
    templates = rng.normal(size=(S, classes)).astype(np.float32)

    def synthesis(params, styles, *_):
        return (styles["layer"] @ params).reshape(-1, 4, 4, 1), {}

    generator = Generator(S, 0, (4, 4, 1), {}, {"layer": S}, None, lambda *_: {}, synthesis)
    classifier = Classifier(
        (4, 4, 1),
        classes,
        tuple("abcdef"[:classes]),
        lambda params, images: images,
        lambda params, features: features.reshape(len(features), -1) @ params,
    )
    linear = Models(generator, jnp.asarray(basis), classifier, jnp.asarray(templates))
    return linear, basis.astype(np.float64) @ templates


@pytest.fixture(scope="module")
def toy():
    linear, weights = linear_models()
    rng = np.random.default_rng(0)
    starts = rng.normal(size=(12, S)).astype(np.float32)
    target = (starts @ weights).argmax(axis=1)
    directions = rng.normal(size=(12, S)).astype(np.float32)
    return linear, weights, starts, target, directions


def test_no_points_have_no_outputs(toy):
    views = views_of(toy[0], batch_size=5)
    assert views.logits(np.zeros((0, S))).shape == (0, 2)
    assert views.images(np.zeros((0, S))).shape == (0, 4, 4, 1)


@pytest.mark.parametrize("xp", [np, jnp])
def test_log_odds_agree_with_the_softmax_and_do_not_saturate(xp):
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 3, 20)
    expected = logit(softmax(logits.astype(np.float64), axis=1)[np.arange(20), target])
    odds = crossing.log_odds(xp.asarray(logits), xp.asarray(target))
    np.testing.assert_allclose(odds, expected, rtol=1e-4, atol=1e-5)
    large = xp.asarray([[900.0, 0.0, -900.0]])
    np.testing.assert_allclose(crossing.log_odds(large, xp.asarray([0])), [900.0])
    np.testing.assert_allclose(crossing.log_odds(large, xp.asarray([2])), [-1800.0])


def test_the_shift_is_the_distance_to_the_hyperplane(toy):
    linear, weights, starts, target, directions = toy
    normal = (weights[:, 0] - weights[:, 1]) * np.where(target == 0, 1, -1)[:, None]
    slope = np.sum(directions * normal, axis=1)  # of the log-odds
    expected = -np.sum(starts * normal, axis=1) / slope
    expected[(expected < 0) | (expected > 3)] = np.nan
    views = views_of(linear, batch_size=5)
    found = crossing.search(views, starts, directions, target, limit=3.0, grid=7)
    assert 2 < found.found.sum() < 12
    np.testing.assert_array_equal(found.found, np.isfinite(expected))
    assert np.nanmax(np.abs((found.shift - expected) * slope)) < 1.1 * crossing.TOLERANCE
    np.testing.assert_array_equal(found.instead[found.found], 1 - target[found.found])
    np.testing.assert_array_equal(found.predicted_below[found.found], target[found.found])
    np.testing.assert_array_equal(found.predicted_above[found.found], 1 - target[found.found])
    assert (found.instead[~found.found] == -1).all()
    assert np.isnan(found.softmax[~found.found]).all()


def test_another_level_is_reached_too(toy):
    linear, weights, starts, target, directions = toy
    views = views_of(linear, batch_size=12)
    found = crossing.search(views, starts, directions, target, limit=3.0, level=0.3)
    rows = np.flatnonzero(found.found)
    assert len(rows) > 2
    moved = starts + found.shift[:, None] * directions
    outputs = softmax(moved @ weights, axis=1)
    np.testing.assert_allclose(outputs[rows, target[rows]], 0.3, atol=0.3 * crossing.TOLERANCE)


def test_results_do_not_depend_on_the_batch_size(toy):
    linear, _, starts, target, directions = toy
    one, other = (
        crossing.search(views_of(linear, size), starts, directions, target, limit=3.0)
        for size in (5, 40)
    )
    np.testing.assert_allclose(one.shift, other.shift, rtol=1e-5)


def test_a_start_that_is_lost_already_is_no_crossing(toy):
    linear, _, starts, target, directions = toy
    views = views_of(linear, batch_size=12)
    found = crossing.search(views, starts, directions, 1 - target, limit=3.0)
    np.testing.assert_array_equal(found.shift, 0)
    assert not found.found.any()
    assert (found.start_softmax < 0.5).all()
    assert np.isnan(found.softmax).all()


def test_the_first_of_several_crossings_is_found():
    """Softmax 0.50 wherever cos(x) = 0: at pi / 2, then at 3 pi / 2 and so on."""
    linear, _ = linear_models()
    head = linear.classifier._replace(
        head=lambda params, x: jnp.stack([jnp.cos(x[:, 0, 0, 0]), 0 * x[:, 0, 0, 0]], axis=1)
    )
    waves = linear._replace(classifier=head, generator_params=jnp.eye(S))
    starts, directions = np.zeros((1, S), np.float32), np.eye(1, S, dtype=np.float32)
    views = views_of(waves, batch_size=1)
    found = crossing.search(views, starts, directions, np.zeros(1, int), limit=20.0, grid=24)
    np.testing.assert_allclose(found.shift, np.pi / 2, atol=crossing.TOLERANCE)


def test_roots_of_steep_and_flat_functions():
    powers = np.array([1.0, 3.0, 9.0])
    zero = np.array([0.3, 0.2, 0.7])

    def value(rows, x):
        return zero[rows] ** powers[rows] - x ** powers[rows]

    ends = value(np.arange(3), np.zeros(3)) + 1e-3, value(np.arange(3), np.ones(3))
    found = crossing.roots(value, np.zeros(3), np.ones(3), *ends)
    assert np.abs(value(np.arange(3), found)).max() <= crossing.TOLERANCE


def test_the_root_of_a_function_of_steps_is_its_jump():
    """As the log-odds of images of 256 levels: 2, then -1 from 1/3 or from 0.9 on."""
    jumps = np.array([1 / 3, 0.9])
    values = lambda rows, x: np.where(x < jumps[rows], 2.0, -1.0)  # noqa: E731
    found = crossing.roots(values, np.zeros(2), np.ones(2), np.full(2, 2.0), np.full(2, -1.0))
    np.testing.assert_allclose(found, jumps, rtol=2 * crossing.NARROW)
    assert (values(np.arange(2), found) < 0).all()


@functools.cache
def balanced(num_classes=3):
    """Tiny models whose three classes are predicted about equally often, and surely."""
    tiny = models(replace(CONFIG, num_classes=num_classes))
    views = views_of(tiny, 60)
    styles = at_samples(views, np.arange(60), truncation_psi=1.0).styles
    seen, head = views.logits(styles), tiny.classifier.head
    usual, spread = seen.mean(axis=0), seen.std(axis=0) / 4
    fair = tiny.classifier._replace(head=lambda params, x: (head(params, x) - usual) / spread)
    return tiny._replace(classifier=fair)


def tiny_starts(views, n=3):
    """The samples that the classifier is surest of, as of the classes that it predicts."""
    styles = at_samples(views, np.arange(60), truncation_psi=1.0).styles
    found = at_styles(views, styles)
    return found.take(np.argsort(-found.softmax)[:n])


def check_crossings(found, target, least):
    rows = np.flatnonzero(found.found)
    assert len(rows) >= least
    assert np.abs(found.softmax[rows] - 0.5).max() < 0.01
    assert found.below[rows].min() > 0.5 > found.above[rows].max()
    np.testing.assert_array_equal(found.predicted_below[rows], target[rows])
    assert (found.instead[rows] != target[rows]).all()
    moved = found.predicted_above[rows] != target[rows]
    np.testing.assert_array_equal(found.predicted_above[rows][moved], found.instead[rows][moved])


def test_just_below_the_class_is_kept_and_just_above_it_is_lost():
    tiny = balanced()
    rng = np.random.default_rng(1)
    s = sum(tiny.generator.style_dims.values())
    starts = rng.normal(size=(30, s)).astype(np.float32)
    directions = rng.normal(size=(30, s)).astype(np.float32)
    views = views_of(tiny, batch_size=30)
    target = views.logits(starts).argmax(axis=1)
    check_crossings(crossing.search(views, starts, directions, target, limit=4.0), target, least=10)
