"""The streaming quantile against the exact one, within the error that it states."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.analysis import quantiles
from ganfail_jax.errors import InputError
from ganfail_jax.latents import activations
from tests import tiny

RNG = np.random.default_rng(0)
SAMPLES, SIZE = 30, 12
UNITS = {
    "normal": lambda shape: RNG.normal(size=shape),
    "leaky": lambda shape: np.maximum(0.2 * (x := 30 * RNG.normal(size=shape)), x),
    "heavy": lambda shape: RNG.standard_cauchy(size=shape),
    "negative": lambda shape: -np.exp(RNG.normal(size=shape)) - 0.1,
    "faint": lambda shape: 1e-3 * RNG.normal(size=shape),
    "fainter": lambda shape: 1e-6 * RNG.normal(size=shape),
    "dead": np.zeros,
    "rare": lambda shape: np.where(RNG.random(size=shape) < 0.004, 3.0, 0.0),
}


@pytest.fixture(scope="module")
def made():
    """Activations [n h w c] of made-up units, and their histograms by batches with padding."""
    x = np.stack([draw((SAMPLES, SIZE, SIZE)) for draw in UNITS.values()], axis=3)
    x = x.astype(np.float32)
    run, counts = jax.jit(quantiles.histogram), 0
    for start in range(0, SAMPLES, 20):
        batch = np.full((20, SIZE, SIZE, len(UNITS)), 99, np.float32)
        batch[: len(own)] = (own := x[start : start + 20])
        counts = counts + np.asarray(run(batch, np.arange(20) < len(own)))
    return x, counts


def test_every_number_lies_in_its_bin():
    x = np.concatenate([RNG.normal(size=4000) * 10.0 ** RNG.uniform(-42, 38, 4000), [0, np.inf]])
    x = np.concatenate([x, -x, 2.0 ** np.arange(-14, 14), -(2.0 ** np.arange(-14, 14))])
    x = x.astype(np.float32)
    found = np.asarray(quantiles.bins(jnp.asarray(x)))
    smallest, largest = quantiles._edges()
    assert len(smallest) == len(largest) == quantiles.BINS
    assert ((smallest[found] <= x) & (x <= largest[found])).all()
    np.testing.assert_array_equal(np.nextafter(largest[:-1], np.float32(np.inf)), smallest[1:])


def test_bins_are_as_narrow_as_is_said():
    smallest, largest = (x[1:-1].astype(np.float64) for x in quantiles._edges())
    width, far = largest - smallest, np.abs(largest) >= 2.0**-12
    assert (width[far] <= 2.0**-7 * np.abs(largest[far])).all()
    assert (width[~far] <= 2.0**-11).all()
    assert -smallest[0] >= 4095.9 <= largest[-1]


@pytest.mark.parametrize("tau", [0.005, 0.0, 0.3])
def test_it_is_within_its_error_of_the_exact_quantile(made, tau):
    x, counts = made
    found = quantiles.thresholds(counts, tau)
    for u, name in enumerate(UNITS):
        values = np.sort(x[..., u].ravel().astype(np.float64))
        exact = values[len(values) - 1 - int(tau * len(values))]  # P(A > exact) <= tau < P(A >= it)
        value = float(found.value[u])
        if name != "heavy" or tau > 0:  # whose largest lies in the outermost bin
            assert value - found.error[u] <= exact <= value, name
            assert found.error[u] <= max(2.0**-7 * abs(value), 2.0**-11)
        assert found.share[u] == (values > value).mean() <= tau


def test_values_beyond_the_bins_have_no_finite_error():
    counts = np.zeros((1, quantiles.BINS), np.int64)
    counts[0, int(quantiles.bins(jnp.asarray(1e9)))] = 1
    assert quantiles.thresholds(counts).error == np.inf


def test_counts_do_not_depend_on_batches():
    models, layer = tiny.models(), "b0008/conv0"
    arguments = models.generator, models.generator_params, [layer]
    mesh = runtime.data_mesh()
    one, other = (
        quantiles.count_activations(*arguments, 37, runtime.Sweep(size, mesh), seed=3)
        for size in (16, 100)
    )
    np.testing.assert_array_equal(one[layer], other[layer])
    assert one[layer].shape == (4, quantiles.BINS)  # however many samples there are
    assert one[layer].dtype == np.int64
    np.testing.assert_array_equal(one[layer].sum(axis=1), 37 * 8 * 8)
    run = jax.jit(lambda params, indices: activations(models.generator, params, 3, indices)[layer])
    taps = np.asarray(run(models.generator_params, jnp.arange(37)))
    exact = np.quantile(taps, 0.9, axis=(0, 1, 2), method="inverted_cdf")
    found = quantiles.thresholds(one[layer], 0.1)
    assert (np.abs(exact - found.value) <= found.error + 1e-5).all()


@pytest.mark.parametrize("tau", [-0.1, 1.0])
def test_a_share_that_is_none(made, tau):
    with pytest.raises(InputError, match=rf"^tau .*less than 1, not {re.escape(str(tau))}$"):
        quantiles.thresholds(made[1], tau)
