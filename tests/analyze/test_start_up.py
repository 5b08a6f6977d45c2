"""What a command does before it computes: what it imports, and which programs it compiles."""

import subprocess
import sys

import numpy as np
import pytest

from ganfail_jax import results
from tests.analyze import commands

COMMANDS = [
    f"{path.parent.name}.{path.stem}"
    for folder in ("analyze", "train")
    for path in sorted((commands.ROOT / folder).glob("*.py"))
    if "__main__" in path.read_text()
]
TRAINING = {"orbax", "tensorboardX"}
LATE = {  # each takes a tenth of a second or more
    "matplotlib",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.stats",
    "sklearn",
    "tensorflow_datasets",
}
IMPORT = """
import importlib, sys

for command in sys.argv[1:]:
    importlib.import_module(command)
print(*sys.modules)
"""


@pytest.mark.parametrize(("folder", "late"), [("analyze", LATE | TRAINING), ("train", LATE)])
def test_help_does_not_wait_for_what_it_does_not_need(folder, late):
    named = [command for command in COMMANDS if command.startswith(folder)]
    assert len(named) > 3
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *named],
        cwd=commands.ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not late & {*done.stdout.split()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the compiled programs of this test's commands."""
    monkeypatch.setitem(commands.ENVIRONMENT, "GANFAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


def programs(cache):
    """Names of the compiled programs, each as often as it was compiled."""
    return sorted(path.name.split("-")[0] for path in cache.iterdir())


def rank(out, *args):
    sizes = ("--num_samples=60", "--batch_size=30", "--bootstrap=5", "--top=4")
    done = commands.run_process("rank", *sizes, *args, f"--out={out}", cwd=out.parent)
    assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr
    return results.load(out).arrays


PROGRAMS = ["jit_contrast_and_noise", "jit_draw", "jit_step", "jit_view"]


def test_ranking_compiles_four_programs_for_all_settings(models, cache, tmp_path):
    first = rank(tmp_path / "first", *models)
    assert programs(cache) == PROGRAMS
    again = rank(tmp_path / "again", *models)
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name, strict=True)
    other = ("--seed=1", "--truncation_psi=0.9", "--num_samples=70", "--show_class=b")
    moved = rank(tmp_path / "other", *models, *other)
    assert not np.array_equal(moved["score"], first["score"])
    assert programs(cache) == PROGRAMS


def test_counting_compiles_nothing_for_another_seed(models, cache, tmp_path):
    counts = []
    for seed in (0, 1):
        flags = (models[0], "--num_samples=100", f"--seed={seed}", f"--out={tmp_path / str(seed)}")
        done = commands.run_process("rates", *flags, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        counts.append(programs(cache))
    assert counts[0] == counts[1]
    assert "jit_advance" in counts[0]
