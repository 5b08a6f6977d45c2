"""Scores of samples against a plain loop, and the two ends of their order."""

import jax
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.analysis import rates
from ganfail_jax.analysis.detection import Detected, detect, ends, rank_within
from ganfail_jax.errors import InputError
from ganfail_jax.latents import latents
from tests.tiny import models

LAYERS = ("b0004/conv1", "b0008/conv0")


def run(num_samples, neurons, folder=None, **kwargs):
    tiny = models()
    sweep = runtime.Sweep(16, runtime.data_mesh(), folder, name="samples")
    return detect(
        tiny.generator, tiny.generator_params, neurons, num_samples, sweep, seed=2, **kwargs
    )


@pytest.fixture(scope="module")
def activated():
    """Which neurons of each layer samples 0 .. 59 activate."""
    tiny = models()

    @jax.jit
    def image(index):
        drawn = latents(tiny.generator, 2, index[None])
        styles = tiny.generator.styles(tiny.generator_params, drawn.z, drawn.one_hot)
        return tiny.generator.synthesize(tiny.generator_params, styles)[1]

    taps = [image(i) for i in np.arange(60)]
    return {name: np.stack([np.asarray(each[name][0]) > 0 for each in taps]) for name in LAYERS}


@pytest.fixture(scope="module")
def low(activated):
    found = rates.Rates({name: hits.sum(0) for name, hits in activated.items()}, 60)
    return found, rates.low_rate(found, 0.6)


@pytest.mark.parametrize(("first", "last"), [(0, 60), (7, 12)])
def test_scores_are_those_of_a_plain_loop(activated, low, first, last):
    found = run(last - first, low[1], first_index=first)
    assert found.layers == LAYERS
    for i in range(first, last):
        numbers = [int(activated[name][i][low[1][name]].sum()) for name in LAYERS]
        assert list(found.activated[i - first]) == numbers
        assert found.score[i - first] == sum(numbers)
    assert len(found.score) == last - first


def test_the_mean_score_is_what_the_rates_expect(low):
    counts, neurons = low
    assert run(60, neurons).score.mean() == rates.expected_activated(counts, neurons)


def test_an_interrupted_detection_resumes(activated, low, tmp_path, monkeypatch):
    shard, calls = runtime.shard_batch, []

    def stop(mesh, batch):
        calls.append(int(batch[0][0]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return shard(mesh, batch)

    monkeypatch.setattr(runtime, "shard_batch", stop)
    with pytest.raises(KeyboardInterrupt):
        run(60, low[1], folder=tmp_path)
    again = run(60, low[1], folder=tmp_path)
    assert calls == [0, 16, 32, 32, 48]
    expected = [(hits & low[1][name]).sum((1, 2, 3)) for name, hits in activated.items()]
    np.testing.assert_array_equal(again.activated, np.stack(expected, axis=1))


def test_every_layer_has_the_same_weight_in_the_balanced_score():
    found = Detected(("a", "b"), np.asarray([[1, 300], [3, 100], [2, 200]]))
    np.testing.assert_array_equal(found.score, [301, 103, 202])
    np.testing.assert_allclose(found.balanced_score, [1, 1, 1])
    never = Detected(("a", "b"), np.asarray([[1, 0], [3, 0]]))
    np.testing.assert_allclose(never.balanced_score, [0.25, 0.75])


def test_ends_are_the_extremes_first():
    top, bottom = ends(np.asarray([5, 1, 4, 2, 3, 0]), 2)
    assert (list(top), list(bottom)) == ([0, 2], [5, 1])


def test_ties_are_parted_without_an_overlap():
    top, bottom = ends(np.zeros(4), 2)
    assert sorted([*top, *bottom]) == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [3, 0, -1])
def test_ends_that_overlap_are_refused(size):
    message = f"{size} at each end of 5 samples overlap; give more samples"
    with pytest.raises(InputError, match=message):
        ends(np.arange(5), size)


def test_within_classes_both_ends_have_all_classes_alike():
    classes = np.arange(40) % 4
    score = np.random.default_rng(0).integers(0, 9, 40) + 100.0 * classes
    ranks = rank_within(score, classes)
    for each in range(4):
        own = classes == each
        assert ((ranks[own][:, None] > ranks[own]) == (score[own][:, None] > score[own])).all()
        assert ranks[own].mean() == pytest.approx(0.5)
    top, bottom = ends(rank_within(np.arange(40.0), classes), 8)
    assert np.bincount(classes[top]).tolist() == np.bincount(classes[bottom]).tolist() == [2] * 4
