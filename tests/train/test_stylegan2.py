"""The entry point, end to end on a made-up dataset of 8x8 images."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.cli.training import config_from, judge_from
from ganfail_jax.errors import InputError
from ganfail_jax.studies import train_gan
from ganfail_jax.training import loop
from ganfail_jax.training.stylegan2_run import PRESETS
from ganfail_jax.weights import store
from tests.analyze.commands import flags_of
from tests.tiny import random_variables
from tests.training.tiny_gan import CONDITIONAL, dataset
from train.stylegan2 import define

COMMAND = "stylegan2"
KIMG = ("--log_kimg=0.02", "--checkpoint_kimg=0.016", "--evaluate_kimg=0.02", "--sheet_kimg=0")
RUN = ("--dataset=made_up", "--preset=tiny", "--seed=3", *KIMG)


def test_run_says_what_it_does_and_what_it_wrote(start, finished):
    status, lines, errors = start(*RUN, f"--out={finished}")
    assert not status
    assert not errors
    assert lines[0] == "training StyleGAN2 (preset tiny) on made up"
    assert lines[1].startswith("0.04 kimg in batches of 4 on 1 x cpu -> ")
    about = store.load(finished / "best").about
    assert {"score", "clean_share", "black_share", "agreement"} <= set(about["measured"])
    assert lines[2] == f"snapshots are scored on {about['scored_on']}"
    assert lines[3].startswith(f"{finished}/best: {about['images_seen']} images seen, score ")
    assert lines[4] == f"{finished}/latest: 40 images seen"
    assert lines[5] == f"also {finished}/checkpoints, {finished}/sheets and {finished}/tensorboard"
    generator, variables = zoo.load_generator(str(finished))
    z, label = jax.numpy.ones((3, 6)), jax.numpy.eye(3)
    images, _ = generator.synthesize(variables, generator.styles(variables, z, label))
    assert images.shape == (3, 8, 8, 1)

    status, again, errors = start(*RUN, f"--out={finished}")
    assert not status
    assert again == lines


@pytest.mark.parametrize(
    ("given", "r1_gamma", "ema_kimg"),
    [
        ({"preset": "mnist_c"}, 0.0064, 10.0),
        ({"preset": "mnist_c", "batch_size": 128}, 0.0016, 40.0),
        ({"preset": "paper32", "batch_size": 16}, 0.0128, 5.0),
    ],
)
def test_regularisation_and_averaging_follow_the_batch(given, r1_gamma, ema_kimg):
    config = config_from(flags_of(define, **given), PRESETS[given["preset"]])
    assert (config.r1_gamma, config.ema_kimg) == (r1_gamma, ema_kimg)
    gamma = 0.0002 * config.generator.resolution**2 / config.batch_size  # NVIDIA's rule
    assert config.r1_gamma == pytest.approx(gamma)


def test_the_same_training_without_flags(start, finished, tmp_path, capsys):
    """Bit for bit, and in the same precision, whatever is set."""
    assert start(*RUN, f"--out={finished}")[0] == 0
    schedule = loop.Schedule(0.02, 0.016, 0.02, 0.0)
    task = train_gan.plan(CONDITIONAL, dataset(), tmp_path / "run", schedule=schedule)
    assert not (tmp_path / "run").exists()
    precisions = []

    def precision():
        return jax.config.jax_default_matmul_precision  # pyright: ignore

    def evaluate(variables):
        precisions.append(precision())
        return {"score": 1.0}

    judge = loop.Judge(evaluate, "nothing")
    judged = train_gan.plan(
        CONDITIONAL, dataset(), tmp_path / "judged", schedule=schedule, judge=judge
    )
    with jax.default_matmul_precision("highest"):
        state = task()
        judged()
        assert precision() == "highest"
    assert (int(state.step), {*precisions}) == (10, {None})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{tmp_path}/run/latest: 40 images seen"
    assert f"{tmp_path}/judged/best: 20 images seen, score 1" in printed
    ours, theirs = (store.load(folder / "latest") for folder in (tmp_path / "run", finished))
    for name, array in theirs.arrays.items():
        np.testing.assert_array_equal(ours.arrays[name], array)
    with pytest.raises(InputError, match="holds a run; resume it by --resume or choose another"):
        train_gan.plan(CONDITIONAL, dataset(), tmp_path / "run", resume=False)


def test_default_folder_is_named_for_dataset_preset_and_seed(start, tmp_path):
    (tmp_path / "runs").touch()
    status, _, errors = start(*RUN)
    assert status == 1
    assert "runs/train/stylegan2-made_up-tiny-3" in errors[0]


def test_without_a_classifier_no_best_is_kept(start, monkeypatch, capsys):
    monkeypatch.delitem(zoo.DEFAULTS, "made_up")
    assert judge_from(flags_of(define), CONDITIONAL, dataset()) is None
    printed = capsys.readouterr().out
    assert printed == (
        "no bundled classifier for made_up: no best snapshot is kept; give a --classifier to keep "
        "one\n"
    )


FOREST = """
from ganfail_jax.nn.wrapped import wrap


def forest():
    brightness = lambda x: x.mean(axis=(1, 2, 3))[:, None] * [1.0, 0.5, -1.0]
    return wrap(brightness, gradient=False, size=8, channels=1, class_names=NAMES)
"""


@pytest.fixture
def judge_by(tmp_path, monkeypatch, capsys):
    """`judge_from` with a function that has no gradient and no map -> judge and printed lines."""

    def judge(names, dataset):
        module = f"judge_{names}"
        (tmp_path / f"{module}.py").write_text(f"NAMES = {names!r}\n{FOREST}")
        monkeypatch.syspath_prepend(tmp_path)
        flags = flags_of(define, classifier=f"{module}:forest")
        return judge_from(flags, CONDITIONAL, dataset), capsys.readouterr().out.splitlines()

    return judge


def test_any_classifier_judges_any_data(judge_by):
    judge, lines = judge_by("abc", dataset())
    assert judge is not None
    assert lines == [f"snapshots are scored on {judge.scored_on}"]
    wanted = r"classifier logits of judge_abc:forest \([0-9a-f]{12}\)"
    assert re.fullmatch(wanted, judge.scored_on)
    measured = judge.evaluate(random_variables(CONDITIONAL.generator))
    assert {"score", "agreement"} <= measured.keys()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("bca", "has the classes of made_up in another order, b, c, a instead of a, b, c; train"),
        ("abcd", "the function makes|class names for"),
    ],
)
def test_a_judge_of_other_classes_is_one_line(judge_by, names, message):
    with pytest.raises(InputError, match=message):
        judge_by(names, dataset())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classifier=nope"], "no classifier 'nope': neither bundled (tiny_for_training) nor a"),
        (["--classifier=nope.onnx"], "no file nope.onnx"),
        (["--mean=0.5"], "says itself how images enter it; leave out mean"),
        (["--dataset=nope"], "no dataset is called 'nope'; datasets are mnist, mnist_c, made_up"),
        (["--preset=nope"], "no preset is called 'nope'; presets are auto, mnist_c, paper32, tiny"),
        (["--batch_size=0"], "flag --batch_size=0: 0 is not an integer in the range [1, 100000]"),
        (["--batch_size=6"], "batch_size 6 must be at least 1 and, above 4, a multiple of 4,"),
        (["--seed=-1"], "seed"),
        (
            ["--learning_rate=-1"],
            "flag --learning_rate=-1: -1.0 is not a number in the range [0.0, ",
        ),
        (["--total_kimg=0"], "seed must be at least 0 and total_kimg above 0, not 3 and 0.0"),
        (
            ["--preset=paper32"],
            "generator, classifier and data are (32, 32, 1), (8, 8, 1) and (8, 8, 1)",
        ),
        (["--start_from=nope"], "no generator 'nope': neither bundled (none) nor a training run's"),
        (["--start_discriminator=nope"], "no discriminator 'nope': neither bundled (none) nor a"),
        (["--start_from="], " is no generator: neither it nor its "),
        (["--start_discriminator="], " is no discriminator: neither it nor its "),
        (["--inception_weights=nope"], "nope cannot be read"),
        (["--learning_rate=0"], "learning_rate and ema_kimg must be above 0, not 0.0 and"),
        (["--warmup_kimg=-1"], "flag --warmup_kimg=-1: -1.0 is not a number in the range [0.0, "),
        (["--log_kimg=-1"], "flag --log_kimg=-1: -1.0 is not a number in the range [0.0, "),
        (["--class_weight=0.1"], "class_weight 0.1 needs a discriminator with class_head"),
        (["now"], "'now'"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(start, tmp_path, arguments, message):
    status, _, errors = start(*RUN, *arguments, f"--out={tmp_path / 'run'}")
    assert status == 1
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert message in errors[0]
    assert not (tmp_path / "run").exists()


def test_folder_that_cannot_be_used_is_one_line(start, finished, tmp_path):
    (tmp_path / "file").touch()
    checkpoint = finished / "checkpoints" / "10"
    for arguments, message in [
        ((f"--out={tmp_path / 'file' / 'run'}",), "cannot write to "),
        ((f"--out={finished}", "--seed=4"), "holds a run with seed=3, not 4; choose another --out"),
        ((f"--out={finished}", "--noresume"), "holds a run; resume it by --resume or choose"),
    ]:
        status, _, errors = start(*RUN, *arguments)
        assert (status, len(errors)) == (1, 1)
        assert message in errors[0]
    for path in checkpoint.rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    status, _, errors = start(*RUN, f"--out={finished}")
    assert (status, len(errors)) == (1, 1)
    assert f"checkpoint {checkpoint} is damaged or of another network; delete" in errors[0]


def test_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "train.stylegan2", "--preset=nope"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: no preset is called 'nope'; presets are auto, mnist_c, paper32"
    ]
