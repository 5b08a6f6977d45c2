"""The entry point, end to end on made-up images of 8x8; what it shares is in test_stylegan2.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from ganfail_jax import zoo
from ganfail_jax.cli.training import config_from
from ganfail_jax.training.pggan_step import PRESETS
from ganfail_jax.weights import store
from tests.analyze.commands import flags_of
from train.pggan import define

COMMAND = "pggan"
KIMG = ("--log_kimg=0.02", "--checkpoint_kimg=0.016", "--evaluate_kimg=0.02", "--sheet_kimg=0")
RUN = ("--dataset=made_up", "--preset=tiny", "--seed=3", *KIMG)


def test_run_leaves_a_generator_that_analyses_take(start, tmp_path):
    folder = tmp_path / "run"
    status, lines, errors = start(*RUN, f"--out={folder}")
    assert not status
    assert not errors
    assert lines[0] == "training PGGAN (preset tiny) on made up"
    assert lines[1].startswith("0.04 kimg in batches of 4 on 1 x cpu -> ")
    measured = store.load(folder / "best").about["measured"]
    assert {"score", "clean_share", "black_share", "agreement"} <= set(measured)
    assert lines[4] == f"{folder}/latest: 40 images seen"
    generator, _ = zoo.load_generator(str(folder))
    assert generator.style_dims == {"z": 6, "label": 3}

    status, again, _ = start(*RUN, f"--out={folder}")
    assert not status
    assert again == lines


def test_a_grown_generator_is_trained_further(start, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert not start(*RUN, f"--out={first}")[0]
    status, _, errors = start(*RUN, f"--start_from={first}", f"--out={second}")
    assert status == 1
    assert errors[0].endswith("outputs to grow from: give --first_resolution=8")
    further = (*RUN, f"--start_from={first}/latest", "--first_resolution=8", "--total_kimg=0.004")
    status, _, errors = start(*further, f"--out={second}")
    assert (status, errors) == (0, [])
    stored = store.load(second / "latest")
    assert stored.about["start_from"]["images_seen"] == 40


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"preset": "paper32"}, {"loss": "wgan_gp", "ema_kimg": 11.085}),
        ({"preset": "paper32", "batch_size": 32}, {"ema_kimg": 22.17, "batch_size": 32}),
        ({"loss": "wgan_gp", "gp_weight": 5}, {"loss": "wgan_gp", "gp_weight": 5.0}),
        ({"loss": "r1", "r1_gamma": 5}, {"loss": "r1", "r1_gamma": 5.0}),
        ({"stable_kimg": 7, "fade_kimg": 8}, {"stable_kimg": 7.0, "fade_kimg": 8.0}),
        ({"first_resolution": 16}, {"first_resolution": 16}),
    ],
)
def test_flags_change_the_preset(given, changed):
    config = config_from(flags_of(define, **given), PRESETS[given.get("preset", "mnist_c")])
    assert {name: getattr(config, name) for name in changed} == changed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset=nope"], "no preset is called 'nope'; presets are auto, mnist_c, paper32, tiny"),
        (["--first_resolution=5"], "first_resolution must be one of 4, 8, not 5"),
        (["--stable_kimg=0"], "stable_kimg must be above 0, fade_kimg at least 0, not 0.0 and"),
        (["--batch_size=6"], "batch_size 6 must be at least 1 and, above 4, a multiple of 4,"),
        (["--loss=hinge"], "flag --loss=hinge: value should be one of <wgan_gp|r1>"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(start, tmp_path, arguments, message):
    status, _, errors = start(*RUN, *arguments, f"--out={tmp_path / 'run'}")
    assert status == 1
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "run").exists()


def test_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "train.pggan", "--preset=nope"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: no preset is called 'nope'; presets are auto, mnist_c, paper32"
    ]
