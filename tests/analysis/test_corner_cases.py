"""Corner cases along single dimensions, against a plain search of one dimension at a time."""

import numpy as np
import pytest
from scipy.special import softmax

from ganfail_jax.analysis import corner_cases
from ganfail_jax.analysis.views import views_of
from tests.analysis.test_crossing import balanced, tiny_starts
from tests.analysis.test_ranking import run

LIMIT = 6.0


@pytest.fixture(scope="module")
def made(unrounded):
    found = run(models=balanced(), num_samples=100, batch_size=50)
    views = views_of(balanced(), 50)
    begun = tiny_starts(views)
    cases = corner_cases.corner_cases(views, found, begun, searched=12, top=5, limit=LIMIT, grid=30)
    return found, views, begun, cases


def test_shifts_agree_with_a_fine_scan(made):
    found, views, begun, cases = made
    steps = np.linspace(0, LIMIT, 301)
    for row, column in ((0, 0), (1, 3), (2, 7)):
        d = cases.dims[row, column]
        styles = np.repeat(begun.styles[row : row + 1], len(steps), axis=0)
        target = begun.target[row]
        styles[:, d] += steps * found.style_std[d] * -np.sign(found.score[1 + target, d])
        outputs = softmax(views.logits(styles), axis=1)[:, target]
        lost = outputs <= 0.5
        assert np.isfinite(cases.shift[row, column]) == lost.any()
        if lost.any():
            assert abs(steps[lost.argmax()] - cases.shift[row, column]) <= steps[1]


def test_dimensions_are_the_top_of_the_class_and_the_first_with_an_effect_are_shown(made):
    found, _, begun, cases = made
    assert cases.shown.shape == (3, 5)
    for row in range(3):
        np.testing.assert_array_equal(cases.dims[row], found.order[1 + begun.target[row], :12])
        working = np.flatnonzero(np.isfinite(cases.shift[row]))[:5]
        np.testing.assert_array_equal(cases.shown[row, : len(working)], working)
        assert (cases.shown[row, len(working) :] == -1).all()
        assert (cases.images[row, len(working) :] == -1).all()
    assert (cases.shown >= 0).any()


def test_the_global_ranking_gives_every_class_the_same_dimensions(made):
    found, views, begun, _ = made
    cases = corner_cases.corner_cases(views, found, begun, searched=3, per_class=False, limit=LIMIT)
    np.testing.assert_array_equal(cases.dims, np.tile(found.order[0, :3], (3, 1)))


def test_raw_shifts_are_standard_deviations_times_std(made):
    found, _, _, cases = made
    there = np.isfinite(cases.shift)
    assert there.any()
    np.testing.assert_allclose(cases.raw[there], (cases.shift * found.style_std[cases.dims])[there])
    assert np.abs(cases.softmax[there] - 0.5).max() < 0.01


def test_of_many_starts_the_first_have_images(made):
    found, views, _, _ = made
    many = tiny_starts(views, 22)
    cases = corner_cases.corner_cases(views, found, many, searched=3, top=2, limit=LIMIT)
    assert cases.shift.shape == (22, 3)
    assert cases.images.shape[:2] == (20, 2)
    np.testing.assert_allclose(cases.start_images, views.images(many.styles[:20]))
