"""The benchmark measures what it names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analyze.commands import run

CACHES = """
import types
from analyze import benchmark

def run(command, env, **_):
    print(env.get("JAX_COMPILATION_CACHE_DIR"), env["GANFAIL_CACHE"])
    return types.SimpleNamespace(returncode=0)

benchmark.subprocess.run = run
print(len([*benchmark.command_times()]))
"""


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
    assert (done.returncode, done.stdout) == (1, "measuring\n")
    assert done.stderr.startswith("error: nope cannot be read")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_commands_start_with_nothing_compiled(tmp_path):
    """Whatever folder the environment names; what the first compiles the second finds."""
    names = ("GANFAIL_CACHE", "JAX_COMPILATION_CACHE_DIR")
    environment = os.environ | {name: str(tmp_path) for name in names}
    command = [sys.executable, "-c", CACHES]
    root = Path(__file__).parents[2]
    printed = subprocess.check_output(command, env=environment, cwd=root, text=True)
    *folders, count = printed.splitlines()
    assert len(folders) == int(count) == 3
    assert len(set(folders)) == 1
    assert folders[0].startswith("None ")
    assert str(tmp_path) not in folders[0]
