"""Latent spaces of the same samples, and measures against brute force and known truths."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.analysis import embedding
from ganfail_jax.analysis.samples import Samples, collect
from ganfail_jax.latents import latents
from ganfail_jax.runtime import Sweep
from tests.tiny import CONFIG, models

SWEEP = Sweep(16, runtime.data_mesh())


def toy(number=300, separated=2.0):
    """Two classes far apart; within each, the misclassified are `separated` away along axis 1."""
    rng = np.random.default_rng(4)
    target = np.arange(number) % 2
    right = rng.random(number) >= 0.3
    space = rng.normal(size=(number, 3))
    space[:, 0] += 20 * target
    space[:, 1] += separated * ~right
    return space, Samples(np.arange(number), space, np.zeros((1, number, 2)), target, right[None])


@pytest.mark.parametrize("first", [0, 30])
def test_the_spaces_are_of_the_same_samples(first):
    tiny = models()
    samples = collect([tiny], 20, SWEEP, first_index=first)
    spaces = embedding.latent_spaces(tiny, samples, SWEEP)
    assert list(spaces) == ["Z", "W", "S"]

    mapping = tiny.generator.mapping
    assert mapping is not None

    @jax.jit
    def reference(params, i):
        drawn = latents(tiny.generator, 0, i)
        return drawn.z, mapping(params, drawn.z, drawn.one_hot, 1.0)

    z, w = reference(tiny.generator_params, jnp.arange(first, first + 20))
    np.testing.assert_allclose(spaces["Z"], z, rtol=1e-5)
    np.testing.assert_allclose(spaces["W"], w, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(spaces["S"], samples.styles)


def test_a_generator_without_w_has_z_and_s():
    tiny = models(replace(CONFIG, num_classes=0))
    plain = tiny._replace(generator=tiny.generator._replace(mapping=None))
    samples = collect([tiny], 8, SWEEP)
    spaces = embedding.latent_spaces(plain, samples, SWEEP)
    assert list(spaces) == ["Z", "S"]


def test_neighbours_are_the_nearest_references():
    space, samples = toy(60)
    folds = embedding.split(~samples.right[0], 1000, 0)
    distance = np.linalg.norm(space[:, None] - space[None], axis=2)
    for references, judged in folds:
        distance[np.ix_(judged, np.setdiff1d(np.arange(60), references))] = np.inf
    expected = np.sort(np.argsort(distance, axis=1)[:, :5], axis=1)
    found = embedding.neighbours(space, 5, folds)
    np.testing.assert_array_equal(np.sort(found, axis=1), expected)


@pytest.mark.parametrize(("wrong", "size"), [(12, 20), (12, 1000), (2, 20)])
def test_each_sample_is_judged_once_by_so_many_references_of_other_folds(wrong, size):
    outcome = np.random.default_rng(0).permutation(60) < wrong
    folds = embedding.split(outcome, size, 0)
    np.testing.assert_array_equal(np.sort(np.concatenate([j for _, j in folds])), np.arange(60))
    for references, judged in folds:
        assert not {*references} & {*judged}
        assert len({*references}) == embedding.reference_size(size, 60) == min(size, 48)
        assert abs(outcome[references].mean() - wrong / 60) < 0.05 or wrong < embedding.FOLDS


def test_what_a_space_tells_does_not_grow_with_the_number_of_samples():
    rng, d = np.random.default_rng(9), 60

    def linear(n, reference, repeats):
        values = []
        for _ in range(repeats):
            space = rng.normal(size=(n, d))
            right = rng.random(n) < 1 / (1 + np.exp(space[:, 0] - 1))
            made = Samples(np.arange(n), space, space[None], np.zeros(n, int), right[None])
            values.append(
                embedding.measure(space, made, k=10, seed=0, reference=reference).value[3]
            )
        return np.mean(values)

    few = linear(300, 240, 8)
    assert linear(2_000, 240, 1) == pytest.approx(few, abs=0.04)  # errors 0.012 and 0.013
    assert linear(2_000, 10_000, 1) > few + 0.04  # of all the other samples


def test_the_majority_decides_and_the_smallest_of_several():
    assert list(embedding.majority(np.asarray([[2, 2, 0], [1, 1, 1], [2, 0, 1]]))) == [2, 1, 0]


def test_measures_tell_what_a_space_separates():
    space, samples = toy()
    value = embedding.measure(space, samples, k=10, seed=0).value
    assert value[0] == 1
    assert (value[1:] > 0.8).all()
    space, samples = toy(separated=0.0)
    found = embedding.measure(space, samples, k=10, seed=0)
    assert found.value[0] == 1
    assert (np.abs(found.value[1:] - 0.5) < 4 * found.standard_error[1:]).all()
    noise = np.random.default_rng(5).normal(size=(300, 4))
    assert embedding.measure(noise, samples, k=10, seed=0).value[0] == pytest.approx(0.5, abs=0.12)


def test_the_probe_never_judges_a_sample_it_was_fitted_to():
    """As many dimensions as samples: a probe of its own samples would be perfect."""
    noise = np.random.default_rng(6).normal(size=(300, 300))
    wrong = np.arange(300) % 3 == 0
    score = embedding.probe(noise, wrong, embedding.split(wrong, 1000, 0))
    assert abs(score[wrong].mean() - score[~wrong].mean()) < 3 * score.std() / np.sqrt(50)


def test_gains_are_of_a_space_over_the_one_before():
    space, samples = toy()
    noise = np.random.default_rng(7).normal(size=(300, 3))
    spaces = {"Z": noise, "W": space, "S": space}
    found = embedding.embed(spaces, samples, embedded=50, perplexity=5.0)
    assert found.spaces == ("Z", "W", "S")
    assert list(found.dimensions) == [3, 3, 3]
    assert found.points.shape == (3, 50, 2)
    np.testing.assert_allclose(found.gains[:, :, 0], np.diff(found.numbers[:, :, 0], axis=0))
    np.testing.assert_array_equal(found.gains[1], 0)  # the same space, paired
    assert (found.gains[0, :, 1] > 0).all()


def test_the_map_keeps_neighbourhoods_and_repeats():
    space, samples = toy()
    spaces = {"Z": space, "S": space}
    first, second = embedding.embed(spaces, samples, embedded=80, perplexity=10.0).points
    np.testing.assert_array_equal(first, second)
    folds = embedding.split(~samples.right[0, :80], 1000, 0)
    near = samples.target[:80][embedding.neighbours(first, 5, folds)]
    assert (embedding.majority(near) == samples.target[:80]).mean() > 0.95


def test_too_few_of_an_outcome_leave_only_the_class_accuracy():
    space, samples = toy()
    samples = samples._replace(right=np.arange(300)[None] >= 4)
    found = embedding.embed({"Z": space, "S": space}, samples, embedded=30, perplexity=5.0)
    assert (found.numbers[:, 0, 0] == 1).all()
    assert np.isnan(found.numbers[:, 1:]).all()
    assert np.isnan(found.gains[:, 1:]).all()
