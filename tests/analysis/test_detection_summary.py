"""What is told of scores: by layer, at both ends, by class, and of two kinds of samples."""

import numpy as np
import pytest

from ganfail_jax.analysis import detection_summary
from ganfail_jax.analysis.detection import Detected
from ganfail_jax.analysis.rates import Rates

FOUND = Detected(("a", "b", "c"), np.asarray([[1, 10, 0], [3, 20, 0], [2, 60, 0], [0, 30, 0]]))


def test_what_each_layer_adds():
    counts = {
        "a": np.asarray([[[0, 5, 9]]]),
        "b": np.asarray([[[3, 3, 1]]]),
        "c": np.asarray([[[0, 0, 10]]]),
    }
    table = detection_summary.layer_table(FOUND, Rates(counts, 10), 0.3)
    assert table["a"] == {
        "neurons": 3,
        "low_rate": 1,
        "low_rate_without_never": 0,
        "low_rate_activated_per_image": 1.5,
        "by_the_rates": 0,
        "share_of_sum": 1.5 / 31.5,
    }
    assert table["b"]["by_the_rates"] == 0.7
    assert [layer["low_rate"] for layer in table.values()] == [1, 3, 2]
    alive = detection_summary.layer_table(FOUND, Rates(counts, 10), 0.5, dead=False)
    assert [layer["by_the_rates"] for layer in alive.values()] == [0.5, 0.7, 0]


def test_where_top_and_bottom_begin():
    summary = detection_summary.score_summary(np.arange(101), 20)
    assert (summary["mean"], summary["top_from"], summary["bottom_to"]) == (50, 81, 19)
    assert summary["quantiles"] == {"0.01": 1, "0.25": 25, "0.5": 50, "0.75": 75, "0.99": 99}
    assert summary["standard_deviation"] == pytest.approx(np.sqrt(850))


def test_the_two_scores_are_compared():
    found = Detected(("a", "b"), np.asarray([[1, 10], [4, 20], [2, 60], [0, 30]]))
    assert np.argsort(found.score).tolist() == [0, 1, 3, 2]
    assert np.argsort(found.balanced_score).tolist() == [0, 3, 1, 2]
    assert detection_summary.agreement(found, 2) == {
        "rank_correlation": pytest.approx(1 - 6 * 2 / (4 * 15)),  # Spearman's formula
        "top_in_common": 0.5,
        "bottom_in_common": 0.5,
    }


def test_classes_at_the_ends():
    score, classes = np.asarray([1.0, 2, 3, 4, 5, 6]), np.asarray([0, 0, 1, 0, 1, 1])
    assert detection_summary.class_table(score, classes, 2) == [
        {"class": 0, "mean": pytest.approx(7 / 3), "share_of_top": 0, "share_of_bottom": 1},
        {"class": 1, "mean": pytest.approx(14 / 3), "share_of_top": 1, "share_of_bottom": 0},
    ]


def pairs_in_order(score, positive, same):
    """The area under the ROC curve by looking at every pair."""
    wins, pairs = 0.0, 0
    for i in np.flatnonzero(positive):
        for j in np.flatnonzero(~positive):
            if same(i, j):
                wins += (score[i] > score[j]) + 0.5 * (score[i] == score[j])
                pairs += 1
    return wins / pairs


def test_what_a_score_tells_is_the_share_of_pairs_in_order():
    """Here the score tells classes, and the classes tell what is positive, but nothing else."""
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 2, 300)
    positive = rng.random(300) < np.where(classes == 1, 0.8, 0.2)
    score = rng.integers(0, 30, 300) + 20 * classes
    told = detection_summary.tell({"sum": score, "minus": -score}, positive, classes)
    assert (told["positive"], told["negative"]) == (positive.sum(), (~positive).sum())
    everywhere, within = told["auc"]["sum"], told["auc_within_classes"]["sum"]
    assert everywhere["value"] == pytest.approx(pairs_in_order(score, positive, lambda i, j: True))
    by_class = pairs_in_order(score, positive, lambda i, j: classes[i] == classes[j])
    assert within["value"] == pytest.approx(by_class)
    assert everywhere["interval95"][0] > 0.6
    assert within["interval95"][0] < 0.5 < within["interval95"][1]
    assert told["auc"]["minus"]["value"] == pytest.approx(1 - everywhere["value"])
    assert "auc_within_classes" not in detection_summary.tell({"sum": score}, positive, None)


def test_one_kind_alone_tells_nothing():
    told = detection_summary.tell({"sum": np.arange(4)}, np.zeros(4, bool), None)
    assert np.isnan(told["auc"]["sum"]["value"])


def test_an_area_is_a_number_with_its_interval_or_says_why_not():
    format_area = detection_summary.format_area
    assert format_area({"value": 0.7, "interval95": [0.65, 0.75]}) == "0.700 [0.650, 0.750]"
    assert format_area({"value": None}) == "none: two samples of each kind are needed"
