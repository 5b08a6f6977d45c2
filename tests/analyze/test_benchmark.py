"""The benchmark measures what it names."""

import json

from tests.analyze.commands import run


def test_it_measures_the_passes(models, tmp_path):
    flags = ["--notraining", f"--out={tmp_path}/run", *models]
    done = run("benchmark", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "run" / "result.json").read_text())
    assert content["style gradient"]["mflop_per_image"] > content["forward"]["mflop_per_image"] > 0
    assert 0 < content["counting"]["mflop_per_image"] < content["forward"]["mflop_per_image"]
    assert content["matmul_gflops"] > 0
    again = run("benchmark", *flags, cwd=tmp_path)
    assert again.returncode == 1
    assert "already holds a result; choose another --out" in again.stderr
