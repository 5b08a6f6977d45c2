"""Runs that are killed, damaged or changed, and go on."""

import json
import shutil
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.training import loop, stylegan2_step
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.weights import store
from tests.training.runs import assert_identical, data, events, interfere, kill, scores, train
from tests.training.tiny_gan import CONDITIONAL


@pytest.mark.parametrize("at", [4, 6])
def test_killed_and_resumed_is_the_uninterrupted_run_bit_for_bit(
    finished, at, tmp_path, monkeypatch
):
    config, _, expected = finished
    with monkeypatch.context() as patch:
        interfere(patch, at, kill)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["4"] * (at > 4)
    assert_identical(train(config, tmp_path), expected)


@pytest.mark.parametrize("killed", ["latest", "discriminator"])
def test_run_killed_in_its_last_export_makes_it_again(copied, killed, monkeypatch):
    folder, _ = copied
    shutil.rmtree(folder / "checkpoints" / "10")
    for part in ("latest", "discriminator"):
        shutil.rmtree(folder / part)
    export = loop._export

    def interrupted(folder, *rest):
        return kill(None) if folder.name == killed else export(folder, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_export", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(CONDITIONAL, folder)
    train(CONDITIONAL, folder)
    for part in ("latest", "discriminator"):
        assert store.load(folder / part).about["images_seen"] == 40


def test_resumed_run_tells_tensorboard_where_it_goes_on(copied):
    folder, _ = copied
    shutil.rmtree(folder / "checkpoints" / "10")
    train(CONDITIONAL, folder)
    sessions = [event.step for event in events(folder) if event.HasField("session_log")]
    assert sessions == [1, 8 * 4 + 1]


def test_best_snapshot_survives_a_restart(copied):
    folder, _ = copied
    for at, score, kept in [(8, 2.0, 2.0), (8, 3.0, 2.0), (8, 1.0, 1.0)]:
        for path in (folder / "checkpoints").iterdir():
            if int(path.name) > at:
                shutil.rmtree(path)
        train(CONDITIONAL, folder, judge=scores(score, 9.0))
        assert store.load(folder / "best").about["measured"]["score"] == kept


def test_scores_of_other_features_are_not_compared(copied):
    folder, _ = copied
    for features, score, kept in [("a", 1.0, 1.0), ("b", 7.0, 7.0), ("b", 8.0, 7.0)]:
        for path in (folder / "checkpoints").iterdir():
            if int(path.name) > 8:
                shutil.rmtree(path)
        train(CONDITIONAL, folder, judge=scores(score, 9.0, on=features))
        about = store.load(folder / "best").about
        assert (about["measured"]["score"], about["scored_on"]) == (kept, features)


def test_finished_run_started_again_changes_nothing(copied):
    folder, expected = copied
    before = {path: path.stat().st_mtime_ns for path in folder.glob("latest/*")}
    assert_identical(train(CONDITIONAL, folder), expected)
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("latest/*")}


def test_run_may_be_made_longer_and_slower(copied, monkeypatch):
    folder, _ = copied
    phases = stylegan2_step.phases(CONDITIONAL, runtime.data_mesh())
    monkeypatch.setattr(stylegan2_step, "phases", lambda config, mesh: phases)
    longer = replace(CONDITIONAL, total_kimg=0.044, learning_rate=0.001, ema_kimg=1.0)
    assert train(longer, folder).step == 11
    config = json.loads((folder / "run.json").read_text())["config"]
    assert (config["total_kimg"], config["learning_rate"], config["ema_kimg"]) == (0.044, 0.001, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 4, "learning_rate": 0.1}, "holds a run with seed=3, not 4; choose another --out"),
        ({"batch_size": 8, "r1_gamma": 1.0}, "batch_size=4, not 8, r1_gamma=0.0032, not 1.0;"),
        (
            {"generator": replace(CONDITIONAL.generator, z_dim=7)},
            "holds a run with generator.z_dim=6, not 7;",
        ),
    ],
)
def test_another_run_is_never_continued(conditional, changes, message):
    folder, _ = conditional
    with pytest.raises(TrainingError, match=message):
        train(replace(CONDITIONAL, **changes), folder)


def test_another_dataset_is_refused(conditional):
    folder, _ = conditional
    other = data(CONDITIONAL)
    other = other.select(np.arange(20))._replace(name="other")
    with pytest.raises(TrainingError, match="dataset=made_up, not other, images=30, not 20"):
        loop.train(loop.prepare(CONDITIONAL, other, folder))


# What can go wrong


def poison(part):
    def change(state):
        leaves, treedef = jax.tree.flatten(getattr(state, part))
        leaves[-1] = leaves[-1].at[(0,) * leaves[-1].ndim].set(jnp.nan)
        return state._replace(**{part: jax.tree.unflatten(treedef, leaves)})

    return change


@pytest.mark.parametrize(("at", "part"), [(7, "generator"), (8, "discriminator")])
def test_nan_stops_the_run_before_it_reaches_a_checkpoint(
    conditional, at, part, tmp_path, monkeypatch
):
    _, expected = conditional
    with monkeypatch.context() as patch:
        interfere(patch, at, poison(part))
        message = "not finite any more at step 8 .*; the last good checkpoint is step 4 in .*"
        with pytest.raises(TrainingError, match=message) as caught:
            train(CONDITIONAL, tmp_path)
    assert "\n" not in str(caught.value)
    assert store.load(tmp_path / "latest").about["images_seen"] == 16
    assert_identical(train(CONDITIONAL, tmp_path), expected)


def test_damaged_checkpoint_is_named_and_the_one_before_still_serves(copied):
    folder, expected = copied
    for path in (folder / "checkpoints" / "10").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        TrainingError, match=r"checkpoints/10 is damaged or of another network; del"
    ):
        train(CONDITIONAL, folder)
    shutil.rmtree(folder / "checkpoints" / "10")
    assert_identical(train(CONDITIONAL, folder), expected)


def test_damaged_run_json_is_named(copied):
    folder, _ = copied
    (folder / "run.json").write_text('{"dataset": ')
    with pytest.raises(TrainingError, match=r"run\.json is damaged .*; choose another --out"):
        train(CONDITIONAL, folder)
