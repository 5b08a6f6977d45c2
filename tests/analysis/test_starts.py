"""Starts, against plain loops over all samples."""

import numpy as np
import pytest

from ganfail_jax.analysis import starts
from ganfail_jax.analysis.views import views_of
from tests.analysis.test_crossing import balanced, tiny_starts
from tests.analysis.test_ranking import run
from tests.tiny import models


@pytest.fixture(scope="module", params=[3, 0], ids=["conditional", "unconditional"])
def views(request):
    tiny = balanced(request.param)
    return views_of(tiny, 30)


def test_starts_are_the_first_confident_samples_else_the_most_confident(views):
    every = starts.at_samples(views, 7 + np.arange(90), truncation_psi=1.0)
    expected = []
    for each in range(3):
        rows = np.flatnonzero((every.target == each) & (every.predicted == each))
        sure = [row for row in rows if every.softmax[row] >= starts.CONFIDENT]
        if len(rows):
            chosen = sure[0] if sure else rows[np.argmax(every.softmax[rows])]
            expected.append(every.samples[chosen])
    found = starts.confident_samples(views, range(3), first_index=7, tries=30, truncation_psi=1.0)
    assert len(expected) >= 2
    np.testing.assert_array_equal(found.samples, expected)
    again = starts.at_samples(views, found.samples, truncation_psi=1.0)
    np.testing.assert_allclose(again.styles, found.styles, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(again.target, found.target)


def test_only_the_classes_asked_for_are_found(views):
    every = starts.confident_samples(views, range(3), first_index=0, tries=30, truncation_psi=1.0)
    for each in range(3):
        found = starts.confident_samples(views, [each], first_index=0, tries=30, truncation_psi=1.0)
        np.testing.assert_array_equal(found.samples, every.samples[every.target == each])


@pytest.fixture(scope="module")
def ranking():
    return run(num_samples=100, batch_size=50)


def test_class_means_leave_out_classes_without_samples(ranking):
    views = views_of(models(), 50)
    fewer = ranking._replace(num_samples=np.array([60, 30, 0, 30]))
    means = starts.class_means(views, fewer, range(3))
    np.testing.assert_array_equal(means.target, [0, 2])
    np.testing.assert_allclose(means.styles, ranking.style_mean[[1, 3]], rtol=1e-6)
    assert len(starts.class_means(views, fewer, [1]).target) == 0


def test_no_sample_of_a_class_is_no_start(views):
    found = starts.confident_samples(views, [], first_index=0, truncation_psi=1.0)
    assert len(found.target) == 0


@pytest.mark.parametrize("per_class", [False, True])
def test_the_most_affected_start_falls_lowest_along_its_dimensions(per_class, ranking):
    views = views_of(models(), 50)
    begun = tiny_starts(views, 6)
    groups = per_class * (1 + begun.target)
    dims = ranking.order[groups, :4]
    outputs = []
    for row in range(6):
        style = begun.styles[row : row + 1].copy()
        for d in dims[row]:
            style[0, d] += 2 * ranking.style_std[d] * -np.sign(ranking.score[groups[row], d])
        outputs.append(starts.at_styles(views, style, begun.target[row : row + 1]).softmax[0])
    chosen = starts.most_affected(views, ranking, begun, dims, groups)
    assert chosen.samples[0] == begun.samples[np.argmin(outputs)]
