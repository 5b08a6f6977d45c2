"""AUCs against scikit-learn and brute force, their errors against DeLong and repetition."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from ganfail_jax.statistics.estimates import Estimate, auc, mean, mean_over_draws


@pytest.fixture(scope="module")
def data():
    """60 samples, 20 of them positive; 4 values, the last with many ties; 3 strata."""
    rng = np.random.default_rng(0)
    positive = np.arange(60) % 3 == 0
    values = rng.normal(size=(60, 4)) + positive[:, None] * [0, 0.5, 1, 1]
    values[:, 3] = values[:, 3].round()
    return values, positive, rng.integers(0, 3, 60)


def pair_kernel(values, positive):
    """1, 1/2 or 0 for every (positive, negative) pair: [m, n]."""
    difference = values[positive][:, None] - values[~positive][None]
    return (np.sign(difference) + 1) / 2


def test_auc_is_scikit_learns(data):
    values, positive, _ = data
    expected = [roc_auc_score(positive, values[:, d]) for d in range(4)]
    np.testing.assert_allclose(auc(values, positive).value, expected, rtol=1e-12)


def test_standard_error_is_delongs(data):
    values, positive, _ = data
    found = auc(values, positive)
    for d in range(4):
        kernel = pair_kernel(values[:, d], positive)
        m, n = kernel.shape
        variance = kernel.mean(1).var(ddof=1) / m + kernel.mean(0).var(ddof=1) / n
        assert found.standard_error[d] == pytest.approx(np.sqrt(variance), rel=1e-9)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0, atol=1e-12)


def test_the_difference_of_two_aucs_has_delongs_paired_error(data):
    values, positive, _ = data
    found = auc(values, positive)
    one, two = (Estimate(found.value[[d]], found.influence[:, [d]]) for d in (1, 2))
    kernels = [pair_kernel(values[:, d], positive) for d in (1, 2)]
    kernel = kernels[0] - kernels[1]
    m, n = kernel.shape
    variance = kernel.mean(1).var(ddof=1) / m + kernel.mean(0).var(ddof=1) / n
    difference = one.minus(two)
    assert difference.value[0] == pytest.approx(kernel.mean())
    assert difference.standard_error[0] == pytest.approx(np.sqrt(variance))
    assert one.minus(one).standard_error[0] == 0


def test_strata_count_only_pairs_of_the_same_stratum(data):
    values, positive, strata = data
    kernels = [pair_kernel(values[strata == c, 1], positive[strata == c]) for c in range(3)]
    expected = sum(k.sum() for k in kernels) / sum(k.size for k in kernels)
    assert auc(values, positive, strata).value[1] == pytest.approx(expected)


def test_strata_take_away_what_only_tells_the_strata_apart():
    strata = np.repeat([0, 1], 100)
    positive = np.arange(200) % np.where(strata, 2, 10) == 0  # one stratum fails more often
    values = strata[:, None].astype(float)
    assert auc(values, positive).value[0] > 0.6
    assert auc(values, positive, strata).value[0] == 0.5


def test_intervals_cover_the_truth_at_their_rate():
    """Two normal populations a distance d apart: the AUC is the normal CDF of d / sqrt 2."""
    rng = np.random.default_rng(1)
    truth, repeats = 0.7602499389, 600  # d = 1
    positive = np.arange(230) < 30
    values = rng.normal(size=(230, repeats)) + positive[:, None]
    found = auc(values, positive)
    for low, high in (found.interval, found.share_interval):
        covered = ((low < truth) & (truth < high)).mean()
        assert 0.92 < covered < 0.975  # 0.95 +- 3 errors of 600 repeats


def test_resampling_agrees_with_the_exact_bootstrap(data):
    values, positive, _ = data
    rng = np.random.default_rng(2)
    replicates = auc(values, positive).resample(4000, rng)
    exact = []
    for _ in range(1000):
        rows = rng.integers(0, 60, 60)
        exact.append(auc(values[rows], positive[rows]).value)
    np.testing.assert_allclose(replicates.mean(0), np.mean(exact, axis=0), atol=0.01)
    np.testing.assert_allclose(replicates.std(0), np.std(exact, axis=0), rtol=0.12)


def test_an_error_that_cannot_be_told_is_nan():
    perfect = auc(np.arange(6.0)[:, None], np.arange(6) > 2)
    assert perfect.value[0] == 1
    assert np.isnan(perfect.share_interval).all()
    alone = auc(np.arange(6.0)[:, None], np.arange(6) > 4)
    assert np.isnan(alone.value).all()
    apart = auc(np.arange(6.0)[:, None], np.arange(6) > 2, np.arange(6))
    assert np.isnan(apart.value).all()


def test_a_share_has_the_binomial_error():
    hit = np.arange(50) < 20
    found = mean(hit)
    assert found.value[0] == accuracy_score(np.ones(50), hit)
    assert found.standard_error[0] == pytest.approx(np.sqrt(0.4 * 0.6 / 50))


@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0])
def test_a_mean_over_draws_is_covered_whatever_their_spread(spread):
    """The interval over samples alone covers less, the more draws differ."""
    rng, d, n, covered, alone = np.random.default_rng(3), 8, 100, [], []
    for _ in range(600):
        draws, samples = spread * rng.normal(size=(d, 1)), rng.normal(size=n)
        values = draws + samples + rng.normal(size=(d, n))
        drawn = mean_over_draws(values)
        assert drawn.value == pytest.approx(values.mean())
        covered.append(abs(drawn.value) < drawn.reach)
        alone.append(abs(drawn.value) < 1.96 * mean(values.mean(axis=0)).standard_error[0])
    assert 0.923 < np.mean(covered) < 0.985  # 0.95 - 3 errors of 600 repeats; cautious between
    assert np.mean(alone) < 0.7 or not spread
