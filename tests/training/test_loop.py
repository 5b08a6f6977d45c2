"""Whole runs: what they leave behind, what they refuse, and one device against four."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.training import loop
from ganfail_jax.training.checkpoints import TrainingError
from ganfail_jax.weights import store
from tests.training.runs import (
    CONFIGS,
    STEPS,
    assert_identical,
    data,
    fresh,
    recipe,
    scalars,
    train,
)
from tests.training.tiny_gan import CONDITIONAL, GROWING

ROOT = Path(__file__).parents[2]


def test_run_trains_everything_and_leaves_what_it_promises(finished):
    config, folder, state = finished
    assert state.step == STEPS
    start = fresh(config)
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


def test_average_generator_is_exported_as_a_weights_folder(finished):
    config, folder, state = finished
    stored = store.load(folder / "latest")
    assert stored.kind == recipe(config).kind
    assert zoo.NETWORKS[stored.kind][0](**stored.config) == config.generator
    assert stored.about["images_seen"] == 40
    assert stored.about["class_names"] == ["a", "b", "c"]
    _, averaged = recipe(config).snapshot(state)
    assert_identical(jax.device_get(store.assign(stored, averaged)), averaged)


def test_discriminator_is_exported_beside_the_generator_it_was_trained_with(finished):
    config, folder, state = finished
    stored, latest = (store.load(folder / part) for part in ("discriminator", "latest"))
    assert stored.kind == f"{latest.kind}_discriminator"
    assert zoo.NETWORKS[stored.kind][0](**stored.config) == config.discriminator
    assert stored.about["images_seen"] == 40
    assert stored.about["generator_sha256"] == latest.sha256
    _, params = zoo.load_discriminator(str(folder))
    smaller = {"b0004_fromrgb"} if config == GROWING else set()  # only needed while it grows
    assert set(state.discriminator) - set(params["params"]) == smaller
    for name, layer in params["params"].items():
        assert_identical(jax.device_get(layer), state.discriminator[name])


TAGS = ("loss/g", "loss/d", "logits/real", "img_per_s")
OWN_TAGS = {
    "stylegan2": ("r1", "path_length", "augment_p"),
    "pggan": ("penalty", "loss/class", "resolution", "alpha"),
}


def test_event_file_is_readable_and_complete(finished):
    config, folder, _ = finished
    found = scalars(folder)
    for tag in TAGS + OWN_TAGS[recipe(config).kind]:
        assert set(found[tag]) == {8, 16, 24, 32, 40}
        assert np.isfinite(list(found[tag].values())).all()
    if config == GROWING:
        assert list(found["resolution"].values()) == [4, 8, 8, 8, 8]
        np.testing.assert_allclose(list(found["alpha"].values()), [1, 1 / 3, 1, 1, 1], rtol=1e-6)
    else:
        probabilities = set(found["augment_p"].values())
        assert (max(probabilities) > 0) == config.augment
        assert min(probabilities) >= 0


def test_fully_grown_generator_is_measured_and_the_best_one_kept(finished):
    config, folder, _ = finished
    measured = [12, 24, 36, 40] if config != GROWING else [24, 36, 40]
    expected = dict(zip(measured, (3.0, 1.0, 2.0, 2.5), strict=False))
    assert scalars(folder)["quality/score"] == expected
    best = store.load(folder / "best")
    assert best.about["images_seen"] == measured[1]
    assert best.about["measured"] == {"score": 1.0, "other": 5.0}
    arrays = store.load(folder / "latest").arrays
    assert any((best.arrays[name] != arrays[name]).any() for name in arrays)


@pytest.mark.parametrize(("steps", "resolution"), [(3, 4), (4, 4), (5, 8), (6, 8)])
def test_growing_generator_is_exported_at_the_resolution_that_dominates(
    tmp_path, steps, resolution
):
    train(GROWING, tmp_path / "run", stop_step=steps)
    generator, params = zoo.load_generator(str(tmp_path / "run"))
    assert generator.image_shape == (resolution, resolution, 1)
    styles = generator.styles(params, jnp.ones((1, 6)), jnp.eye(3)[:1])
    images = generator.synthesize(params, styles)[0]
    assert images.shape == (1, resolution, resolution, 1)
    discriminator, params = zoo.load_discriminator(str(tmp_path / "run"))
    assert discriminator.image_shape == images.shape[1:]
    assert discriminator.score(params, images, None).shape == (1,)


def test_sheet_has_a_row_of_ten_per_class(tmp_path):
    from matplotlib import image

    made = recipe(CONDITIONAL)
    snapshot = made.snapshot(fresh(CONDITIONAL))
    loop.sample_sheet(CONDITIONAL, made, snapshot, tmp_path / "sheet.png")
    assert image.imread(tmp_path / "sheet.png").shape[:2] == (3 * 8 * 2, 10 * 8 * 2)


# Refusals


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
        ({"images": in_memory(np.zeros((9, 4, 4, 1), np.uint8))}, r"are 4x4x1, .* makes 8x8x1"),
        ({"class_names": ("a", "b")}, "made_up has 2 classes, this generator 3"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_anything_is_written(changes, message, tmp_path):
    with pytest.raises(TrainingError, match=message):
        loop.prepare(CONDITIONAL, data(CONDITIONAL)._replace(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Devices

ON_FOUR_DEVICES = """
import sys
from pathlib import Path
import jax
from ganfail_jax.training import loop
from tests.training.runs import CONFIGS, data
assert len(jax.devices()) == 4
config = CONFIGS[sys.argv[1]]
loop.train(loop.prepare(config, data(config), Path(sys.argv[2])), stop_step=2)
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
