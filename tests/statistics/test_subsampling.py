"""Errors of means, whose closed form is known."""

import numpy as np
import pytest

from ganfail_jax.statistics.subsampling import standard_errors


def test_the_error_of_a_difference_of_means_is_its_closed_form():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, 400), rng.normal(0, 3, 1203)

    def difference(a, b):
        return np.array([x[a].mean() - y[b].mean()])

    errors = [standard_errors(difference, [400, 1203], seed=s) for s in range(20)]
    assert all(each is not None for each in errors)
    expected = np.sqrt(x.var(ddof=1) / 400 + y.var(ddof=1) / 1203)
    found = np.sqrt(np.mean(np.square(np.asarray(errors, float))))
    assert found == pytest.approx(expected, rel=0.1)  # 24 x 20 values


def test_parts_are_disjoint_and_of_one_size():
    seen = []

    def measure(rows):
        seen.append(rows)
        return rows.mean(keepdims=True)

    assert standard_errors(measure, [14], least=4) is not None
    assert {len(rows) for rows in seen} == {4}
    assert all(len({*np.concatenate(seen[i : i + 3])}) == 12 for i in range(0, len(seen), 3))


def test_too_few_samples_have_no_error():
    assert standard_errors(lambda rows: rows, [100, 7], least=4) is None
