"""Parts of the labels that never overlap, numbers counted by hand, and curves."""

import re

import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.training import artifact_classifier as training
from ganfail_jax.training import linear_probe

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [20, 43, 30]))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_a_split_never_overlaps_and_is_stratified(share):
    found = training.split(LABELS, share, np.random.default_rng(3))
    both = np.concatenate(found)
    np.testing.assert_array_equal(np.sort(both), np.arange(len(LABELS)))
    for label in range(3):
        size = np.bincount(LABELS)[label]
        assert (LABELS[found.held_out] == label).sum() == round(share * size)
    again = training.split(LABELS, share, np.random.default_rng(3))
    np.testing.assert_array_equal(found.train, again.train)
    other = training.split(LABELS, share, np.random.default_rng(4))
    assert not np.array_equal(found.train, other.train)


@pytest.mark.parametrize(
    ("artifacts", "share", "kept", "held"), [(6, 0.3, 4, 2), (6, 0.1, 5, 1), (2, 0.5, 1, 1)]
)
def test_too_few_for_a_split(artifacts, share, kept, held):
    labels = np.repeat([0, 1], [artifacts, 60])
    message = (
        f"{artifacts} samples are artifact: of these --held_out={share:g} leaves {kept} for "
        f"training and {held} to measure; at least {linear_probe.FOLDS} and 2 are needed"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        training.split(labels, share, np.random.default_rng(0))


def test_measures_are_those_counted_by_hand():
    labels = np.asarray([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    called = np.asarray([0, 0, 0, 1, 1, 1, 0, 2, 2, 1])
    logits = np.eye(3)[called] + 0.0
    logits[3, 0] = 0.5  # the missed artifact is still above two of the three normal ones
    found = training.measure(logits, labels)
    assert found["confusion"] == [[3, 1, 0], [1, 2, 0], [0, 1, 2]]
    assert found["accuracy"]["value"] == 0.7
    assert found["most_frequent"] == 0.4
    assert found["recall"]["artifact"]["value"] == 3 / 4
    assert found["precision"]["normal"]["value"] == 2 / 4
    # differences: artifacts 1, 1, 1, -0.5; normal -1, -1, 1 -> 3 * (2 + 1/2) + 2 of 12 pairs
    assert found["auc"]["artifact_against_normal"]["value"] == pytest.approx(9.5 / 12)
    assert "real_against_normal" in found["auc"]
    assert "real_against_normal" not in training.measure(logits[:7, :2], labels[:7])["auc"]


@pytest.mark.parametrize(
    ("artifacts", "normal", "sizes"),
    [(50, 300, [50, 100, 200, 350]), (20, 20, [25, 40]), (5, 5, [10]), (5, 95, [100])],
)
def test_sizes_of_a_curve_have_enough_of_both_kinds(artifacts, normal, sizes):
    assert training.curve_sizes(np.repeat([0, 1, 2], [artifacts, normal, 70])) == sizes


def test_a_curve_takes_labels_in_proportion_and_all_real_images(monkeypatch):
    """What is trained on has the sizes told, and nothing of it is measured on."""
    trained = []
    choose = linear_probe.choose

    def spy(features, labels, *args, **kwargs):
        trained.append((features[:, 0].astype(int), labels))
        return choose(features, labels, *args, **kwargs)

    monkeypatch.setattr(linear_probe, "choose", spy)
    labels = np.repeat([0, 1, 2], [30, 60, 20])
    features = np.stack([np.arange(110), labels, -labels], axis=1).astype(float)
    curve = training.label_efficiency(features, labels, share=1 / 3, draws=2, balance=True, seed=0)
    assert curve.num_labels.tolist() == [25, 50, 60]
    assert curve.accuracy.shape == curve.auc.shape == (3, 2)
    np.testing.assert_array_equal(curve.auc, 1)  # the label is among the features
    for i, (places, told) in enumerate(trained):
        np.testing.assert_array_equal(labels[places], told)
        assert len({*places}) == len(places)
        size = curve.num_labels[i % 3]
        assert np.bincount(told).tolist() == [size // 3, size - size // 3, 13]
    whole = [{*places} for places, _ in trained[2::3]]
    assert whole[0] != whole[1]
    for part in (0, 3):
        assert {*trained[part][0]} <= whole[part // 3]


def test_the_summary_of_a_curve():
    curve = training.Efficiency(
        np.asarray([25, 60]), np.asarray([[0.5, 0.7], [0.8, 0.8]]), np.full((2, 2), 0.75)
    )
    first, second = curve.summary()
    assert (first["labels"], first["draws"]) == (25, 2)
    assert first["accuracy"] == pytest.approx({"mean": 0.6, "deviation": 0.02**0.5})
    assert second["auc"] == {"mean": 0.75, "deviation": 0.0}
    alone = curve._replace(accuracy=curve.accuracy[:, :1], auc=curve.auc[:, :1]).summary()
    assert np.isnan(alone[0]["accuracy"]["deviation"])
