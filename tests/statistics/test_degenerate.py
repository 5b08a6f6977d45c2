"""Numbers that say nothing are told from those that do."""

import numpy as np
import pytest
import scipy

from ganfail_jax.statistics.degenerate import (
    all_zero,
    at_chance,
    no_more_often,
    one_outcome,
    one_prediction,
    vary,
)

TEN = np.full(10, 1_000)


def test_accuracy_at_chance():
    (line,) = at_chance("c", 1_030, TEN)
    assert line == (
        "the accuracy of c is at chance: 10.3% [9.7%, 10.9%] of 10,000 samples, by chance 10.0%"
    )
    assert at_chance("c", 1_070, TEN) == []  # [10.1%, 11.3%]
    (line,) = at_chance("c", 100, TEN)  # the untrained pair
    assert "is below chance: 1.0% [0.8%, 1.2%]" in line
    assert line.endswith("by chance 10.0%; are its classes in the generator's order?")


def test_chance_follows_the_proportions_of_the_classes():
    """A share of 0.9 is nothing where 9 of 10 samples are of one class."""
    classes = np.asarray([900, 100])
    assert at_chance("c", 905, classes)
    assert at_chance("c", 905, classes, np.asarray([1_000, 0]))  # it always says the first
    assert at_chance("c", 780, classes, np.asarray([800, 200])) == []  # 0.74 by chance
    assert at_chance("c", 740, classes, np.asarray([800, 200]))
    assert at_chance("c", 0, np.zeros(3, int)) == []


def test_a_guessing_classifier_is_at_chance_as_often_as_the_interval_says():
    """97.5 % of one-sided intervals hold it; one above chance by 5 standard errors hardly ever."""
    rng, classes = np.random.default_rng(0), np.full(4, 250)
    rates = {p: np.mean([bool(at_chance("c", rng.binomial(1_000, p), classes)) for _ in range(400)])
             for p in (0.25, 0.32)}  # fmt: skip
    assert scipy.stats.binomtest(round(400 * rates[0.25]), 400, 0.975).pvalue > 1e-3
    assert rates[0.32] < 0.01


def test_one_prediction():
    assert one_prediction("c", np.asarray([1, 1, 1]), "ab") == ["c predicts b for all 3 samples"]
    assert one_prediction("c", np.asarray([1, 0, 1]), "ab") == []
    assert one_prediction("c", np.asarray([1]), "ab") == []


@pytest.mark.parametrize(("right", "wrong", "name"), [(5, 0, "fine"), (0, 5, "bad")])
def test_one_outcome(right, wrong, name):
    (line,) = one_outcome(right, wrong, "c", ("fine", "bad"))
    assert line == f"all 5 samples are {name} (c): nothing to compare them with"
    assert one_outcome(2, 3, "c", ("fine", "bad")) == []
    assert one_outcome(0, 0, "c", ("fine", "bad")) == []


def test_what_varies():
    rows = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)
    assert vary(rows)
    same = np.repeat(rows[:1], 6, axis=0)
    assert not vary(same)
    assert not vary(same * (1 + 1e-7 * np.arange(6)[:, None, None]))  # rounding
    assert not vary(np.zeros((4, 2)))
    pairs = np.asarray([0, 1, 2, 0, 1, 2])
    assert not vary(rows[[0, 1, 2, 0, 1, 2]], pairs)  # one image of a class
    assert vary(rows[[0, 1, 2, 0, 1, 3]], pairs)
    assert vary(rows[:1])  # one row could not
    assert vary(rows, np.arange(6))


def test_scores_that_are_all_zero():
    scores = {"all": np.zeros(3), "a": np.asarray([0, 1e-30, 0]), "b": np.zeros(3)}
    assert all_zero(scores, "scores") == ["all scores of all, b are 0: their order means nothing"]
    assert all_zero({"x": np.zeros(2)}, "scores") == ["all scores are 0: their order means nothing"]
    assert all_zero({"a": scores["a"]}, "scores") == []


def test_shares_that_are_no_larger():
    """By Agresti and Caffo's own formula; textbook cases."""
    assert no_more_often(5, 10, 5, 10)
    assert no_more_often(2, 2, 0, 2)  # too few to tell
    assert not no_more_often(9, 10, 1, 10)
    assert no_more_often(1, 10, 9, 10)
    a, n, b, m = 40, 101, 26, 99
    p, q = (a + 1) / (n + 2), (b + 1) / (m + 2)
    low = p - q - 1.959964 * np.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2))
    assert no_more_often(a, n, b, m) == (low <= 0)
