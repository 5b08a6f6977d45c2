"""Samples with their outcomes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from ganfail_jax import runtime
from ganfail_jax.analysis import outputs, samples
from ganfail_jax.runtime import Sweep
from tests.analysis.test_crossing import balanced
from tests.tiny import models

OTHER = models()._replace(classifier_params=models().classifier_params[:, ::-1])


BOTH = (models(), OTHER)


def collect(each=BOTH, batch_size=16, **settings):
    return samples.collect(each, 50, Sweep(batch_size, runtime.data_mesh()), **settings)


@pytest.fixture(scope="module")
def found():
    return collect(first_index=7, seed=3, truncation_psi=0.8)


def test_they_are_the_samples_asked_for(found):
    np.testing.assert_array_equal(found.indices, np.arange(7, 57))
    np.testing.assert_array_equal(found.target, found.indices % 3)
    styles, *_ = jax.jit(lambda i: outputs.sample_styles(models(), 3, i, 0.8))(jnp.arange(7, 57))
    np.testing.assert_allclose(found.styles, styles, rtol=1e-5, atol=1e-5)


def test_each_classifier_sees_the_same_images(found):
    for own, logits in zip(BOTH, found.logits, strict=True):
        again = jax.jit(lambda s, own=own: outputs.logits_of(own, s))(found.styles)
        np.testing.assert_allclose(logits, again, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.logits[0], found.logits[1][:, ::-1], rtol=1e-4, atol=1e-4)


def test_outcome_is_whether_the_class_asked_for_is_predicted(found):
    np.testing.assert_array_equal(found.right, found.predicted == found.target)
    assert 0 < found.right.mean() < 1
    np.testing.assert_allclose(
        np.log(found.softmax), log_softmax(found.logits, 2), rtol=1e-4, atol=1e-4
    )


def test_groups_are_everything_and_every_class(found):
    assert found.in_group(0).all()
    for c in range(3):
        np.testing.assert_array_equal(found.in_group(1 + c), found.indices % 3 == c)


def test_batches_and_padding_do_not_matter(found):
    whole = collect(first_index=7, seed=3, truncation_psi=0.8, batch_size=50)
    np.testing.assert_array_equal(whole.indices, found.indices)
    np.testing.assert_allclose(whole.styles, found.styles, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(whole.logits, found.logits, rtol=1e-4, atol=1e-4)


def test_without_classes_right_means_sure_of_any_class_whoever_comes_first():
    own = balanced(num_classes=0)
    head = own.classifier.head
    less_sure = own.classifier._replace(head=lambda *x: 0.5 * head(*x)[:, jnp.array([1, 2, 0])])
    other = own._replace(classifier=less_sure)
    found, swapped = collect((own, other)), collect((other, own))
    np.testing.assert_array_equal(found.target, found.predicted[0])
    np.testing.assert_array_equal(found.right, found.softmax.max(axis=2) >= samples.SURE)
    np.testing.assert_array_equal(found.right, swapped.right[::-1])
    assert 0 < found.right[1].mean() < found.right[0].mean() < 1
    assert (found.predicted[0] != found.predicted[1]).all()
    assert "unsure" in samples.outcome_names(own.generator)[1]
    assert samples.outcome_names(models().generator)[1] == "misclassified"
