"""Accumulators do not depend on how the samples are split, and agree with numpy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import accumulate


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 5)) * [1, 2, 0.1, 30, 1] + [0, 5, 1000, -3, 0]).astype(np.float32)
    weights = (rng.integers(0, 3, size=300)[:, None] == np.arange(3)).astype(np.float32)
    return x, weights


def total(x, weights, splits, batch=accumulate.batch_moments, merge=accumulate.merge_moments):
    parts = [
        jax.device_get(batch(jnp.asarray(a), jnp.asarray(b)))
        for a, b in zip(np.split(x, splits), np.split(weights, splits), strict=True)
    ]
    out = parts[0]
    for part in parts[1:]:
        out = merge(out, part)
    return out


@pytest.mark.parametrize("splits", [[], [100, 200], [1, 2, 3, 299]])
def test_moments_agree_with_numpy(data, splits):
    x, weights = data
    moments = total(x, weights, splits)
    for g in range(3):
        rows = x[weights[:, g] > 0].astype(np.float64)
        assert moments.weight[g] == len(rows)
        np.testing.assert_allclose(moments.mean[g], rows.mean(0), rtol=2e-6, atol=2e-6)
        spread = rows.std(0, ddof=1)
        # float32 deviations of values around 1000: their spacing there is 6e-5
        np.testing.assert_allclose(
            np.sqrt(accumulate.variance(moments)[g]), spread, rtol=1e-4, atol=1e-4
        )
    error = accumulate.standard_error(moments)[0]
    rows = x[weights[:, 0] > 0]
    np.testing.assert_allclose(error, rows.std(0, ddof=1) / len(rows) ** 0.5, rtol=1e-2)


def test_pooled_groups_are_the_whole(data):
    x, weights = data
    pooled = accumulate.pool_groups(total(x, weights, [50]))
    whole = total(x, np.ones((300, 1), np.float32), [])
    np.testing.assert_allclose(pooled.mean, whole.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(pooled.squares, whole.squares, rtol=1e-3)


def test_padding_has_no_weight(data):
    x, weights = data
    padded = np.concatenate([x, np.full((7, 5), 1e3, np.float32)])
    zeros = np.concatenate([weights, np.zeros((7, 3), np.float32)])
    np.testing.assert_allclose(
        total(padded, zeros, []).mean, total(x, weights, []).mean, rtol=1e-5, atol=1e-5
    )


def test_sums_add_up(data):
    x, weights = data
    sums = total(x, weights, [10, 20], accumulate.batch_sums, accumulate.merge_sums)
    np.testing.assert_allclose(sums.total, weights.T.astype(np.float64) @ x, rtol=1e-5, atol=1e-2)
    assert sums.total.dtype == np.float64


def test_a_group_of_one_has_no_variance():
    moments = accumulate.batch_moments(jnp.ones((1, 2)), jnp.ones((1, 1)))
    assert np.isnan(accumulate.variance(moments)).all()
