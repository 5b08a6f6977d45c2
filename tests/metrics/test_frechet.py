import numpy as np
import pytest
from scipy import linalg

from ganfail_jax.metrics.frechet import FeatureMoments, feature_moments, frechet_distance

RNG = np.random.default_rng(0)


def random_covariance(d):
    root = RNG.normal(size=(d, d))
    return root @ root.T / d


def test_moments_are_of_the_population():
    features = RNG.normal(3, 2, (50, 4)).astype(np.float32)
    moments = feature_moments(features)
    assert moments.samples == 50
    np.testing.assert_allclose(moments.mean, features.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(features.T, bias=True), rtol=1e-6)


def test_moments_far_from_zero_keep_their_spread():
    features = (1e4 + RNG.normal(size=(500, 3))).astype(np.float32)
    expected = np.cov(features.T.astype(np.float64), bias=True)
    np.testing.assert_allclose(feature_moments(features).covariance, expected, rtol=1e-9)


def test_commuting_gaussians_have_their_closed_form():
    mean_a, mean_b = RNG.normal(size=(2, 6))
    var_a, var_b = RNG.uniform(0.1, 4, (2, 6))
    turn, _ = np.linalg.qr(RNG.normal(size=(6, 6)))
    a = FeatureMoments(1, mean_a, turn @ np.diag(var_a) @ turn.T)
    b = FeatureMoments(1, mean_b, turn @ np.diag(var_b) @ turn.T)
    expected = np.sum((mean_a - mean_b) ** 2) + np.sum((np.sqrt(var_a) - np.sqrt(var_b)) ** 2)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)


def test_general_gaussians_agree_with_the_matrix_root_of_the_product():
    a = FeatureMoments(1, RNG.normal(size=8), random_covariance(8))
    b = FeatureMoments(1, RNG.normal(size=8), random_covariance(8))
    cross = np.trace(linalg.sqrtm(a.covariance @ b.covariance)).real
    traces = np.trace(a.covariance) + np.trace(b.covariance)
    expected = np.sum((a.mean - b.mean) ** 2) + traces - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [20, 1000])
def test_distance_to_itself_is_zero_even_with_fewer_images_than_features(n):
    moments = feature_moments(RNG.normal(0, 10, (n, 200)))
    assert abs(frechet_distance(moments, moments)) < 1e-6


@pytest.mark.parametrize("features", [np.zeros((0, 3)), np.array([[0.0, np.nan]])])
def test_unfit_features_are_refused(features):
    with pytest.raises(ValueError, match="finite and of at least one image"):
        feature_moments(features)
