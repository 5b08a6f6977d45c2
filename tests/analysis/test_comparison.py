"""Two classifiers on made-up outcomes and rankings, and their disagreements on the tiny models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from ganfail_jax import runtime
from ganfail_jax.analysis import comparison, outputs, samples
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.proportions import wilson
from tests.analysis.made_up import make_ranking, make_samples
from tests.analysis.test_crossing import balanced
from tests.tiny import models


@pytest.fixture(scope="module")
def drawn():
    """60 samples of the tiny generator, as two classifiers see them."""
    first = models()
    other = first._replace(classifier_params=first.classifier_params[:, ::-1])
    pair = (first, other)
    return pair, samples.collect(pair, 60, Sweep(32, runtime.data_mesh()))


def test_shares_of_everything_and_of_every_class():
    right = [[1, 1, 0, 0, 1], [0, 1, 1, 1, 1]]
    made = make_samples(np.zeros((5, 2)), right, target=[0, 0, 0, 1, 1])
    found = comparison.shares(made, 4)
    assert found.samples.tolist() == [5, 3, 2, 0]
    np.testing.assert_allclose(found.share[:, :3], [[3 / 5, 2 / 3, 1 / 2], [4 / 5, 2 / 3, 1]])
    assert np.isnan(found.share[:, 3]).all()
    for m in range(2):
        hits = np.rint(found.share[m, :3] * found.samples[:3]).astype(int)
        np.testing.assert_array_equal(found.interval[m, :3], wilson(hits, found.samples[:3]))
    summary = found.summary(["one", "another"], ["all", "a", "b", "c"])
    assert summary["another"]["a"]["share"] == pytest.approx(2 / 3)
    assert summary["one"]["b"]["samples"] == 2
    pairs = comparison.compare_samples(made, 0, 1, 4)
    assert [None if p is None else p.table.tolist() for p in pairs] == [
        [[2, 1], [2, 0]],
        [[1, 1], [1, 0]],
        [[1, 0], [1, 0]],
        None,
    ]


@pytest.mark.parametrize("num_classes", [3, 0])
def test_swapping_the_classifiers_negates_their_difference(num_classes):
    own = balanced(num_classes)
    head = own.classifier.head
    less_sure = own.classifier._replace(head=lambda *x: 0.5 * head(*x)[:, jnp.array([1, 2, 0])])
    other = own._replace(classifier=less_sure)
    sweep = Sweep(30, runtime.data_mesh())
    ranking = make_ranking(np.ones((1, 4)))
    one_way, other_way = (
        comparison.pair_summaries(
            samples.collect(pair, 60, sweep), [ranking, ranking], ["a", "b"], 1, 2
        )[0]["samples"]["all"]
        for pair in ((own, other), (other, own))
    )
    assert one_way["difference"] != 0
    assert one_way["difference"] == -other_way["difference"]
    np.testing.assert_allclose(one_way["interval95"], -np.asarray(other_way["interval95"])[::-1])
    assert (one_way["only_a"], one_way["only_b"]) == (other_way["only_b"], other_way["only_a"])


def test_pairs_are_compared_in_the_groups_that_they_have():
    made = make_samples(np.zeros((4, 2)), [[1, 1, 0, 0]] * 3, target=[0, 0, 0, 1])
    ranking = make_ranking(np.eye(3, 4))
    unseen = ranking._replace(num_samples=np.asarray([10, 10, 0]))
    pairs = comparison.pair_summaries(made, [ranking, ranking, unseen], ["x", "y", "z"], 2, 2)
    assert [(pair["a"], pair["b"]) for pair in pairs] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert [list(pair["samples"]) for pair in pairs] == [["all", "a"]] * 3
    assert [list(pair["rankings"]) for pair in pairs] == [["all", "a", "b"], *[["all", "a"]] * 2]


# of a: dimensions 0, 1, 2, 3 are the top; of b: 1 and 2 (opposite), 4 and 5
SCORE_A = [9.0, -8, 7, 6, 0.5, -0.4, 0.3, 0.0, 0.2]
SCORE_B = [0.1, -9, -8, 0.2, 7, -6, 0.3, 0.0, 0.2]


def test_shared_and_private_dimensions():
    a, b = make_ranking([SCORE_A]), make_ranking([SCORE_B])
    found = comparison.compare_rankings(a, b, 0, 4)
    assert found.shared.tolist() == [1]
    assert found.opposite.tolist() == [2]
    assert found.only_a.tolist() == [0, 3]
    assert found.only_b.tolist() == [4, 5]
    assert found.correlation == pytest.approx(spearmanr(np.abs(SCORE_A), np.abs(SCORE_B))[0])
    assert found.signed_correlation == pytest.approx(spearmanr(SCORE_A, SCORE_B)[0])
    summary = found.summary(a.names)
    assert summary["only_a"] == ["layer[0]", "layer[3]"]
    assert (summary["in_both"], summary["in_both_p"]) == (2, found.p)


def test_the_overlap_by_chance_counts_dimensions_with_an_effect():
    a, b = make_ranking([SCORE_A]), make_ranking([SCORE_B])
    found = comparison.compare_rankings(a, b, 0, 4)
    assert found.candidates == 8  # dimension 7 has no effect on either
    rng = np.random.default_rng(0)
    overlaps = np.asarray([np.sum(rng.permutation(8)[:4] < 4) for _ in range(20_000)])
    assert found.expected == pytest.approx(overlaps.mean(), abs=0.03)
    assert found.p == pytest.approx((overlaps >= 2).mean(), abs=0.015)
    same = comparison.compare_rankings(a, a, 0, 4)
    assert same.p == pytest.approx(1 / 70)  # one of the 8 choose 4 tops
    assert same.shared.tolist() == [0, 1, 2, 3]
    assert not same.opposite.size + same.only_a.size + same.only_b.size


@pytest.mark.parametrize("up", [0.5, 0.9])
def test_the_same_direction_by_chance(up):
    """Of two rankings of 60 dimensions with unrelated magnitudes and directions, up in a share."""
    rng, s, top = np.random.default_rng(0), 60, 12
    scores = np.abs(rng.normal(size=(2, 2_000, s))) * np.where(
        rng.random((2, 2_000, s)) < up, 1, -1
    )
    tops = np.argsort(-np.abs(scores), axis=2)[..., :top]
    member = np.zeros(scores.shape, bool)
    np.put_along_axis(member, tops, True, axis=2)
    same = np.sum(member.all(axis=0) & (scores[0] * scores[1] > 0), axis=1)
    rankings = [[make_ranking([row]) for row in each[:300]] for each in scores]
    pairs = zip(*rankings, strict=True)
    found = [comparison.compare_rankings(a, b, 0, top) for a, b in pairs]
    assert [len(each.shared) for each in found] == same[:300].tolist()
    expected = np.mean([each.expected_shared for each in found])
    assert expected == pytest.approx(same.mean(), abs=4 * same.std() / 2_000**0.5)
    p = np.asarray([each.p_shared for each in found])
    for reached in (1, 2, 3):
        tail = p[same[:300] == reached].mean()
        assert tail == pytest.approx((same >= reached).mean(), abs=0.05)


def test_a_top_larger_than_what_has_an_effect():
    a, b = make_ranking([SCORE_A]), make_ranking([SCORE_B])
    found = comparison.compare_rankings(a, b, 0, 100)
    assert len(found.shared) + len(found.opposite) == found.candidates == 8
    assert found.p == 1
    assert 0 < found.p_shared < 1


def test_a_classifier_that_nothing_affects():
    a, nothing = make_ranking([SCORE_A]), make_ranking(np.zeros((1, 9)))
    found = comparison.compare_rankings(a, nothing, 0, 4)
    assert np.isnan(found.correlation)
    assert np.isnan(found.signed_correlation)
    silent = comparison.compare_rankings(nothing, nothing, 0, 4)
    assert (silent.candidates, silent.expected, silent.p) == (0, 0, 1)
    assert (silent.expected_shared, silent.p_shared) == (0, 1)


def test_the_clearest_disagreements_come_first(drawn):
    _, found = drawn
    for right, wrong in ((0, 1), (1, 0)):
        chosen = comparison.disagreements(found, right, wrong, 5)
        own = np.take_along_axis(found.softmax, found.target[None, :, None], 2)[..., 0]
        lead = own[right] - own[wrong]
        differ = found.right[right] & ~found.right[wrong]
        assert differ.sum() > 5
        assert differ[chosen].all()
        np.testing.assert_array_equal(lead[chosen], np.sort(lead[differ])[::-1][:5])
    everything = comparison.disagreements(found, 0, 1, 1000)
    assert len(everything) == (found.right[0] & ~found.right[1]).sum()


def test_a_sheet_shows_the_samples_that_it_names(drawn):
    pair, found = drawn
    chosen = comparison.disagreements(found, 0, 1, 5)
    shown = comparison.sheet(pair[0], found, 0, 1, 5)
    indices = jnp.asarray(found.indices[chosen])
    styles, labels, _ = jax.jit(lambda i: outputs.sample_styles(pair[0], 0, i, 1.0))(indices)
    images = jax.jit(lambda s: outputs.render(pair[0], s))(styles)
    np.testing.assert_allclose(shown.images, images, atol=1e-4)
    np.testing.assert_array_equal(shown.predicted[:, 0], labels)
    logits = [each.classifier.logits(each.classifier_params, images) for each in pair]
    for i in range(2):
        truth = outputs.softmax_score(logits[i], labels)
        np.testing.assert_allclose(shown.softmax[:, i], truth, atol=1e-4)
        np.testing.assert_array_equal(shown.predicted[:, i], np.argmax(logits[i], axis=1))
    assert (shown.predicted[:, 0] != shown.predicted[:, 1]).all()


def test_classifiers_that_agree_have_an_empty_sheet(drawn):
    pair, found = drawn
    agreed = found._replace(right=np.ones_like(found.right))
    nothing = comparison.sheet(pair[0], agreed, 0, 1, 5)
    assert nothing.images.shape == (0, 8, 8, 1)
    assert nothing.softmax.shape == (0, 2)
