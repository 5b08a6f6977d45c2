"""Distances of many sets of rows: those of `frechet_distance` one by one, and resumed ones."""

import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.metrics import unit_frechet
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.metrics.unit_frechet import subset_distances
from ganfail_jax.runtime import Sweep

RNG = np.random.default_rng(0)
D = 12


def features(n, dead=0):
    """Correlated, above zero, of unlike spread; the last ones always zero, as ReLUs may be."""
    x = RNG.normal(size=(n, D)) @ (RNG.normal(size=(D, D)) * np.logspace(0, -3, D))
    x = np.maximum(x, 0)
    x[:, D - dead :] = 0
    return x.astype(np.float32)


def subsets(n, k, c):
    return np.stack([RNG.permutation(n)[:k] for _ in range(c)], axis=1)


@pytest.mark.parametrize(
    ("k", "reference_size", "dead"),
    [(40, 200, 0), (40, 200, 5), (5, 200, 0), (2, 200, 3), (40, 6, 0), (4, 3, 2)],
)
def test_they_are_those_of_a_loop(k, reference_size, dead):
    """More and fewer rows than dimensions, on both sides."""
    rows, reference = features(60, dead), feature_moments(features(reference_size, dead))
    sets = subsets(60, k, 4)
    found = subset_distances(reference, rows, sets)
    expected = [frechet_distance(reference, feature_moments(rows[each])) for each in sets.T]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_set_that_is_the_reference_is_at_no_distance():
    rows = features(30)
    found = subset_distances(feature_moments(rows), rows, RNG.permutation(30)[:, None])
    assert abs(found[0]) < 1e-9 * np.trace(feature_moments(rows).covariance())


def test_singular_values_agree_with_eigenvalues(monkeypatch):
    rows, reference, sets = features(60), feature_moments(features(50)), subsets(60, 30, 3)
    by_eigenvalues = subset_distances(reference, rows, sets)
    monkeypatch.setattr(unit_frechet, "NOISE", 0.0)
    by_singular_values = subset_distances(reference, rows, sets)
    np.testing.assert_allclose(by_eigenvalues, by_singular_values, rtol=1e-7)


def test_an_interrupted_run_resumes_and_other_sets_start_anew(tmp_path, monkeypatch):
    rows, reference, sets = features(60), feature_moments(features(50)), subsets(60, 30, 6)
    how = Sweep(1, runtime.data_mesh(), tmp_path, {"seed": 0}, "distances")
    whole = subset_distances(reference, rows, sets)
    true, calls, kill = unit_frechet.sum_of_roots, [], [True]

    def counted(squares):
        calls.append(1)
        if kill and len(calls) == 4:
            raise RuntimeError("killed")
        return true(squares)

    monkeypatch.setattr(unit_frechet, "sum_of_roots", counted)
    with pytest.raises(RuntimeError, match="killed"):
        subset_distances(reference, rows, sets, how, seconds=0.0)
    kill.clear()
    found = subset_distances(reference, rows, sets, how, seconds=0.0)
    np.testing.assert_array_equal(found, whole)
    assert len(calls) == 4 + 3
    for other_sets, other, expected in (
        (sets[:, ::-1], how, whole[::-1]),
        (sets, how._replace(identity={"seed": 1}), whole),
    ):
        calls.clear()
        found = subset_distances(reference, rows, other_sets, other, seconds=0.0)
        np.testing.assert_array_equal(found, expected)
        assert len(calls) == 6
