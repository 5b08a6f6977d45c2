"""A mean over draws covers what it should, and says that it is one."""

import numpy as np
import pytest

from ganfail_jax.metrics.measurement import Measurement, over_draws


def measured(value, reach=0.1):
    interval = (value - reach, value + reach)
    return Measurement("FID", "x", value, {"real": 9}, "N", interval, "over both sets")


def test_the_interval_has_the_sampling_error_and_that_of_the_draws():
    both = over_draws([measured(1.0), measured(2.0)])
    assert both.value == 1.5
    assert both.spread == pytest.approx(np.sqrt(0.5))
    reach = np.hypot(0.1, 12.706204736 * 0.5)  # Student's quantile of one degree of freedom
    assert both.interval == pytest.approx((1.5 - reach, 1.5 + reach))
    assert str(both).endswith("over both sets; and over 2 random draws)")
    assert " ± 0.71 (" in str(both)


def test_one_draw_is_as_it_was():
    assert over_draws([measured(1.0)]) == measured(1.0)
    assert measured(1.0).spread is None


def test_few_draws_are_covered_at_their_rate():
    """With one draw standing for all, 0.22 of the intervals cover the mean."""
    rng, covered = np.random.default_rng(0), []
    for _ in range(600):
        error = rng.normal(0, 0.1)  # of the samples, which the draws share
        drawn = over_draws([measured(1 + error + x, 0.196) for x in rng.normal(0, 0.7, 5)])
        low, high = drawn.interval or (1.0, 1.0)
        covered.append(low < 1 < high)
    assert 0.923 < np.mean(covered) < 0.98  # 0.95 - 3 errors of 600 repeats
