"""Separation along dimensions where the truth is known."""

import functools

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm
from sklearn.metrics import roc_auc_score

from ganfail_jax.analysis import separation
from ganfail_jax.analysis.samples import Samples
from tests.analysis.test_ranking import run

TOP, SIZE = 3, 40


ranked = functools.cache(run)


def toy_ranking(classes=2):
    """Dimensions 0, 1, 2 are the top, in every group; they degrade up, down, up."""
    score = np.full((1 + classes, SIZE), 0.01)
    score[:, :TOP] = [-3, 2, -1]
    order = np.tile(np.arange(SIZE), (1 + classes, 1))
    return ranked()._replace(
        groups=("all", *(f"class {c}" for c in range(classes))),
        names=tuple(f"s{d}" for d in range(SIZE)),
        num_samples=np.full(1 + classes, 100),
        score=score,
        order=order,
    )


def toy_samples(number=1500, shift=1.0, rates=(0.2, 0.2), confounded=False):
    """The top moves by `shift` in the degrading direction with failure, the rest does not."""
    rng = np.random.default_rng(3)
    target = np.arange(number) % 2
    right = rng.random(number) >= np.asarray(rates)[target]
    styles = rng.normal(size=(number, SIZE))
    styles[:, :TOP] += shift * ~right[:, None] * [1, -1, 1]
    if confounded:
        styles += 2 * target[:, None]
    logits = np.zeros((1, number, 2))
    return Samples(np.arange(number), styles, logits, target, right[None])


@pytest.fixture(scope="module")
def found():
    return separation.separate(toy_ranking(), toy_samples(), top=TOP)


def test_the_auc_is_that_of_the_degrading_direction(found):
    samples = toy_samples()
    for d, sign in ((0, 1), (1, -1), (2, 1), (7, -1)):
        expected = roc_auc_score(~samples.right[0], sign * samples.styles[:, d])
        assert found.auc[0, d] == pytest.approx(expected)
    assert (found.auc_low < found.auc).all()
    assert (found.auc < found.auc_high).all()


def test_the_statistic_is_scipys_and_the_correction_by_hand(found):
    samples = toy_samples()
    right = samples.right[0]
    for d in (0, 9):
        test = ks_2samp(samples.styles[right, d], samples.styles[~right, d], method="asymp")
        assert (found.ks[0, d], found.p_value[0, d]) == pytest.approx(tuple(test))
    sorted_p = np.sort(found.p_value[0])
    adjusted = sorted_p * SIZE / np.arange(1, SIZE + 1)
    expected = np.minimum.accumulate(adjusted[::-1])[::-1]
    np.testing.assert_allclose(np.sort(found.q_value[0]), np.minimum(expected, 1))


def test_only_the_top_separates(found):
    truth = norm.cdf(1 / np.sqrt(2))
    for g in (0, 1, 2, 3):
        (top, low, high), (rest, rest_low, rest_high), gap = found.medians[g]
        assert low < truth < high
        assert low < top < high
        assert rest == pytest.approx(0.5, abs=0.02)
        assert rest_low < rest < rest_high
        assert gap[0] == pytest.approx(top - rest)
        assert found.significant[g, :TOP].all()
        assert found.significant[g, TOP:].sum() <= 3
    np.testing.assert_array_equal(found.random_as_high, 1 / 2001)


def test_without_an_effect_nothing_is_found():
    found = separation.separate(toy_ranking(), toy_samples(shift=0.0), top=TOP)
    assert found.significant.sum() <= 2
    low, high = found.medians[0, 2, 1:]
    assert low < 0 < high
    assert found.random_as_high[0] > 0.01


def test_classes_that_fail_more_often_do_not_pass_for_a_dimension():
    samples = toy_samples(shift=0.0, rates=(0.05, 0.5), confounded=True)
    found = separation.separate(toy_ranking(), samples, top=TOP)
    assert found.significant[0].all()
    assert found.groups[-1] == separation.WITHIN
    assert found.significant[-1].sum() <= 2
    assert np.abs(found.auc[-1] - 0.5).max() < 0.1


def test_a_group_without_both_outcomes_has_no_numbers():
    found = separation.separate(toy_ranking(), toy_samples(rates=(0.2, 0.0)), top=TOP)
    assert list(found.num_samples[2]) == [750, 0]
    assert np.isnan(found.auc[2]).all()
    assert np.isnan(found.medians[2]).all()
    assert np.isfinite(found.medians[[0, 1, 3]]).all()


def test_a_group_that_was_not_ranked_has_no_numbers():
    ranking = toy_ranking()._replace(num_samples=np.asarray([100, 100, 0]))
    found = separation.separate(ranking, toy_samples(), top=TOP)
    assert np.isfinite(found.auc[:, 0]).tolist() == [True, True, False, True]


def test_histograms_show_the_top_above_others():
    samples = toy_samples()
    shown = separation.histograms(toy_ranking(), samples, group=2, panels=5, top=TOP)
    assert shown.dims.shape == (2, TOP)
    assert list(shown.dims[0]) == [0, 1, 2]
    assert min(shown.dims[1]) >= TOP
    np.testing.assert_array_equal(shown.right, samples.right[0, 1::2])
    np.testing.assert_array_equal(shown.values[:, 1, 0], samples.styles[1::2, shown.dims[1, 0]])
