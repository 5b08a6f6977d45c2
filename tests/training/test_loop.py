"""Whole runs: what they leave behind, exact resume, refusals, and one device against four."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]

from ganfail_jax import runtime
from ganfail_jax.errors import InputError
from ganfail_jax.nn import stylegan2
from ganfail_jax.training import gan, loop
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.training.loop import Schedule
from ganfail_jax.weights import store
from tests.training.tiny_gan import AUGMENTED, CONDITIONAL, dataset

SCHEDULE = Schedule(log=0.008, checkpoint=0.016, evaluate=0.012, sheet=0.02)
STEPS = 10  # logged every 2, checkpointed every 4, measured every 3, and all of it at the end
CONFIGS = {"conditional": CONDITIONAL, "augmented": AUGMENTED}
ROOT = Path(__file__).parents[2]


def data(config):
    return dataset(config.generator.resolution)


def train(config, folder, **arguments):
    state = loop.train(config, data(config), folder, schedule=SCHEDULE, **arguments)
    return jax.device_get(state)


def scores(*values):
    """An evaluation that returns these, one after the other."""
    sequence = iter(values)
    return lambda variables: {"score": next(sequence), "other": 5.0}


def assert_identical(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope="module", params=CONFIGS)
def finished(request, tmp_path_factory):
    """A run without interruption: its configuration, folder and last state."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    config = CONFIGS[request.param]
    return config, folder, train(config, folder, evaluate=scores(3.0, 1.0, 2.0, 2.5))


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    """A finished run, to be copied before it is changed."""
    folder = tmp_path_factory.mktemp("shared") / "run"
    return folder, train(CONDITIONAL, folder)


@pytest.fixture
def copied(conditional, tmp_path):
    folder, state = conditional
    return shutil.copytree(folder, tmp_path / "run"), state


def interfere(monkeypatch, at, change):
    """After step `at` of every further run `change` acts on the state."""
    step_of = gan.train_step

    def train_step(run, config, state, step, *inputs):
        state, metrics = step_of(run, config, state, step, *inputs)
        return (change(state) if step + 1 == at else state), metrics

    monkeypatch.setattr(gan, "train_step", train_step)


def kill(state):
    raise KeyboardInterrupt


def events(folder):
    """Every record of the event files, oldest first (TFRecord: length, crc, payload, crc)."""
    for path in sorted((folder / "tensorboard").iterdir(), key=lambda path: path.stat().st_mtime):
        raw, position = path.read_bytes(), 0
        while position < len(raw):
            (length,) = struct.unpack_from("<Q", raw, position)
            yield Event.FromString(raw[position + 12 : position + 12 + length])
            position += 12 + length + 4


def scalars(folder):
    """{tag: {images seen: value}}."""
    found = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


# A whole run


def test_run_trains_everything_and_leaves_what_it_promises(finished):
    config, folder, state = finished
    assert state.step == STEPS
    start = jax.device_get(gan.init(config))
    for before, after in [
        (start.generator["params"], state.generator["params"]),
        (start.discriminator, state.discriminator),
        (start.ema["params"], state.ema["params"]),
    ]:
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, after)
        assert np.mean(jax.tree.leaves(moved)) > 0.9
    assert sorted(p.name for p in (folder / "sheets").iterdir()) == [
        "000000020.png",
        "000000040.png",
    ]
    steps = {int(path.name) for path in (folder / "checkpoints").iterdir()}
    assert steps == {8, 10}


def test_augmentation_probability_moves_only_where_asked_for(finished):
    config, folder, _ = finished
    probabilities = set(scalars(folder)["augment_p"].values())
    assert (max(probabilities) > 0) == config.augment
    assert min(probabilities) >= 0


def test_average_generator_is_exported_as_a_weights_folder(finished):
    config, folder, state = finished
    stored = store.load(folder / "latest")
    assert stored.kind == "stylegan2"
    assert stylegan2.StyleGAN2Config(**stored.config) == config.generator
    assert stored.about["images_seen"] == 40
    assert stored.about["class_names"] == ["a", "b", "c"]
    assert_identical(jax.device_get(store.assign(stored, state.ema)), state.ema)


def test_event_file_is_readable_and_complete(finished):
    _, folder, _ = finished
    found = scalars(folder)
    images = {8, 16, 24, 32, 40}
    for tag in ("loss/g", "loss/d", "r1", "path_length", "logits/real", "augment_p", "img_per_s"):
        assert set(found[tag]) == images
        assert np.isfinite(list(found[tag].values())).all()
    assert found["quality/score"] == {12: 3.0, 24: 1.0, 36: 2.0, 40: 2.5}


def test_snapshot_of_the_lowest_score_is_kept(finished):
    _, folder, _ = finished
    best = store.load(folder / "best")
    assert best.about["images_seen"] == 24
    assert best.about["measured"] == {"score": 1.0, "other": 5.0}
    arrays = store.load(folder / "latest").arrays
    assert any((best.arrays[name] != arrays[name]).any() for name in arrays)


def test_sheet_has_a_row_of_ten_per_class(tmp_path):
    from matplotlib import image

    loop.sample_sheet(CONDITIONAL, gan.init(CONDITIONAL).ema, tmp_path / "sheet.png")
    assert image.imread(tmp_path / "sheet.png").shape[:2] == (3 * 8 * 2, 10 * 8 * 2)


# Started from weights


def test_generator_starts_from_stored_weights_and_waits_for_the_discriminator(
    conditional, tmp_path
):
    folder, _ = conditional
    start = store.load(folder / "latest")
    config = replace(CONDITIONAL, warmup_kimg=0.012)  # 3 steps
    fresh, warm = jax.device_get(gan.init(config)), tmp_path / "run"
    state = train(config, warm, start=start, stop_step=3)
    given = jax.device_get(store.assign(start, fresh.generator))
    assert_identical(state.generator, given)
    assert_identical(state.ema["params"], state.generator["params"])
    learnt = jax.tree.map(lambda a, b: (a != b).any(), state.discriminator, fresh.discriminator)
    assert np.mean(jax.tree.leaves(learnt)) > 0.9
    state = train(config, warm, start=start, stop_step=4)
    moved = jax.tree.map(lambda a, b: (a != b).any(), state.generator["params"], given["params"])
    assert np.mean(jax.tree.leaves(moved)) > 0.9
    about = store.load(warm / "latest").about
    assert about["start_from"]["sha256"] == start.sha256
    assert (about["images_seen"], about["start_from"]["images_seen"]) == (16, 40)


def test_run_started_from_weights_goes_on_only_with_them(conditional, copied):
    start = store.load(conditional[0] / "latest")
    with pytest.raises(TrainingError, match="holds a run with start_from=None, not "):
        train(CONDITIONAL, copied[0], start=start)


def test_weights_of_another_generator_are_refused(conditional, tmp_path):
    start = store.load(conditional[0] / "latest")
    with pytest.raises(TrainingError, match="weights do not fit the generator to train: "):
        loop.train(AUGMENTED, data(AUGMENTED), tmp_path / "run", start=start)
    assert not (tmp_path / "run").exists()


# Killed and resumed


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


def test_run_killed_in_its_last_export_makes_it_again(copied, monkeypatch):
    folder, _ = copied
    shutil.rmtree(folder / "checkpoints" / "10")
    shutil.rmtree(folder / "latest")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_export", lambda *_: kill(None))
        with pytest.raises(KeyboardInterrupt):
            train(CONDITIONAL, folder)
    train(CONDITIONAL, folder)
    assert store.load(folder / "latest").about["images_seen"] == 40


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
        train(CONDITIONAL, folder, evaluate=scores(score, 9.0))
        assert store.load(folder / "best").about["measured"]["score"] == kept


def test_finished_run_started_again_changes_nothing(copied):
    folder, expected = copied
    before = {path: path.stat().st_mtime_ns for path in folder.glob("latest/*")}
    assert_identical(train(CONDITIONAL, folder), expected)
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("latest/*")}


def test_run_may_be_made_longer_and_slower(copied, monkeypatch):
    folder, _ = copied
    phases = gan.phases(CONDITIONAL, runtime.data_mesh())
    monkeypatch.setattr(gan, "phases", lambda config, mesh: phases)
    longer = replace(CONDITIONAL, total_kimg=0.044, learning_rate=0.001, ema_kimg=1.0)
    assert train(longer, folder).step == 11
    config = json.loads((folder / "run.json").read_text())["config"]
    assert (config["total_kimg"], config["learning_rate"], config["ema_kimg"]) == (0.044, 0.001, 1)


def test_run_from_before_a_setting_existed_goes_on(copied):
    folder, expected = copied
    about = json.loads((folder / "run.json").read_text())
    assert about["config"]["generator"].pop("joint_norm") is False
    (folder / "run.json").write_text(json.dumps(about))
    assert_identical(train(CONDITIONAL, folder), expected)


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
    other = other._replace(name="other", images=other.images[:20], labels=other.labels[:20])
    with pytest.raises(TrainingError, match="dataset=made_up, not other, images=30, not 20"):
        loop.train(CONDITIONAL, other, folder)


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


def test_folder_of_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "thesis.tex").touch()
    expected = f"{tmp_path} holds other files; choose an empty --out"
    with pytest.raises(TrainingError, match="^" + re.escape(expected) + "$"):
        train(CONDITIONAL, tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["best", "thesis.tex"]


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to .*file/run.*; choose another --out"):
        train(CONDITIONAL, tmp_path / "file" / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((9, 4, 4, 1), np.uint8)}, r"are \(4, 4, 1\), .* makes \(8, 8, 1\)"),
        ({"class_names": ("a", "b")}, "made_up has 2 classes, this generator 3"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_anything_is_written(changes, message, tmp_path):
    with pytest.raises(TrainingError, match=message):
        loop.train(CONDITIONAL, data(CONDITIONAL)._replace(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Devices

ON_FOUR_DEVICES = """
import sys
from pathlib import Path
import jax
from ganfail_jax.training import loop
from tests.training.test_loop import CONFIGS, data
assert len(jax.devices()) == 4
config = CONFIGS[sys.argv[1]]
loop.train(config, data(config), Path(sys.argv[2]), stop_step=2)
"""


@pytest.mark.parametrize("name", CONFIGS)
def test_four_devices_agree_with_one_to_rounding(name, tmp_path):
    four = "--xla_force_host_platform_device_count=4"
    quick = "--xla_backend_optimization_level=0"  # compiles in half the time
    environment = {"XLA_FLAGS": f"{four} {quick}", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-c", ON_FOUR_DEVICES, name, str(tmp_path / "four")],
        check=True,
        env=os.environ | environment,
        capture_output=True,
    )
    one = train(CONFIGS[name], tmp_path / "one", stop_step=2)
    four = train(CONFIGS[name], tmp_path / "four", stop_step=2)  # restores on one device
    assert four.step == 2
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    jax.tree.map(close, four, one)
