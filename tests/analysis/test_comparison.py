"""Two classifiers on made-up outcomes and rankings, and their disagreements on the tiny models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr

from ganfail_jax import runtime
from ganfail_jax.analysis import comparison, outputs, samples
from ganfail_jax.analysis.proportions import wilson
from tests.analysis.made_up import make_ranking, make_samples
from tests.tiny import models


@pytest.fixture(scope="module")
def drawn():
    """60 samples of the tiny generator, as two classifiers see them."""
    first = models()
    other = first._replace(classifier_params=first.classifier_params[:, ::-1])
    pair = (first, other)
    return pair, samples.collect(pair, num_samples=60, batch_size=32, mesh=runtime.data_mesh())


def test_accuracy_of_everything_and_of_every_class():
    right = [[1, 1, 0, 0, 1], [0, 1, 1, 1, 1]]
    made = make_samples(np.zeros((5, 2)), right, target=[0, 0, 0, 1, 1])
    found = comparison.accuracies(made, 3)
    assert found.samples.tolist() == [5, 3, 2, 0]
    np.testing.assert_allclose(found.accuracy[:, :3], [[3 / 5, 2 / 3, 1 / 2], [4 / 5, 2 / 3, 1]])
    assert np.isnan(found.accuracy[:, 3]).all()
    for m in range(2):
        hits = np.rint(found.accuracy[m, :3] * found.samples[:3]).astype(int)
        np.testing.assert_array_equal(found.interval[m, :3], wilson(hits, found.samples[:3]))
    pairs = comparison.compare_samples(made, 0, 1, 3)
    assert [None if p is None else p.table.tolist() for p in pairs] == [
        [[2, 1], [2, 0]],
        [[1, 1], [1, 0]],
        [[1, 0], [1, 0]],
        None,
    ]


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


def test_a_top_larger_than_what_has_an_effect():
    a, b = make_ranking([SCORE_A]), make_ranking([SCORE_B])
    found = comparison.compare_rankings(a, b, 0, 100)
    assert len(found.shared) + len(found.opposite) == found.candidates == 8
    assert found.p == 1


def test_a_classifier_that_nothing_affects():
    a, nothing = make_ranking([SCORE_A]), make_ranking(np.zeros((1, 9)))
    found = comparison.compare_rankings(a, nothing, 0, 4)
    assert np.isnan(found.correlation)
    assert np.isnan(found.signed_correlation)
    silent = comparison.compare_rankings(nothing, nothing, 0, 4)
    assert (silent.candidates, silent.expected, silent.p) == (0, 0, 1)


def test_the_clearest_disagreements_come_first(drawn):
    _, found = drawn
    for right, wrong in ((0, 1), (1, 0)):
        chosen = comparison.disagreements(found, right, wrong, 5)
        lead = found.softmax[right] - found.softmax[wrong]
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
    styles, labels = jax.jit(lambda i: outputs.sample_styles(pair[0], 0, i, 1.0))(indices)
    images = jax.jit(lambda s: outputs.render(pair[0], s))(styles)
    np.testing.assert_allclose(shown.images, images, atol=1e-4)
    np.testing.assert_array_equal(shown.target, labels)
    logits = [each.classifier.logits(each.classifier_params, images) for each in pair]
    for i in range(2):
        truth = outputs.softmax_score(logits[i], labels)
        np.testing.assert_allclose(shown.softmax[:, i], truth, atol=1e-4)
    np.testing.assert_array_equal(shown.predicted, np.argmax(logits[1], axis=1))
    assert (shown.predicted != shown.target).all()


def test_more_images_than_a_chunk_and_none_at_all(drawn):
    pair, found = drawn
    every = comparison._images(pair[0], found.styles, chunk=7)
    whole = comparison._images(pair[0], found.styles, chunk=64)
    np.testing.assert_allclose(every, whole, atol=1e-4)
    agreed = found._replace(right=np.ones_like(found.right))
    nothing = comparison.sheet(pair[0], agreed, 0, 1, 5)
    assert nothing.images.shape == (0, 8, 8, 1)
    assert nothing.softmax.shape == (0, 2)
