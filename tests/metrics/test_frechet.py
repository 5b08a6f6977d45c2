"""Judged by closed forms, SciPy, an independent implementation's numbers and fresh samples."""

import numpy as np
import pytest
from scipy import linalg

from ganfail_jax.metrics import frechet
from ganfail_jax.metrics.frechet import (
    FeatureMoments,
    feature_moments,
    feature_set,
    frechet_distance,
    frechet_infinity,
    merge_moments,
)
from tests import goldens

RNG = np.random.default_rng(0)


def random_covariance(d):
    root = RNG.normal(size=(d, d))
    return root @ root.T / d


def gaussian(mean, covariance):
    return FeatureMoments(101, mean, 100 * covariance)


@pytest.mark.parametrize(("convention", "bias"), [("sample", False), ("population", True)])
def test_moments_are_numpys(convention, bias):
    features = RNG.normal(3, 2, (50, 4)).astype(np.float32)
    moments = feature_moments(features)
    assert moments.samples == 50
    x = features.astype(np.float64)
    np.testing.assert_allclose(moments.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(convention), np.cov(x.T, bias=bias), rtol=1e-12)


def test_moments_far_from_zero_keep_their_spread():
    features = (1e4 + RNG.normal(size=(500, 3))).astype(np.float32)
    expected = np.cov(features.T.astype(np.float64))
    np.testing.assert_allclose(feature_moments(features).covariance(), expected, rtol=1e-9)


@pytest.mark.parametrize("block", [7, 100, 4096])
def test_moments_of_parts_are_those_of_the_whole(block, monkeypatch):
    features = RNG.normal(100, 1, (300, 5)).astype(np.float32)
    whole = feature_moments(features)
    monkeypatch.setattr(frechet, "BLOCK", block)
    first, *rest = (feature_moments(part) for part in np.split(features, [1, 20, 150]))
    for part in rest:
        first = merge_moments(first, part)
    assert first.samples == 300
    np.testing.assert_allclose(first.mean, whole.mean, rtol=1e-13)
    np.testing.assert_allclose(first.scatter, whole.scatter, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("convention", ["sample", "population"])
def test_golden_distance(convention):
    _, golden = goldens.load("metrics")
    real, fake = feature_moments(golden["real"]), feature_moments(golden["fake"])
    expected = pytest.approx(float(golden[f"fid_{convention}"]), rel=1e-6)
    assert frechet_distance(real, fake, convention) == expected
    measured = frechet.frechet(real, golden["fake"], features="made up", convention=convention)
    assert measured.value == expected
    assert measured.samples == {"real": 400, "generated": 300}
    assert {"sample": "N - 1", "population": "by N"}[convention] in measured.convention


def test_commuting_gaussians_have_their_closed_form():
    mean_a, mean_b = RNG.normal(size=(2, 6))
    var_a, var_b = RNG.uniform(0.1, 4, (2, 6))
    turn, _ = np.linalg.qr(RNG.normal(size=(6, 6)))
    a = gaussian(mean_a, turn @ np.diag(var_a) @ turn.T)
    b = gaussian(mean_b, turn @ np.diag(var_b) @ turn.T)
    expected = np.sum((mean_a - mean_b) ** 2) + np.sum((np.sqrt(var_a) - np.sqrt(var_b)) ** 2)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)


def test_general_gaussians_agree_with_the_matrix_root_of_the_product():
    a = gaussian(RNG.normal(size=8), random_covariance(8))
    b = gaussian(RNG.normal(size=8), random_covariance(8))
    cross = np.trace(linalg.sqrtm(a.covariance() @ b.covariance())).real
    expected = (
        np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance() + b.covariance()) - 2 * cross
    )
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("dead", [0, 30])
@pytest.mark.parametrize("n", [2, 20, 200, 201, 1000])
def test_distance_to_itself_is_zero_even_with_fewer_images_than_features(n, dead):
    features = RNG.normal(0, 10, (n, 200))
    features[:, :dead] = 1.0
    moments = feature_moments(features)
    assert abs(frechet_distance(moments, moments)) < 1e-6


@pytest.mark.parametrize("sizes", [(20, 90), (90, 20), (20, 30), (90, 80), (1, 90), (1, 1)])
@pytest.mark.parametrize("dead", [0, 5])
def test_singular_covariances_agree_with_the_singular_values_of_the_samples(sizes, dead):
    """The trace of (A^1/2 B A^1/2)^1/2 is that sum of X Y^T, for A = X^T X and B = Y^T Y."""
    x, y = (RNG.normal(1, 3, (n, 60)) for n in sizes)
    x[:, :dead] = y[:, :dead] = 0
    parts = [(each - each.mean(0)) / np.sqrt(max(len(each) - 1, 1)) for each in (x, y)]
    cross = np.sum(linalg.svdvals(parts[0] @ parts[1].T))
    gap = np.sum((x.mean(0) - y.mean(0)) ** 2)
    expected = gap + sum(np.sum(part**2) for part in parts) - 2 * cross
    assert frechet_distance(feature_moments(x), feature_moments(y)) == pytest.approx(expected)
    measured = frechet.frechet(feature_moments(x), y, features="x")
    assert measured.value == pytest.approx(expected, rel=1e-9)
    assert measured.interval is not None
    assert np.isfinite(measured.interval).all()


@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_interval_over_both_sets_covers_the_value_expected(gap):
    """Where the two sets are alike, the first order is known to be cautious."""
    d, rng = 8, np.random.default_rng(1)
    shape = np.diag(np.linspace(1, 0.3, d))

    def measure(*, fixed=False, replicates=0):
        real = rng.normal(size=(300, d)) @ shape
        generated = rng.normal(size=(200, d)) @ shape * (1 + gap / 3) + gap / 3
        kept = feature_moments(real) if fixed else feature_set(real)
        measured = frechet.frechet(kept, generated, features="x", replicates=replicates)
        assert measured.interval is not None
        return measured.value, *measured.interval

    values, low, high = np.transpose([measure() for _ in range(300)])
    covered = np.mean((low <= values.mean()) & (values.mean() <= high))
    assert covered > 0.95 - 3 * 0.0126  # of 300 repetitions
    assert covered < 0.975 or not gap
    width = np.mean(high - low)
    by_bootstrap = [np.ptp(measure(replicates=40)[1:]) for _ in range(8)]
    assert 0.7 < np.mean(by_bootstrap) / width < 1.4
    assert np.mean([np.ptp(measure(fixed=True)[1:]) for _ in range(50)]) < 0.9 * width


def test_outputs_say_what_their_interval_holds_fixed():
    real, generated = RNG.normal(size=(2, 50, 4))
    both = frechet.frechet(feature_set(real), generated, features="x")
    assert "95 % interval over both sets: normal" in str(both)
    fixed = frechet.frechet(feature_moments(real), generated, features="x")
    assert "over the generated images, real set fixed" in str(fixed)
    assert both.value == fixed.value


def test_influences_are_the_derivative_by_a_samples_weight():
    real = feature_moments(RNG.normal(size=(200, 4)))
    generated = RNG.normal(0.5, 2, (60, 4))
    moments = feature_moments(generated)
    ours = frechet._influence(real, moments, generated, "population")
    for row, step in ((0, 1e-5), (17, 1e-5)):
        weights = np.ones(60) / 60
        distances = []
        for sign in (1, -1):
            moved = (1 - sign * step) * weights + sign * step * (np.arange(60) == row)
            mean = moved @ generated
            scatter = (generated - mean).T * moved @ (generated - mean)
            reference = gaussian(real.mean, real.covariance("population"))
            distances.append(frechet_distance(reference, gaussian(mean, scatter)))
        slope = (distances[0] - distances[1]) / (2 * step)
        assert ours[row] == pytest.approx(slope / 60, rel=1e-5)


def test_too_few_images_are_told():
    real = feature_moments(RNG.normal(size=(50, 10)))
    few = frechet.frechet(real, RNG.normal(size=(10, 10)), features="made up")
    assert len(few.warnings) == 1
    assert "10 generated images in 10 dimensions is singular" in few.warnings[0]
    assert np.isfinite(few.interval or np.nan).all()
    enough = frechet.frechet(real, RNG.normal(size=(11, 10)), features="made up")
    assert enough.warnings == ()


def test_infinity_removes_the_bias_of_few_generated_images():
    d = 40
    real = gaussian(np.zeros(d), np.eye(d))  # the true moments: no bias from this side
    generated = RNG.normal(size=(3000, d))
    biased = frechet.frechet(real, generated, features="x").value
    measured = frechet_infinity(real, generated, features="x", smallest=500)
    assert biased > 0.1
    assert abs(measured.value) < 0.2 * biased
    assert measured.title == "FID_infinity on x"
    with pytest.raises(ValueError, match="more than 5000 and at least 2"):
        frechet_infinity(real, generated, features="x")


def test_every_output_names_features_sizes_and_convention():
    measured = frechet.frechet(
        feature_moments(RNG.normal(size=(1200, 3))),
        RNG.normal(size=(2, 3)),
        features="toy features",
    )
    assert str(measured).startswith("FID on toy features: ")
    assert "1,200 real, 2 generated; covariance divided by N - 1" in str(measured)
    assert "warning: the covariance of 2 generated" in str(measured)
    summary = measured.summary()
    assert summary["features"] == "toy features"
    assert summary["samples"] == {"real": 1200, "generated": 2}
    assert summary["interval"] == measured.interval


@pytest.mark.parametrize("features", [np.zeros((0, 3)), np.array([[0.0, np.nan]])])
def test_unfit_features_are_refused(features):
    with pytest.raises(ValueError, match="finite and of at least one image"):
        feature_moments(features)
