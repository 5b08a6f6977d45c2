"""One image along several dimensions."""

import numpy as np
import pytest

from ganfail_jax.analysis import shift
from ganfail_jax.analysis.views import views_of
from tests.analysis.test_crossing import balanced, tiny_starts
from tests.analysis.test_ranking import run


@pytest.fixture(scope="module")
def made(unrounded):
    found = run(models=balanced(), num_samples=100, batch_size=50)
    views = views_of(balanced(), 20)
    start = tiny_starts(views, 1)
    dims = found.order[0, :12]
    grid = shift.shift_grid(views, found, start, dims, progress=(0.0, 0.9, 1.0, 1.1), limit=6.0)
    return found, views, start, grid


def test_progress_zero_is_the_start_and_one_is_softmax_half(made):
    _, views, start, grid = made
    assert 0 < grid.reached.sum() < len(grid.reached)
    unmoved = views.images(start.styles)[0]
    np.testing.assert_allclose(grid.images[0], np.broadcast_to(unmoved, grid.images[0].shape))
    np.testing.assert_allclose(grid.softmax[2, grid.reached], 0.5, atol=0.01)
    assert (grid.softmax[1, grid.reached] > 0.5).all()
    assert (grid.softmax[3, grid.reached] < 0.5).all()


def test_without_an_effect_rows_are_fractions_of_the_limit(made):
    _, _, _, grid = made
    np.testing.assert_array_equal(grid.reference[~grid.reached], 6.0)
    assert (grid.softmax[2, ~grid.reached] > 0.5).all()


def test_an_image_is_its_style_moved_along_one_dimension(made):
    found, views, start, grid = made
    column = int(np.flatnonzero(grid.reached)[0])
    style = start.styles.copy()
    d = grid.dims[column]
    style[0, d] += 0.9 * grid.reference[column] * found.style_std[d] * -np.sign(found.score[0, d])
    np.testing.assert_allclose(views.images(style)[0], grid.images[1, column], atol=1e-4)
