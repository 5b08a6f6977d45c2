"""Groups of units: found where they are plain to see, numbered by score, Ward's sum of squares."""

import itertools

import numpy as np
import pytest

from ganfail_jax.analysis.unit_clusters import cluster_units
from ganfail_jax.errors import InputError

RNG = np.random.default_rng(0)


def test_groups_that_are_far_apart_by_falling_mean_score():
    true = RNG.permutation(np.repeat([0, 1, 2], [4, 9, 2]))
    points = 100 * RNG.normal(size=(3, 5))[true] + RNG.normal(size=(15, 5))
    scores = np.asarray([1.0, 3.0, 2.0])[true] + RNG.normal(size=15) / 100
    found = cluster_units(points, scores, 3)
    np.testing.assert_array_equal(found.of_unit, np.asarray([2, 0, 1])[true])
    assert sorted(np.concatenate([found.members(i) for i in range(3)])) == list(range(15))


def test_members_come_from_the_centre_outwards():
    points = np.asarray([[0.0], [1.0], [5.0], [2.0], [100.0]])
    found = cluster_units(points, np.arange(5.0), 2)
    np.testing.assert_array_equal(found.of_unit, [1, 1, 1, 1, 0])
    np.testing.assert_array_equal(found.members(1), [3, 1, 0, 2])  # mean 2
    np.testing.assert_allclose(found.from_centre, [2, 1, 3, 0, 0])


def test_wards_merges_by_a_plain_loop():
    points = RNG.normal(size=(11, 3))
    groups = [[i] for i in range(11)]

    def squares(group):
        return np.square(points[group] - points[group].mean(axis=0)).sum()

    while len(groups) > 4:
        a, b = min(
            itertools.combinations(groups, 2),
            key=lambda pair: squares(pair[0] + pair[1]) - squares(pair[0]) - squares(pair[1]),
        )
        groups = [each for each in groups if each not in (a, b)] + [a + b]
    found = cluster_units(points, np.zeros(11), 4)
    made = {frozenset(found.members(i).tolist()) for i in range(4)}
    assert made == set(map(frozenset, groups))


def test_as_many_groups_as_units_and_a_single_unit():
    found = cluster_units(RNG.normal(size=(3, 2)), np.asarray([1.0, 2.0, 3.0]), 3)
    np.testing.assert_array_equal(found.of_unit, [2, 1, 0])
    assert cluster_units(np.ones((1, 2)), np.ones(1), 1).members(0).tolist() == [0]


def test_units_that_coincide_are_one_group():
    assert not cluster_units(np.ones((4, 2)), np.arange(4.0), 2).of_unit.any()


@pytest.mark.parametrize("number", [0, 4])
def test_more_groups_than_units(number):
    with pytest.raises(InputError, match=rf"^3 units do not make {number} clusters$"):
        cluster_units(np.ones((3, 2)), np.ones(3), number)
