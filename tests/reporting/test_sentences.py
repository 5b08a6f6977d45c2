"""Sentences are true of the numbers, also at the boundary where a difference may be none."""

import math

import numpy as np
import pytest
import scipy

from ganfail_jax.reporting import sentences
from tests.reporting import summaries


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.1, 0.2), 1),
        ((-0.2, -0.1), -1),
        ((-0.1, 0.2), 0),
        ((0.0, 0.2), 0),
        ((-0.2, 0.0), 0),
        ((None, 0.2), 0),
        ((math.nan, 0.2), 0),
        (None, 0),
    ],
)
def test_a_sign_needs_an_interval_without_0(interval, expected):
    assert sentences.sign(interval) == expected


MODES = [
    (-0.2, -0.3, -0.1, "falls by 0.200 [0.100, 0.300], and 25.0 % ["),
    (0.2, 0.1, 0.3, "rises by 0.200 [0.100, 0.300], and"),
    (-0.2, -0.4, 0.0, "no effect on the confidence in the right class is shown, -0.200 [-0.400, +"),
    (0.0, -0.1, 0.1, "no effect"),
]


@pytest.mark.parametrize(("value", "low", "high", "says"), MODES)
def test_a_failure_mode_says_which_way_confidence_goes(value, low, high, says):
    line = sentences.failure_mode(summaries.mode(value, low, high), 400)
    assert line.startswith("noisier by 1.00 sd (1 dimension): ")
    assert says in line
    assert ("falls" in line, "rises" in line) == (high < 0, low > 0)


def test_failure_modes_come_by_their_loss_and_the_rest_is_counted():
    modes = [summaries.mode(-x, -x - 0.01, -x + 0.01) for x in (0.1, 0.4, 0.2, 0.3)]
    lines = sentences.failure_modes(summaries.describe(*modes))
    assert [line.split(" falls by ")[-1][:5] for line in lines[:3]] == ["0.400", "0.300", "0.200"]
    assert [line[:9] for line in lines[:3]] == ["Change 2,", "Change 4,", "Change 3,"]
    assert lines[3] == "Changes that do less harm: 1, see below."
    assert len(sentences.failure_modes(summaries.describe(*modes[:3]))) == 3


def test_what_sets_failures_apart_is_claimed_only_where_it_is_named():
    assert "not shown to differ" in sentences.contrast(summaries.describe())
    line = sentences.contrast(summaries.describe(words="thinner by 0.70 sd"))
    assert ": thinner by 0.70 sd (10 against 90 images)." in line


def test_classes_are_named_by_the_corrected_test_alone():
    rest = {name: (20, 1000) for name in "bcd"}
    clear = sentences.classes(summaries.reliability({"a": (60, 1000), **rest}))
    assert clear[0].startswith("It fails more often on class a (6.0 % [")
    # p = 0.021 alone, 0.084 for four classes
    table = [[33, 967], [60, 2940]]
    p = scipy.stats.fisher_exact(table).pvalue  # pyright: ignore
    assert p < 0.05 < 4 * p
    chance = sentences.classes(summaries.reliability({"a": (33, 1000), **rest}))
    assert chance[0].startswith(
        "On no class does it fail significantly more often than on the others; the"
    )
    fewer = sentences.classes(summaries.reliability({"a": (0, 1000), **rest}))
    assert fewer[-1].startswith("Less often on class a (0.0 % [")


def test_classes_of_a_generator_without_any_are_not_judged():
    (line,) = sentences.classes(summaries.reliability({"a": (5, 10), "b": (0, 10)}, known=False))
    assert "cannot be counted" in line


def test_many_classes_are_not_all_listed():
    classes = {str(i): (90, 100) for i in range(9)} | {str(i): (0, 100) for i in range(9, 100)}
    first, less = sentences.classes(summaries.reliability(classes))
    assert first.endswith("and 4 more than on the others.")
    assert less.endswith("and 86 more.")
    assert first.count("%") == less.count("%") == 5 * 3


PUSHES = [(0.8, "more than random ones do"), (0.94, "not shown"), (0.99, "ranking misleads")]


@pytest.mark.parametrize(("top", "says"), PUSHES)
def test_the_push_test_is_against_random_dimensions(top, says):
    assert says in sentences.push(summaries.rank(top=top))


def test_the_push_test_at_its_boundary():
    half = math.hypot(0.01, 0.01)
    assert "not shown" in sentences.push(summaries.rank(top=0.94 - 0.99 * half))
    assert "more than random" in sentences.push(summaries.rank(top=0.94 - 1.01 * half))


STABLE = [(0.8, "is stable"), (0.79, "is fair"), (0.5, "is fair"), (0.49, "is unstable")]


@pytest.mark.parametrize(("overlap", "says"), [*STABLE, (None, "is not known")])
def test_stability_is_a_word_for_the_overlap(overlap, says):
    assert says in sentences.stability(summaries.rank(overlap))


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.1, 0.2, "Failures lie along"),
        (-0.2, -0.1, "Failures lie less along"),
        (-0.1, 0.2, "It is not shown"),
    ],
)
def test_separation_is_claimed_where_the_difference_excludes_0(low, high, says):
    assert sentences.separation(summaries.separation(low, high)).startswith(says)


def accuracy(slope, low, high):
    curve = {"slope": slope, "slope_interval95": [low, high]}
    return {"comparisons": {"own": {"curves": {"c": curve}}}}


@pytest.mark.parametrize(
    ("slope", "low", "high", "says"),
    [
        (-0.013, -0.016, -0.01, "Accuracy falls by 1.30 [1.00, 1.60] percentage points"),
        (0.013, 0.01, 0.016, "Accuracy rises by 1.30 [1.00, 1.60] percentage points"),
        (-0.013, -0.03, 0.001, "It is not shown"),
        (None, None, None, "It is not shown"),
    ],
)
def test_accuracy_falls_only_where_it_does(slope, low, high, says):
    assert sentences.distance(accuracy(slope, low, high), "c").startswith(says)


def test_curves_that_are_too_sparse_say_nothing():
    assert sentences.distance({"comparisons": {"own": {"curves": {}}}}, "c").endswith("images.")


def test_corner_cases_are_ordinary_within_the_chi_quantile():
    edge = float(np.sqrt(scipy.stats.chi2.ppf(0.95, 10)))
    found = summaries.corner_cases({"a": edge - 0.01, "b": edge + 0.01, "c": None})
    first, missing = sentences.corner_cases(found)
    assert "measures 4.3 (class a) to 4.3 (class b)" in first
    assert "For 1 of 3 classes that is within 4.3" in first
    assert missing == "For class c no change within 20 standard deviations does it."
    (left_out,) = sentences.corner_cases(summaries.corner_cases({}, classes_without_a_start=["d"]))
    assert left_out.startswith("Class d is left out")


def test_failures_are_the_generators_only_beyond_chance():
    def says(generated, real):
        classes = {"a": (generated, 1000), "b": (generated, 1000)}
        return sentences.real_errors(
            summaries.reliability(classes, real=summaries.share(real, 2000))
        )

    assert says(100, 100).startswith("Generated images fail more often than real ones")
    assert "About 50 % [" in says(100, 100)
    assert says(100, 190).startswith(
        "Real and generated images are not shown to fail unequally often"
    )
    assert says(100, 300).startswith("Real images fail more often")
    assert "About 100 % of the failures" in says(100, 0)
    assert "No labelled real images" in sentences.real_errors(summaries.reliability({"a": (1, 9)}))


def test_the_share_of_the_generator_has_katz_interval():
    made, real = summaries.share(200, 2000), summaries.share(100, 2000)
    share, (low, high) = sentences._unexplained(made, real)
    reference = scipy.stats.contingency.relative_risk(100, 2000, 200, 2000)
    ends = reference.confidence_interval(0.95)
    assert share == pytest.approx(1 - reference.relative_risk)
    assert (low, high) == pytest.approx((1 - ends.high, 1 - ends.low))


def test_a_second_classifier_is_quoted_or_missed():
    other = {
        "sees_the_class": summaries.share(90, 100),
        "failures_as_the_class": summaries.share(3, 10),
        "failures_as_the_first_does": summaries.share(4, 10),
    }
    classes = {"a": (10, 100)}
    (line,) = sentences.second_opinion(summaries.reliability(classes, others={"d": other}))
    assert "sees the class asked for in 90.0 %" in line
    assert "repeats 40.0 %" in line
    (none,) = sentences.second_opinion(summaries.reliability(classes))
    assert "No second classifier" in none
    assert not sentences.second_opinion(summaries.reliability(classes, known=False))


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [
        (0.01, 0.03, "c is more often right than d: c minus d +2.0 points [+1.0, +3.0]"),
        (-0.03, -0.01, "d is more often right than c: c minus d -2.0 points [-3.0, -1.0]"),
        (-0.01, 0.05, "c and d are not shown to differ: +2.0 points [-1.0, +5.0]"),
    ],
)
def test_classifiers_differ_where_the_interval_excludes_0(low, high, says):
    pair = {"a": "c", "b": "d", "rankings": {"all": {"shared": ["x"]}}}
    pair["samples"] = {"all": {"difference": (low + high) / 2, "interval95": [low, high]}}
    (line,) = sentences.compared({"outcome": "right", "samples": 100, "pairs": [pair]})
    assert line.startswith(says)
