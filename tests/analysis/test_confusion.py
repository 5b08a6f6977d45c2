"""Counts by loops, Wilson's intervals by SciPy, areas over all pairs."""

import numpy as np
import pytest
from scipy.stats import binomtest

from ganfail_jax.analysis.confusion import confusion_matrix, pair_auc, shares

RNG = np.random.default_rng(0)
LABELS, CALLED = RNG.integers(0, 3, 60), RNG.integers(0, 3, 60)
NAMES = ("a", "b", "c")


def test_the_matrix_counts():
    found = confusion_matrix(LABELS, CALLED, 3)
    for i, j in np.ndindex(3, 3):
        assert found[i, j] == sum((a, b) == (i, j) for a, b in zip(LABELS, CALLED, strict=True))


def test_shares_and_their_intervals():
    found = shares(confusion_matrix(LABELS, CALLED, 3), NAMES)
    right = LABELS == CALLED
    told = {"accuracy": (found["accuracy"], right)}
    for k, name in enumerate(NAMES):
        told[f"recall {name}"] = found["recall"][name], right[np.equal(LABELS, k)]
        told[f"precision {name}"] = found["precision"][name], right[np.equal(CALLED, k)]
    for name, (share, hits) in told.items():
        interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
        assert share["value"] == hits.mean(), name
        np.testing.assert_allclose(share["interval95"], interval, atol=1e-12)
        assert (share["hits"], share["of"]) == (hits.sum(), len(hits))
    assert found["most_frequent"] == np.bincount(LABELS).max() / 60


def test_a_class_that_is_never_called_has_no_precision():
    found = shares(np.asarray([[3, 0], [2, 0]]), NAMES[:2])
    assert np.isnan(found["precision"]["b"]["value"])
    assert np.isnan(found["precision"]["b"]["interval95"]).all()
    assert found["recall"]["b"]["value"] == 0


def test_the_area_is_the_share_of_pairs_in_order():
    logits = RNG.integers(-2, 3, (60, 3)).astype(float)
    score = logits[:, 2] - logits[:, 0]
    pairs = [(x > y) + (x == y) / 2 for x in score[LABELS == 2] for y in score[LABELS == 0]]
    found = pair_auc(logits, LABELS, 2, 0)
    assert found["value"] == pytest.approx(np.mean(pairs))
    low, high = found["interval95"]
    assert 0 < low < found["value"] < high < 1
    certain = pair_auc(np.eye(3)[LABELS], LABELS, 2, 0)
    assert certain["value"] == 1
    assert np.isnan(certain["interval95"]).all()
