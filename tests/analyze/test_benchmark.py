"""The benchmark measures what it names."""

import json
import os
from types import SimpleNamespace

import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.studies import benchmark
from tests.analyze.commands import run


def test_it_measures_the_passes(models, tmp_path):
    flags = ["--notraining", "--nocommands", f"--out={tmp_path}/run", *models]
    done = run("benchmark", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "run" / "result.json").read_text())
    passes = {each["name"]: each for each in content["passes"]}
    forward, gradient = passes["generator and classifier"], passes["style gradient"]
    counting, ablation = passes["counting, early layers"], passes["ablation, early layers"]
    work = [each["mflop_per_image"] for each in (counting, forward, gradient)]
    assert 0 < work[0] < work[1] < work[2]
    assert ablation["mflop_per_image"] > counting["mflop_per_image"]
    for each in passes.values():
        share = each["images_per_s"] * each["mflop_per_image"] / content["matmul_gflops"] / 1e3
        assert each["of_matmul"] == pytest.approx(share)
    ratio = forward["images_per_s"] / gradient["images_per_s"]
    assert content["gradient_over_forward"] == pytest.approx(ratio)
    table = (tmp_path / "run" / "benchmark.md").read_text()
    assert table.count("\n") == 2 + len(passes)
    assert f"| {forward['images_per_s']:,.0f} |" in table
    again = run("benchmark", *flags, cwd=tmp_path)
    assert again.returncode == 1
    assert "already holds a result; choose another --out" in again.stderr


def test_weights_that_cannot_be_read_are_one_line_and_write_nothing(models, tmp_path):
    flags = ["--inception_weights=nope", f"--out={tmp_path}/run", *models]
    done = run("benchmark", *flags, cwd=tmp_path)
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: nope cannot be read")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.fixture
def calls(monkeypatch):
    """What commands were called with, in place of calling them."""
    calls = []

    def call(command, env, **_):
        calls.append((command[1:], env))
        return SimpleNamespace(returncode=int("--seed=1" in command), stderr=b"not today")

    monkeypatch.setattr(benchmark.subprocess, "run", call)
    return calls


def test_commands_start_with_nothing_compiled(calls, monkeypatch, tmp_path):
    """Whatever folder the environment names; what the first compiles the second finds."""
    names = ("GANFAIL_CACHE", "JAX_COMPILATION_CACHE_DIR")
    for name in names:
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(InputError, match=r"analyze\.rank --seed=1 .* failed: not today"):
        list(benchmark.command_times())
    assert [command[:2] for command, _ in calls] == [["-m", "analyze.rank"]] * 3
    assert [command[2].split("=")[0] for command, _ in calls] == ["--help", "--out", "--seed"]
    caches = {tuple(env.get(name) for name in names) for _, env in calls}
    ((cache, compiled),) = caches
    assert compiled is None
    assert cache != str(tmp_path)
    assert os.path.isabs(cache)
