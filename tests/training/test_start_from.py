"""Runs whose generator starts from stored weights."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.training.loop import Start
from ganfail_jax.weights import store
from tests.training.runs import assert_identical, fresh, prepare, recipe, train
from tests.training.tiny_gan import AUGMENTED, CONDITIONAL, GROWING


def test_generator_starts_from_stored_weights_and_waits_for_the_discriminator(
    conditional, tmp_path
):
    folder, _ = conditional
    start = store.load(folder / "latest")
    config = replace(CONDITIONAL, warmup_kimg=0.012)  # 3 steps
    before, warm = fresh(config), tmp_path / "run"
    state = train(config, warm, start=Start(start), stop_step=3)
    given = jax.device_get(store.assign(start, before.generator))
    assert_identical(state.generator, given)
    assert_identical(state.ema["params"], state.generator["params"])
    learnt = jax.tree.map(lambda a, b: (a != b).any(), state.discriminator, before.discriminator)
    assert np.mean(jax.tree.leaves(learnt)) > 0.9
    state = train(config, warm, start=Start(start), stop_step=4)
    moved = jax.tree.map(lambda a, b: (a != b).any(), state.generator["params"], given["params"])
    assert np.mean(jax.tree.leaves(moved)) > 0.9
    about = store.load(warm / "latest").about
    assert about["start_from"]["sha256"] == start.sha256
    assert (about["images_seen"], about["start_from"]["images_seen"]) == (16, 40)


def test_discriminator_starts_from_stored_weights(conditional, tmp_path):
    start = store.load(conditional[0] / "discriminator")
    state = train(CONDITIONAL, tmp_path / "run", start=Start(None, start), stop_step=0)
    template = {"params": state.discriminator}
    assert_identical(template, jax.device_get(store.assign(start, template)))
    with pytest.raises(TrainingError, match=r"holds a run with start_discriminator=.*, not None"):
        train(CONDITIONAL, tmp_path / "run")
    with pytest.raises(TrainingError, match="these weights do not fit the discriminator to train"):
        prepare(AUGMENTED, tmp_path / "other", start=Start(None, start))
    with pytest.raises(TrainingError, match="of a stylegan2_discriminator to start from, but this"):
        prepare(GROWING, tmp_path / "other", start=Start(None, start))
    assert not (tmp_path / "other").exists()


def test_run_started_from_weights_goes_on_only_with_them(conditional, copied):
    start = store.load(conditional[0] / "latest")
    with pytest.raises(TrainingError, match="holds a run with start_from=None, not "):
        train(CONDITIONAL, copied[0], start=Start(start))


def test_weights_of_another_generator_are_refused(conditional, tmp_path):
    start = store.load(conditional[0] / "latest")
    with pytest.raises(TrainingError, match="weights do not fit the generator to train: "):
        prepare(AUGMENTED, tmp_path / "run", start=Start(start))
    with pytest.raises(TrainingError, match="of a stylegan2 to start from, but this is a pggan"):
        prepare(GROWING, tmp_path / "run", start=Start(start))
    assert not (tmp_path / "run").exists()


def test_grown_generator_starts_from_weights_only_at_its_full_resolution(tmp_path):
    first = tmp_path / "first"
    train(GROWING, first, stop_step=7)
    start = store.load(first / "latest")
    with pytest.raises(InputError, match=r"no smaller outputs to grow from: .*first_resolution=8"):
        train(GROWING, tmp_path / "grown", start=Start(start))
    assert not (tmp_path / "grown").exists()
    config = replace(GROWING, first_resolution=8)
    state = train(config, tmp_path / "run", start=Start(start), stop_step=0)
    given = jax.device_get(store.assign(start, recipe(config).snapshot(state)[1]))
    for name, layer in given["params"].items():
        assert_identical(state.generator["params"][name], layer)
    assert_identical(state.ema, state.generator)
