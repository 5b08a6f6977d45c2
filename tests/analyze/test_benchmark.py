"""The benchmark measures what it names."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.analyze.test_rank import models  # noqa: F401  a fixture

ROOT = Path(__file__).parents[2]


def test_it_measures_the_passes(models, tmp_path):  # noqa: F811
    command = [sys.executable, "-m", "analyze.benchmark", "--notraining", f"--out={tmp_path}/run"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *models], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "run" / "result.json").read_text())
    assert content["style gradient"]["mflop_per_image"] > content["forward"]["mflop_per_image"] > 0
    assert content["matmul_gflops"] > 0
    again = subprocess.run(
        [*command, *models], env=env, capture_output=True, text=True, timeout=300
    )
    assert again.returncode == 1
    assert "already holds a result; choose another --out" in again.stderr
