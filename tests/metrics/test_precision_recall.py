"""Judged by an independent implementation's numbers and by points on a line."""

import numpy as np
import pytest
from scipy.stats import binomtest

from ganfail_jax.metrics.precision_recall import (
    _near,
    _share_interval,
    _values,
    manifold,
    precision_recall,
    realism,
    trusted,
)
from ganfail_jax.statistics.intervals import Z95
from tests import goldens

RNG = np.random.default_rng(0)
SHARES = ("precision", "recall", "coverage")


def line(*positions):
    return np.asarray(positions, np.float32)[:, None]


@pytest.fixture(scope="module")
def golden():
    _, arrays = goldens.load("metrics")
    sets = manifold(arrays["real"]), manifold(arrays["fake"])
    return arrays, sets, precision_recall(*sets, features="made up")


@pytest.mark.parametrize("name", [*SHARES, "density"])
def test_golden_numbers(golden, name):
    arrays, _, measured = golden
    expected = float(arrays[f"prdc_k3_{name}"])
    assert getattr(measured, name).value == pytest.approx(expected, rel=1e-6)
    assert getattr(measured, name).title == f"{name} on made up"


def test_golden_realism(golden):
    arrays, (real, fake), measured = golden
    np.testing.assert_allclose(measured.scores, arrays["realism_k3_half"], rtol=1e-5)
    np.testing.assert_array_equal(realism(real, fake.features), measured.scores)
    assert measured.realism.value == pytest.approx(arrays["realism_k3_half"].mean(), rel=1e-5)
    assert "half of the real images" in measured.realism.convention


def test_intervals_have_the_spread_of_fresh_images_of_both_sets():
    """The binomial error of recall is 0.7 of that spread: balls depend on the images around."""
    rng = np.random.default_rng(0)

    def measure():
        real = rng.normal(size=(240, 8)).astype(np.float32)
        generated = (rng.normal(0.3, 0.8, (160, 8))).astype(np.float32)
        return manifold(real), manifold(generated)

    fresh = [_values(_near(*measure()), 3) for _ in range(200)]
    spread, errors = np.std(fresh, axis=0), []
    for _ in range(5):
        measured = precision_recall(*measure(), features="x")
        intervals = [each.interval for each in measured[:5] if each.interval]
        errors.append([(high - low) / 2 / Z95 for low, high in intervals])
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / spread
    assert ratio.min() > 0.75  # errors: 5 % of 200 values, 10 % of 5 estimates
    assert ratio.max() < 1.3
    recall = np.mean(fresh, axis=0)[1]
    assert np.sqrt(recall * (1 - recall) / 240) < 0.8 * spread[1]


def test_a_share_has_at_least_the_binomial_error_and_none_is_not_sure():
    few = binomtest(30, 100).proportion_ci(method="wilson")
    assert _share_interval(0.3, 1e-9, 100, 40) == pytest.approx((few.low, few.high))
    wide = binomtest(15, 50).proportion_ci(method="wilson")
    error = np.sqrt(0.3 * 0.7 / 50)
    assert _share_interval(0.3, error, 100, 40) == pytest.approx((wide.low, wide.high))
    none = binomtest(0, 40).proportion_ci(method="wilson")
    assert _share_interval(0.0, 0.0, 100, 40) == pytest.approx((none.low, none.high))


def test_too_few_images_for_two_parts_have_no_interval():
    measured = precision_recall(
        manifold(line(0, 1, 2), k=1), manifold(line(3, 7), k=1), features=""
    )
    assert all(each.interval is None for each in measured[:5])
    assert "interval" not in str(measured.precision)


def test_half_of_the_modes_found_and_half_of_the_images_off_the_data():
    grid = np.arange(10.0)
    real = manifold(line(*grid, *(100 + grid)), k=1)
    generated = manifold(line(*(grid + 0.25), *(50 + grid)), k=1)
    measured = precision_recall(real, generated, features="a line")
    assert [getattr(measured, name).value for name in SHARES] == [0.5, 0.5, 0.5]
    # Within 1 of x + 1/4: the integers x and x + 1, but for x = 9 only 9.
    assert measured.density.value == pytest.approx((9 * 2 + 1) / 20)


def test_edges_belong_to_the_balls():
    real, generated = manifold(line(0, 1, 2), k=1), manifold(line(3, 7), k=1)
    measured = precision_recall(real, generated, features="a line")
    assert measured.precision.value == 0.5  # 3 is on the edge of 2's ball
    assert measured.coverage.value == pytest.approx(1 / 3)
    assert measured.recall.value == 1  # both balls have radius 4


def test_realism_by_hand_takes_the_smaller_half():
    real = manifold(line(0, 1, 3, 6, 100), k=1)  # radii 1, 1, 2, 3, 94
    np.testing.assert_array_equal(real.radii, [1, 1, 2, 3, 94])
    np.testing.assert_array_equal(trusted(real), [True, True, True, False, False])
    np.testing.assert_allclose(realism(real, line(5, 90, 2)), [1, 2 / 87, 2], rtol=1e-7)


def test_copies_of_real_images_are_infinitely_real_and_not_averaged():
    real = manifold(line(0, 1, 3, 6), k=1)
    measured = precision_recall(real, manifold(line(1, 2, 5), k=1), features="a line")
    assert measured.scores[0] == np.inf
    assert measured.realism.value == pytest.approx((1 + 1 / 4) / 2)  # 0 and 1 have radius 1
    assert "1 generated images equal one of the half" in measured.realism.warnings[0]
    nearly = precision_recall(real, manifold(line(1 + 1e-6, 2, 5), k=1), features="a line")
    assert nearly.scores[0] > 1e5
    assert nearly.realism.value == measured.realism.value  # a copy but for rounding
    only = precision_recall(real, manifold(line(1, 1), k=1), features="a line")
    assert np.isnan(only.realism.value)
    assert only.realism.interval is None


def test_a_set_against_itself_is_perfect():
    both = manifold(RNG.normal(size=(50, 4)).astype(np.float32))
    measured = precision_recall(both, both, features="x")
    assert [getattr(measured, name).value for name in SHARES] == [1, 1, 1]
    assert measured.density.value == pytest.approx(4 / 3)  # a ball holds its centre and 3 more


def test_different_neighbourhoods_do_not_compare():
    features = RNG.normal(size=(9, 2)).astype(np.float32)
    with pytest.raises(ValueError, match="balls of 3 and of 2 neighbours"):
        precision_recall(manifold(features, 3), manifold(features, 2), features="x")
