"""The smallest joint move against a hyperplane's distance, and against brute force over angles."""

import numpy as np
import pytest

from ganfail_jax.analysis import corner_cases, crossing, joint, starts
from ganfail_jax.analysis.joint import Search
from ganfail_jax.analysis.views import views_of
from tests.analysis.test_crossing import S, balanced, linear_models
from tests.analysis.test_crossing import tiny_starts as confident
from tests.analysis.test_ranking import run

pytestmark = pytest.mark.usefixtures("unrounded")


def no_single(dims):
    return np.full(dims.shape, np.nan)


@pytest.mark.parametrize("d", [1, 4, S])
def test_the_length_is_the_distance_to_the_hyperplane(d):
    linear, weights = linear_models()
    rng = np.random.default_rng(0)
    views = views_of(linear, 30)
    begun = starts.at_styles(views, 0.3 * rng.normal(size=(5, S)))
    dims = np.stack([rng.permutation(S)[:d] for _ in range(5)])
    std = rng.uniform(0.3, 2, S)
    found = joint.smallest_moves(views, begun, dims, std, no_single(dims), Search(50.0, draws=8))
    normal = weights[:, 0] - weights[:, 1]
    slope = np.linalg.norm((normal * std)[dims], axis=1)
    np.testing.assert_allclose(found.length, np.abs(begun.styles @ normal) / slope, rtol=1e-3)
    assert (np.nan_to_num(found.random, nan=np.inf) >= found.length[:, None] * 0.999).all()


@pytest.fixture(scope="module")
def tiny_starts(unrounded):
    views = views_of(balanced(), 50)
    return views, confident(views)


def test_in_a_plane_it_is_the_shortest_of_all_angles(tiny_starts):
    views, begun = tiny_starts
    s = begun.styles.shape[1]
    std = np.ones(s)
    dims = np.tile([1, 4], (3, 1))
    found = joint.smallest_moves(views, begun, dims, std, no_single(dims), Search(8.0, 40, 8))
    angles = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    moves = np.zeros((3 * len(angles), s), np.float32)
    moves[:, [1, 4]] = np.tile(circle, (3, 1))
    owner = np.arange(3).repeat(len(angles))
    every = crossing.search(
        views, begun.styles[owner], moves, begun.target[owner], limit=8.0, grid=40
    )
    shortest = np.nanmin(every.shift.reshape(3, -1), axis=1)
    assert np.isfinite(shortest).all()
    assert (found.length <= shortest * 1.001).all()
    np.testing.assert_allclose(found.length, shortest, rtol=0.01)


def test_a_move_ends_at_half_and_is_no_longer_than_what_it_began_with(tiny_starts):
    views, begun = tiny_starts
    s = begun.styles.shape[1]
    dims = np.tile(np.arange(6), (3, 1))
    std = np.linspace(0.5, 1.5, s)
    moves = np.zeros((18, s), np.float32)
    moves[np.arange(18), dims.ravel()] = std[dims.ravel()]
    alone = crossing.search(
        views, begun.styles.repeat(6, 0), moves, begun.target.repeat(6), limit=8.0
    ).shift.reshape(3, 6)
    found = joint.smallest_moves(views, begun, dims, std, alone, Search(8.0, draws=10))
    np.testing.assert_allclose(found.softmax, 0.5, atol=0.01)
    assert (found.above < 0.5).all()
    assert (found.instead != begun.target).all()
    np.testing.assert_array_equal(found.single, np.fmin.reduce(alone, axis=1))
    in_order = np.sort(np.nan_to_num(found.random, nan=np.inf))
    np.testing.assert_array_equal(found.random_quartiles, in_order[:, [3, 5, 7]])
    for others in (found.single[:, None], found.random):
        assert (np.nan_to_num(others, nan=np.inf) >= found.length[:, None]).all()
    styles = begun.styles.copy()
    styles[:, :6] += found.delta * std[:6]
    np.testing.assert_allclose(views.images(styles), found.images, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found.delta, axis=1), found.length)


def test_the_best_single_move_is_the_smallest_corner_case_of_the_same_dimensions(tiny_starts):
    views, begun = tiny_starts[0], tiny_starts[1].take([0])
    ranking = run(models=balanced(), num_samples=100, batch_size=50)
    cases = corner_cases.corner_cases(views, ranking, begun, searched=8, limit=8.0)
    found = joint.joint_moves(views, ranking, begun, cases, 5, Search(8.0, draws=3, iterations=3))
    np.testing.assert_array_equal(found.dims, ranking.order[1 + begun.target, :5])
    np.testing.assert_array_equal(found.single, np.fmin.reduce(cases.shift[:, :5], axis=1))
    told = joint.summary(ranking, begun, found)
    move = told[ranking.groups[1 + begun.target[0]]]
    assert move["best_single_std"] == found.single[0]
    assert np.linalg.norm([*move["delta_std"].values()]) == pytest.approx(move["length_std"])


def test_out_of_reach_there_is_no_move(tiny_starts):
    views, begun = tiny_starts
    dims = np.tile([1, 4], (3, 1))
    std = np.full(begun.styles.shape[1], 1e-6)
    found = joint.smallest_moves(
        views, begun, dims, std, no_single(dims), Search(draws=3, iterations=3)
    )
    assert np.isnan(found.length).all()
    assert np.isnan(found.random).all()
    assert (found.instead == -1).all()
    assert (found.images == -1).all()


def test_a_class_has_the_same_move_whatever_else_is_searched(tiny_starts):
    views, begun = tiny_starts
    std = np.ones(begun.styles.shape[1])
    dims = np.tile(np.arange(4), (3, 1))
    settings = Search(8.0, draws=6)
    every = joint.smallest_moves(views, begun, dims, std, no_single(dims), settings)
    last = begun.take(np.arange(3) == 2)
    alone = joint.smallest_moves(views, last, dims[2:], std, no_single(dims[2:]), settings)
    np.testing.assert_allclose(alone.random, every.random[2:], rtol=1e-4)
    np.testing.assert_allclose(alone.delta, every.delta[2:], rtol=1e-3, atol=1e-4)
