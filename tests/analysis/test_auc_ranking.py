"""A ranking by AUC against scikit-learn's, and on samples whose failures are known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ganfail_jax import runtime
from ganfail_jax.analysis import auc_ranking, samples
from ganfail_jax.analysis.ranking import describe_score
from ganfail_jax.errors import InputError
from ganfail_jax.runtime import Sweep
from tests import tiny

SWEEP = Sweep(60, runtime.data_mesh())
N = 240


@pytest.fixture(scope="module")
def ranked():
    return auc_ranking.rank_by_auc(tiny.models(), N, SWEEP, seed=2, replicates=20, top=5)


@pytest.fixture(scope="module")
def drawn():
    return samples.collect([tiny.models()], N, SWEEP, seed=2)


def test_scores_are_scikit_learns(ranked, drawn):
    """Over all, pairs of the same class: AUCs of the classes, weighted by their pairs."""
    aucs, pairs = [], []
    for g in range(1, len(ranked.groups)):
        here = drawn.in_group(g)
        right = drawn.right[0, here]
        assert 2 <= right.sum() <= len(right) - 2
        aucs.append([roc_auc_score(right, column) for column in drawn.styles[here].T])
        pairs.append(right.sum() * (~right).sum())
        np.testing.assert_allclose(ranked.score[g], np.asarray(aucs[-1]) - 0.5, atol=1e-12)
    expected = np.average(aucs, axis=0, weights=pairs) - 0.5
    np.testing.assert_allclose(ranked.score[0], expected, atol=1e-12)


def test_the_rest_of_the_ranking(ranked, drawn):
    np.testing.assert_array_equal(
        ranked.order[0], np.argsort(-np.abs(ranked.score[0]), kind="stable")
    )
    assert ranked.num_samples.tolist() == [N, N // 3, N // 3, N // 3]
    assert ranked.accuracy[0] == pytest.approx(drawn.right[0].mean())
    np.testing.assert_allclose(ranked.style_std, drawn.styles.std(axis=0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(ranked.style_mean[0], drawn.styles.mean(axis=0), atol=1e-5)
    assert 0.5 < ranked.stability[0] < 1
    assert (ranked.standard_error > 0).all()
    assert ranked.top_share[0].sum() == pytest.approx(5)
    assert "AUC" in describe_score("auc", "none")


def test_a_dimension_that_fails_below_a_value_is_first(monkeypatch, drawn):
    """About half of those below the median of their class fail."""
    medians = [np.median(drawn.styles[drawn.target == k, 7]) for k in range(3)]
    low = drawn.styles[:, 7] < np.take(medians, drawn.target)
    right = ~(low & (np.arange(N) % 2 == 0))
    made = drawn._replace(right=right[None])
    monkeypatch.setattr(auc_ranking, "collect", lambda *args, **kwargs: made)
    ranked = auc_ranking.rank_by_auc(tiny.models(), N, SWEEP)
    assert ranked.order[0, 0] == 7
    assert ranked.direction[0, 7] == -1
    assert ranked.score[0, 7] == pytest.approx(1 / 3, abs=0.05)  # 2/3 of the right are above


def test_without_failures_there_is_nothing_to_rank(monkeypatch, drawn):
    right = np.ones((1, N), bool)
    made = drawn._replace(right=right)
    monkeypatch.setattr(auc_ranking, "collect", lambda *args, **kwargs: made)
    with pytest.raises(InputError, match="nothing to rank by: 240 well classified and 0 misclass"):
        auc_ranking.rank_by_auc(tiny.models(), N, SWEEP)
    right[0, [0, 3, 6]] = False  # three of the first class: the others have no scores
    ranked = auc_ranking.rank_by_auc(tiny.models(), N, SWEEP)
    assert np.isfinite(ranked.score).all()
    assert (ranked.score[0] == ranked.score[1]).all()
    assert not ranked.score[2:].any()
    assert np.isnan(ranked.standard_error[2:]).all()
