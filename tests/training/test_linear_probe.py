"""The linear layer against scikit-learn, differences in float64, and clusters anyone can tell."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from ganfail_jax.training import linear_probe

CLASSES = 3


def made_up(n, d):
    """Features of different scales and means, one of them constant; labels that depend on them."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 7 % CLASSES  # classes of different sizes
    features = rng.normal(size=(n, d)) + np.eye(CLASSES, d)[labels]
    features = features * np.geomspace(0.1, 10, d) + np.linspace(-5, 5, d)
    features[:, -1] = 3
    return features, labels


def plain_loss(features, labels, weights, kernel, bias, penalty):
    """The definition, sample by sample, on standardised features."""
    deviation = features.std(axis=0)
    inputs = (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    total = 0.0
    for x, label, weight in zip(inputs, labels, weights, strict=True):
        y = x @ kernel + bias
        total -= weight * (y[label] - y.max() - np.log(np.exp(y - y.max()).sum()))
    return total + penalty / 2 * (kernel**2).sum()


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 30)])
def test_the_gradient_is_zero_at_the_optimum(n, d, balance):
    features, labels = made_up(n, d)
    penalty = 0.1
    (probe,) = linear_probe.fit(features, labels, CLASSES, [penalty], balance=balance)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    kernel, bias = probe.kernel * deviation[:, None], probe.bias + mean @ probe.kernel
    sizes = np.bincount(labels)
    weights = 1 / (CLASSES * sizes[labels]) if balance else np.full(n, 1 / n)

    def loss(change):
        moved, shift = np.split(change.reshape(d + 1, CLASSES), [d])
        moved = np.where(deviation[:, None] > 0, moved, 0)  # the kernel there cannot be folded
        return plain_loss(features, labels, weights, kernel + moved, bias + shift[0], penalty)

    step, size = 1e-5, (d + 1) * CLASSES
    slopes = [(loss(step * e) - loss(-step * e)) / (2 * step) for e in np.eye(size)]
    np.testing.assert_allclose(slopes, 0, atol=5e-6)
    at_zero = plain_loss(features, labels, weights, 0 * kernel, 0 * bias, penalty)
    assert loss(np.zeros(size)) < 0.9 * at_zero


def test_the_gradient_is_that_of_the_objective():
    features, labels = made_up(12, 4)
    weights = linear_probe.sample_weights(labels, CLASSES, balance=True)
    flat = np.random.default_rng(1).normal(size=5 * CLASSES)

    def value(x):
        return linear_probe.objective(x, features, labels, weights, 0.3)[0]

    slopes = [(value(flat + e) - value(flat - e)) / 2e-6 for e in 1e-6 * np.eye(len(flat))]
    gradient = linear_probe.objective(flat, features, labels, weights, 0.3)[1]
    np.testing.assert_allclose(gradient, slopes, atol=1e-7)


def test_it_is_scikit_learns_optimum_with_the_standardisation_folded_in():
    features, labels = made_up(50, 6)
    (probe,) = linear_probe.fit(features, labels, CLASSES, [0.05], balance=False)
    deviation = features.std(axis=0)
    inputs = (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    theirs = LogisticRegression(C=1 / (50 * 0.05), tol=1e-9, max_iter=5_000).fit(inputs, labels)
    np.testing.assert_allclose(
        log_softmax(probe.logits(features), axis=1), theirs.predict_log_proba(inputs), atol=1e-4
    )


def test_a_path_of_penalties_gives_what_each_gives_alone():
    features, labels = made_up(40, 5)
    path = list(linear_probe.fit(features, labels, CLASSES, [1.0, 0.1, 0.01], balance=True))
    for penalty, probe in zip([1.0, 0.1, 0.01], path, strict=True):
        (alone,) = linear_probe.fit(features, labels, CLASSES, [penalty], balance=True)
        np.testing.assert_allclose(probe.logits(features), alone.logits(features), atol=1e-3)
    norms = [np.square(p.kernel * features.std(axis=0)[:, None]).sum() for p in path]
    assert norms == sorted(norms)


def test_clusters_are_told_apart_and_the_search_repeats():
    labels = np.repeat(np.arange(CLASSES), 15)
    noise = np.random.default_rng(0).normal(size=(45, 8))
    features = 6 * np.eye(CLASSES, 8)[labels] + noise
    found = [
        linear_probe.choose(features, labels, CLASSES, balance=True, rng=np.random.default_rng(1))
        for _ in range(2)
    ]
    probe, choice = found[0]
    assert (probe.logits(features).argmax(axis=1) == labels).all()
    assert choice.penalty == choice.penalties[int(np.argmin(choice.losses))]
    np.testing.assert_array_equal(probe.kernel, found[1][0].kernel)
    np.testing.assert_array_equal(choice.losses, found[1][1].losses)


def test_labels_without_any_relation_ask_for_strong_penalties():
    """Not in every draw, but on the whole."""
    losses = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        features, labels = rng.normal(size=(60, 20)), np.arange(60) % 2
        _, choice = linear_probe.choose(features, labels, 2, balance=True, rng=rng)
        losses.append(choice.losses[:3])
    assert (np.diff(np.mean(losses, axis=0)) > 0).all()


def test_penalties_are_tried_until_two_in_a_row_are_worse():
    features, labels = made_up(70, 20)
    _, choice = linear_probe.choose(
        features, labels, CLASSES, balance=False, rng=np.random.default_rng(0)
    )
    fold = linear_probe.folds(labels, CLASSES, np.random.default_rng(0))
    losses = np.zeros(len(linear_probe.PENALTIES))
    for k in range(linear_probe.FOLDS):
        for i, penalty in enumerate(linear_probe.PENALTIES):
            kept, out = features[fold != k], np.flatnonzero(fold == k)
            (probe,) = linear_probe.fit(kept, labels[fold != k], CLASSES, [penalty], balance=False)
            log_p = log_softmax(probe.logits(features), axis=1)
            losses[i] -= sum(log_p[j, labels[j]] for j in out) / len(out) / linear_probe.FOLDS
    best = int(np.argmin(losses))
    assert 0 < best < len(losses) - 3  # so that the search ends before the last
    assert choice.penalty == linear_probe.PENALTIES[best]
    np.testing.assert_allclose(choice.losses, losses[: best + 3], atol=1e-5)


def test_left_out_samples_are_what_penalties_are_chosen_by():
    """With copies in every fold the labels of noise are known, and no penalty is the best."""
    features, labels = np.random.default_rng(0).normal(size=(10, 20)), np.arange(10) % 2
    copies = np.repeat(np.arange(10), linear_probe.FOLDS)
    _, choice = linear_probe.choose(
        features[copies], labels[copies], 2, balance=True, rng=np.random.default_rng(0)
    )
    assert choice.penalty < 0.1


def test_folds_share_every_class_evenly():
    labels = np.repeat(np.arange(CLASSES), [5, 23, 11])
    found = linear_probe.folds(labels, CLASSES, np.random.default_rng(0))
    for label, size in enumerate([5, 23, 11]):
        sizes = np.bincount(found[labels == label], minlength=linear_probe.FOLDS)
        assert sizes.min() == size // linear_probe.FOLDS
        assert sizes.max() <= sizes.min() + 1


def test_weights():
    labels = np.asarray([0, 0, 0, 1, 2, 2])
    even = linear_probe.sample_weights(labels, CLASSES, balance=False)
    np.testing.assert_allclose(even, 1 / 6)
    balanced = linear_probe.sample_weights(labels, CLASSES, balance=True)
    np.testing.assert_allclose(np.bincount(labels, balanced), 1 / 3)
