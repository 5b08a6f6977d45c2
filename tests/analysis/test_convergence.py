"""How rates settle, on made-up counts whose answer is known."""

import numpy as np
import pytest

from ganfail_jax.analysis import rates
from ganfail_jax.analysis.convergence import converge, inspect
from ganfail_jax.analysis.rates import Rates

SIZES = {"a": (2, 2, 5), "b": (4, 4, 3)}


@pytest.fixture(scope="module")
def growing():
    """Rates of the first 50, 100 and 1000 samples."""
    rng = np.random.default_rng(0)
    hits = {name: rng.random((1000, *shape)) < rng.random(shape) for name, shape in SIZES.items()}
    return [Rates({k: v[:n].sum(0) for k, v in hits.items()}, n) for n in (50, 100, 1000)]


def test_shares_are_those_of_the_masks(growing):
    found = converge([inspect(each, 0.3) for each in growing], [20, 48])
    assert list(found.at) == [50, 100, 1000]
    last = rates.low_rate(growing[-1], 0.3)
    for n, each in enumerate(growing):
        low, unsure = rates.low_rate(each, 0.3), rates.uncertain(each, 0.3)
        for i, name in enumerate(SIZES):
            assert found.low[n, i] == low[name].mean()
            assert found.uncertain[n, i] == unsure[name].mean()
            assert found.changed[n, i] == (low[name] != last[name]).mean()
    assert (found.changed[-1] == 0).all()
    assert found.changed[0].max() > 0
    assert (found.uncertain[0] > found.uncertain[-1]).all()


def test_rates_at_the_threshold_never_settle_and_others_do():
    """A neuron of rate 0.3 stays uncertain; those of 0 and 1 are certain from the start."""
    milestones = [
        inspect(Rates({"a": np.asarray([0, 3, 10]).reshape(1, 1, 3) * n}, 10 * n), 0.3)
        for n in (10, 100, 1000)
    ]
    found = converge(milestones, [3])
    np.testing.assert_allclose(found.low, 2 / 3)
    np.testing.assert_allclose(found.uncertain, 1 / 3)
    assert (found.changed == 0).all()
