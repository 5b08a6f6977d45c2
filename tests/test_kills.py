"""Killed at any rename and started again, a run ends in the same files, and in no others."""

import os
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.data.label_store import LabelStore
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Job, Run
from ganfail_jax.metrics import features as features_module
from ganfail_jax.metrics.feature_cache import images_hash, open_cache
from ganfail_jax.metrics.features import extract_features
from ganfail_jax.plots import sheets
from ganfail_jax.studies import convert
from ganfail_jax.training import loop
from ganfail_jax.weights import store
from ganfail_jax.writing import only_writer
from tests.killing import Process, check_kills
from tests.metrics.first_pixels import EXPECTED, IMAGES, extractor
from tests.training.runs import recipe, train
from tests.training.tiny_gan import CONDITIONAL


@pytest.fixture
def square(tmp_path):
    """A small study."""

    @jax.jit
    def step(indices, mask):
        return jnp.sum(jnp.where(mask, indices**2, 0))

    def compute(sweep):
        total = runtime.sweep(step, np.add, 20, sweep.named("squares"), seconds=0.0)
        return {"total": int(total)}, {"total": total}

    def show(sweep, result):
        return {"shown": result.arrays["total"]}

    def draw_result(folder, result):
        assert "shown" in result.arrays
        draw(folder / "sheet.png")
        return ["sheet.png"]

    def work(folder):
        run = Run(batch_size=10, out=str(folder))
        Job(
            folder, {"seed": 0}, "squares", compute, draw_result, lambda _: [], run, show=show
        ).run()

    return work


def test_an_analysis(square, tmp_path):
    moved = check_kills(square, tmp_path)
    parts = ["unfinished-squares.npz"] * 3
    assert moved == [*parts, "result.npz", "result.json", "shown.npz", "sheet.png"]


@pytest.fixture
def plain_steps(monkeypatch):
    """Steps that compile in no time: what is written, and when, is the same."""
    whole = recipe(CONDITIONAL)
    shapes = jax.eval_shape(whole.init, None, None)
    state = jax.tree.map(lambda x: np.ones(x.shape, x.dtype), shapes)

    def step(state, number, images, label):
        ema = jax.tree.map(lambda x: x + 1, state.ema)
        return state._replace(step=state.step + 1, ema=ema), {"loss": jnp.zeros(())}

    plain = whole._replace(init=lambda *_: jax.tree.map(jnp.asarray, state), step=step)
    monkeypatch.setitem(loop.RECIPES, type(CONDITIONAL), lambda *_: plain)
    monkeypatch.setattr(loop, "sample_sheet", lambda *args: draw(args[-1]))


def draw(path):
    sheets.save_sheet(path, np.zeros((1, 4, 4, 1), np.float32), 1)


def judge(variables):
    """Every snapshot is better than the one before."""
    return {"score": -float(jax.tree.leaves(variables)[0].sum())}


def test_the_training_of_a_gan(plain_steps, tmp_path):
    def work(folder):
        train(CONDITIONAL, folder, stop_step=6, judge=loop.Judge(judge))
        assert store.load(folder / "best").about["images_seen"] == 24

    moved = check_kills(work, tmp_path)
    # best of two snapshots, latest and discriminator of two checkpoints; the second replace others
    assert (moved.count("weights.npz"), moved.count("config.json")) == (6, 9)


def test_weights_that_are_replaced_are_the_old_ones_or_the_new(tmp_path):
    """Directly after the kill."""
    after = []
    for number in range(4):
        folder, process = tmp_path / str(number), Process(number)
        store.save(folder, "old", {}, {"x": np.full(3, 1.0)}, {"images": 1})
        with process.running():
            store.save(folder, "new", {}, {"x": np.full(3, 2.0)}, {"images": 2})
        stored = store.load(folder)
        store.settle(folder)
        assert store.load(folder)[:3] == stored[:3]
        assert "before" not in (folder / "config.json").read_text()
        after.append((stored.kind, stored.about["images"], stored.arrays["x"][0]))
        assert process.dead == (number < 3)
        store.save(folder, "third", {}, {"x": np.full(3, 3.0)}, {"images": 3})
        assert store.load(folder).about["images"] == 3
    assert after == [("old", 1, 1.0)] * 2 + [("new", 2, 2.0)] * 2


def test_labels(tmp_path):
    def work(folder):
        folder.mkdir(exist_ok=True)
        store = LabelStore(folder / "labels.csv", "abc")
        for i in range(3):
            store.record({(i, 0): "normal"})
        store.close()

    assert check_kills(work, tmp_path) == ["labels.csv"] * 3


def test_features(tmp_path, monkeypatch):
    monkeypatch.setattr(features_module, "SHARD", 20)

    def work(folder):
        monkeypatch.setenv("GANFAIL_CACHE", str(folder))
        features, _ = extractor()
        cache = open_cache(features.identity, "made_up", images_hash(IMAGES))
        rows = extract_features(features, IMAGES, batch_size=10, cache=cache)
        np.testing.assert_array_equal(rows, EXPECTED)

    shards = ["shard-00000000.npy", "shard-00000020.npy"]
    assert check_kills(work, tmp_path) == ["key.json", *shards, "features.npy"]


def test_shards_that_a_killed_process_had_merged_go(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFAIL_CACHE", str(tmp_path))
    features, _ = extractor()
    cache = open_cache(features.identity, "made_up", images_hash(IMAGES))
    extract_features(features, IMAGES, cache=cache)
    np.save(cache / "shard-00000020.npy", EXPECTED[20:])
    np.save(cache / "shard-00000047.npy", EXPECTED)  # of more images
    assert open_cache(features.identity, "made_up", images_hash(IMAGES)) == cache
    names = sorted(path.name for path in cache.iterdir())
    assert names == ["features.npy", "key.json", "shard-00000047.npy"]


def test_a_converted_generator(tmp_path):
    stored = store.Stored("stylegan2", {}, {}, {}, "abc")

    def work(folder):
        if not folder.exists():
            convert.plan(stored, {"x": np.ones(3)}, folder)()

    assert check_kills(work, tmp_path / "new") == ["weights.npz", "config.json", "3"]
    assert not [path for path in (tmp_path / "new").iterdir() if path.name.startswith(".")]


def test_the_second_of_two_analyses_is_one_line(square, tmp_path):
    message = rf"PID {os.getpid()} is writing to {tmp_path}; wait for it or choose another --out"
    with only_writer(tmp_path), pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        square(tmp_path)
    assert not list(tmp_path.iterdir())
