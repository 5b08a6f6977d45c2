"""Intervals and tests of shares against their textbook formulas."""

import math

import numpy as np
import pytest

from ganfail_jax.statistics.intervals import Z95
from ganfail_jax.statistics.proportions import compare_paired, wilson

Z = 1.959963984540054


def paired(both, only_a, only_b, neither):
    """Outcomes of two classifiers that make this 2x2 table."""
    counts = (both, only_a, only_b, neither)
    return np.repeat([1, 1, 0, 0], counts) > 0, np.repeat([1, 0, 1, 0], counts) > 0


def test_wilson_is_its_formula():
    hits, trials = np.asarray([0, 3, 50, 7]), np.asarray([5, 10, 60, 7])
    p = hits / trials
    middle = (p + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    reach = Z / (1 + Z**2 / trials) * np.sqrt(p * (1 - p) / trials + (Z / (2 * trials)) ** 2)
    found = wilson(hits, trials)
    np.testing.assert_allclose(found, np.stack([middle - reach, middle + reach], 1), atol=1e-12)


def test_no_trials_have_no_interval():
    found = wilson(np.asarray([0, 1]), np.asarray([0, 2]))
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()
    assert wilson(np.zeros(0, int), np.zeros(0, int)).shape == (0, 2)


@pytest.mark.parametrize(("only_a", "only_b"), [(3, 12), (12, 3), (0, 5), (4, 4), (1, 0)])
def test_mcnemar_sums_the_binomial(only_a, only_b):
    found = compare_paired(*paired(20, only_a, only_b, 5))
    n = only_a + only_b
    tail = sum(math.comb(n, i) for i in range(min(only_a, only_b) + 1)) / 2**n
    assert found.p == pytest.approx(min(2 * tail, 1.0))
    assert found.table.tolist() == [[20, only_a], [only_b, 5]]
    assert found.difference == pytest.approx((only_a - only_b) / (25 + n))
    summary = found.summary()
    cells = ("both", "only_a", "only_b", "neither")
    assert [summary[cell] for cell in cells] == [20, only_a, only_b, 5]


def test_the_interval_of_a_difference():
    """Bonett and Price (2012): Wald's with one more sample in each discordant cell."""
    only_a, only_b, n = 12, 3, 60
    p, q = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    reach = Z95 * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    low, high = compare_paired(*paired(40, only_a, only_b, 5)).interval
    assert (low, high) == pytest.approx((p - q - reach, p - q + reach))


def test_the_interval_covers_the_difference_in_most_draws():
    rng = np.random.default_rng(0)
    truth = 0.9 - (0.9 * 0.8 + 0.1 * 0.5)
    covered = 0
    for _ in range(400):
        a = rng.random(200) < 0.9
        b = rng.random(200) < np.where(a, 0.8, 0.5)
        low, high = compare_paired(a, b).interval
        covered += low <= truth <= high
    assert 0.92 < covered / 400 < 0.98


def test_classifiers_that_always_agree_do_not_differ():
    found = compare_paired(*paired(20, 0, 0, 5))
    assert (found.difference, found.p) == (0, 1)
    assert found.interval[0] < 0 < found.interval[1]
    assert found.interval[0] == pytest.approx(-found.interval[1])
