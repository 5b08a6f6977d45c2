"""`python -m analyze.rank` end to end on a tiny generator, and everything a user can get wrong."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from ganfail_jax import results
from tests.analyze.commands import ENVIRONMENT, arrays_with_shown, command, only_folder, run
from tests.tiny import CLASS_NAMES


def rank(*args, cwd):
    return run("rank", *args, cwd=cwd)


@pytest.fixture(scope="module")
def finished(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cwd")
    done = rank(*models, "--num_samples=60", "--batch_size=30", "--bootstrap=5", cwd=folder)
    return done, only_folder(folder, "rank")


def test_it_writes_a_result_that_reloads(finished):
    done, folder = finished
    assert done.returncode == 0, done.stderr
    result = results.load(folder)
    everything = result.summary["groups"]["all"]
    assert everything["samples"] == 60
    assert len(everything["top"]) == 10
    top = everything["top"][0]
    score = result.arrays["score"][0]
    assert abs(top["score"]) == pytest.approx(np.abs(score).max())
    assert result.arrays["names"][top["index"]] == top["dimension"]
    assert top["interval95"][0] < top["score"] < top["interval95"][1]
    assert top["degrading_direction"] == -np.sign(top["score"])
    assert set(result.summary["groups"]) == {"all", *CLASS_NAMES}
    identity = result.provenance["identity"]
    assert (identity["num_samples"], identity["seed"]) == (60, 0)
    assert len(identity["generator_sha256"]) == 64
    assert identity["noise"] == "random"
    assert "noise random, on " in done.stdout


def test_it_prints_the_numbers_and_the_paths(finished):
    done, folder = finished
    files = sorted(path.name for path in folder.iterdir())
    figures = ["classes.png", "push.png", "top_dimensions.png"]
    assert files == sorted([*figures, "result.json", "result.npz", "shown.npz"])
    for part in (*files, "60 samples, accuracy", "pushed by one standard deviation"):
        assert part in done.stdout


def test_a_finished_result_is_reused_and_another_is_refused(finished, models):
    _, folder = finished
    before = (folder / "result.json").read_bytes()
    same = [*models, "--num_samples=60", "--bootstrap=5", "--batch_size=7"]
    again = rank(*same, cwd=folder.parents[2])
    assert again.returncode == 0, again.stderr
    assert "already holds this result" in again.stdout
    other = rank(*same, "--score=margin", f"--out={folder}", cwd=folder.parents[2])
    assert other.returncode == 1
    assert "made with other score; choose another --out" in other.stderr
    assert (folder / "result.json").read_bytes() == before


def test_another_class_is_only_drawn(finished, models, monkeypatch):
    _, folder = finished
    before = [(folder / f"result.{suffix}").read_bytes() for suffix in ("json", "npz")]
    same = [*models, "--num_samples=60", "--bootstrap=5"]
    monkeypatch.setattr("ganfail_jax.analysis.ranking.rank", None)
    other = (arrays_with_shown(folder)["push_true_class"] + 1) % 3
    again = rank(*same, f"--show_class={CLASS_NAMES[other]}", cwd=folder.parents[2])
    assert again.returncode == 0, again.stderr
    assert arrays_with_shown(folder)["push_true_class"] == other
    assert [(folder / f"result.{suffix}").read_bytes() for suffix in ("json", "npz")] == before
    assert only_folder(folder.parents[2], "rank") == folder


def test_a_result_from_before_noise_was_told_is_another(finished, models, tmp_path):
    """Its classifier saw images that were not viewed, and the same noise in all."""
    result = results.load(finished[1])
    del result.provenance["identity"]["noise"]
    results.save(tmp_path / "old", result.summary, result.provenance, result.arrays)
    same = [*models, "--num_samples=60", "--bootstrap=5", f"--out={tmp_path / 'old'}"]
    for noise in ("random", "const"):
        done = rank(*same, f"--noise={noise}", cwd=tmp_path)
        assert done.returncode == 1
        assert "holds a result made with other noise; choose another --out" in done.stderr


BAD = [
    (["--noise=loud"], "flag --noise=loud: value should be one of <random|const|none>"),
    (
        ["--generator=mnist_c_pggan", "--noise=const"],
        "this generator has no noise inputs: leave --noise out",
    ),
    (["--dataset=mnist_d"], "no dataset is called 'mnist_d'; datasets are mnist, mnist_c"),
    (
        ["--generator=mnist_c_pggan", "--truncation_psi=0.7"],
        "mnist_c_pggan has no truncation; --truncation_psi must be 1",
    ),
    (
        ["--generator=nothing"],
        "no generator 'nothing': neither bundled (mnist_c, mnist_c_pggan, mnist_c_v1)",
    ),
    (["--classifier=nothing"], "no classifier 'nothing': neither bundled (mnist_c_clean"),
    (["--generator={tmp}"], "is no generator: neither it nor its best/ or latest/ holds"),
    (["--show_class=eleven"], "no class 'eleven'; the classes are 0, 1, 2"),
    (["--num_samples=1"], "flag --num_samples=1: 1 is not an integer in the range [2, "),
    (["--seed=-1"], "flag --seed=-1: -1 is not an integer in the range"),
    (["--num_samples=0"], "flag --num_samples=0: 0 is not an integer in the range [2, "),
    (["--score=gradient"], "flag --score=gradient: value should be one of <softmax|logit|"),
    (["--sample=3"], "Unknown command line flag 'sample'"),
    (["--generator={generator}"], "makes 8x8x1 images, but classifier mnist_c_corrupted takes 32x"),
    (["--generator={truncated}"], "weights.npz: truncated or damaged"),
    (["--out={tmp}/file/run"], "cannot write to"),
    (["mnist_c"], "what is 'mnist_c'? Flags are given as --name=value"),
]


@pytest.mark.parametrize(
    ("args", "message"), BAD, ids=lambda x: x[0] if isinstance(x, list) else ""
)
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    (tmp_path / "file").touch()
    generator = Path(models[0].removeprefix("--generator="))
    truncated = tmp_path / "truncated"
    truncated.mkdir()
    (truncated / "config.json").write_bytes((generator / "config.json").read_bytes())
    (truncated / "weights.npz").write_bytes((generator / "weights.npz").read_bytes()[:3000])
    before = sorted(tmp_path.rglob("*"))
    names = {"tmp": tmp_path, "generator": generator, "truncated": truncated}
    done = rank(*(arg.format(**names) for arg in args), cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_result(finished, models, tmp_path):
    """Ctrl-C in the middle, then the same command: bit for bit the uninterrupted result."""
    args = [*models, "--num_samples=2000", "--batch_size=10", "--bootstrap=5"]
    cut = [*args, f"--out={tmp_path / 'cut'}"]
    with subprocess.Popen(
        command("rank", *cut),
        cwd=tmp_path,
        env=ENVIRONMENT | {"TQDM_MININTERVAL": "0.1"},  # stderr is not a terminal
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        progress = ""
        while not re.search(r" [1-9]\d*/2000", progress) and process.poll() is None:
            progress = (progress + process.stderr.read(1))[-400:]
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert "interrupted; run the same command again to resume" in rest
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["unfinished-gradients.npz"]
    assert rank(*cut, cwd=tmp_path).returncode == 0
    assert rank(*args, f"--out={tmp_path / 'whole'}", cwd=tmp_path).returncode == 0
    first, second = (results.load(tmp_path / name).arrays for name in ("cut", "whole"))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    provenance = json.loads((tmp_path / "cut" / "result.json").read_text())["provenance"]
    assert provenance["identity"]["num_samples"] == 2000


def test_an_interrupt_while_programs_are_compiled_is_no_crash(models, tmp_path):
    with subprocess.Popen(
        command("rank", *models, "--num_samples=60", f"--out={tmp_path / 'cut'}"),
        cwd=tmp_path, env=ENVIRONMENT | {"GANFAIL_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        while not process.stdout.readline().endswith("compiling\n"):
            assert process.poll() is None
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.endswith("interrupted; run the same command again to resume\n")
