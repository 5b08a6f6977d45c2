"""Judged by an independent implementation's number, scikit-learn's kernel and fresh samples."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from ganfail_jax.metrics import kernel
from ganfail_jax.metrics.kernel import kid, kid_subsets
from tests import goldens

RNG = np.random.default_rng(0)


def mmd2(x, y):
    """The unbiased estimate from whole kernel matrices of scikit-learn."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    n, m = len(x), len(y)
    xx, yy, xy = (
        polynomial_kernel(a, b, degree=3, gamma=1 / x.shape[1], coef0=1)
        for a, b in ((x, x), (y, y), (x, y))
    )
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * xy.mean()


def test_golden_distance():
    _, golden = goldens.load("metrics")
    measured = kid(golden["real"], golden["fake"], features="made up")
    assert measured.value == pytest.approx(float(golden["kid_unbiased_poly3"]), rel=1e-6)
    assert measured.samples == {"real": 400, "generated": 300}
    assert str(measured).startswith("KID on made up: ")
    assert "all pairs" in measured.convention


@pytest.mark.parametrize("block", [1, 7, 64, 2048])
def test_blocks_of_any_size_agree_with_scikit_learn(block, monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK", block)
    x = RNG.normal(1, 1, (40, 9)).astype(np.float32)
    y = RNG.normal(0, 2, (64, 9)).astype(np.float32)
    assert kid(x, y, features="x").value == pytest.approx(mmd2(x, y), rel=1e-12)


def test_one_subset_of_everything_is_the_whole_and_more_average():
    x, y = RNG.normal(size=(2, 50, 4)).astype(np.float32)
    whole = kid_subsets(x, y, features="x", subsets=2, size=1000)
    assert whole.value == pytest.approx(mmd2(x, y), rel=1e-9)
    assert whole.interval == pytest.approx((whole.value, whole.value))
    assert "2 subsets of 50" in whole.convention
    parts = kid_subsets(x, y, features="x", subsets=2000, size=20)
    assert parts.interval is not None
    low, high = parts.interval
    assert low - (high - low) / 2 < whole.value < high + (high - low) / 2
    assert high - low < 0.1
    assert parts == kid_subsets(x, y, features="x", subsets=2000, size=20)


def test_no_bias_between_sets_of_one_distribution():
    values = [kid(*RNG.normal(size=(2, 30, 5)), features="x").value for _ in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    assert min(values) < 0  # unbiased, so not clipped


@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_interval_over_both_sets_covers_the_truth(gap):
    """With the real set held fixed, 7 % of the intervals of equal sets lay below 0."""
    rng, d = np.random.default_rng(1), 5
    sets = [(rng.normal(size=(100, d)), rng.normal(gap, 1, (60, d))) for _ in range(300)]
    measured = [kid(*pair, features="x") for pair in sets]
    truth = 0.0 if not gap else np.mean([each.value for each in measured])
    low, high = np.transpose([each.interval or () for each in measured])
    assert np.mean((low <= truth) & (truth <= high)) > 0.95 - 3 * 0.0126  # of 300 repetitions
    assert np.mean(high < 0) <= 0.025
    assert "interval over both sets" in str(measured[0])


@pytest.mark.parametrize("measure", [kid, kid_subsets])
def test_unfit_features_are_refused(measure):
    good = np.ones((3, 2))
    with pytest.raises(ValueError, match="at least two images of each set"):
        measure(good, good[:1], features="x")
    with pytest.raises(ValueError, match="must be finite"):
        measure(good, good * np.inf, features="x")
