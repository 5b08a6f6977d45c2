"""Where things are kept between runs, and that compiled programs there never stop a command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganfail_jax import caches
from ganfail_jax.data import mnist_tfds

ROOT = Path(__file__).parents[1]
COMMAND = """
import jax
from absl.flags import DEFINE_float, DEFINE_integer
from ganfail_jax.cli.main import main

def define(flags):
    DEFINE_float("by", 2.0, "An argument of the program.", flag_values=flags)
    text = "Largest size of a file, as if the disk were full."
    DEFINE_integer("limit", None, text, flag_values=flags)

def plan(flags):
    def compute():
        if flags.limit is not None:
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (flags.limit, flags.limit))
        print(float(jax.jit(lambda x, y: (x * y).cumsum())(jax.numpy.ones(4), flags.by)[0]))
    return compute

main("How much is it?", define, plan)
"""


def start(folder, *args, **environment):
    own = {"GANFAIL_CACHE": str(folder), "PYTHONPATH": str(ROOT), **environment}
    kept = {name: value for name, value in os.environ.items() if name != "GANFAIL_CACHE"}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *args],
        env={name: value for name, value in (kept | own).items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder, *args, **environment):
    """What a command prints that compiles a program; it must not complain."""
    process = start(folder, *args, **environment)
    out, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")
    return float(out.splitlines()[-1])  # after the question


def programs(folder):
    return {path: path.stat().st_size for path in (folder / "compiled").iterdir()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    assert run(folder) == 2
    return folder


def test_a_second_run_compiles_nothing(filled):
    before = programs(filled)
    assert before
    assert run(filled, "--by=3") == 3
    assert programs(filled) == before
    assert (filled / "compiled").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"no program", None])
def test_damaged_programs_are_made_anew(filled, content):
    before = programs(filled)
    for path in before:
        path.write_bytes(path.read_bytes()[:50] if content is None else content)
    assert run(filled) == 2
    assert programs(filled) == pytest.approx(before, abs=20)  # the time of compiling is in them


def test_a_full_disk_leaves_no_half_written_program(tmp_path):
    assert run(tmp_path, "--limit=100") == 2
    assert programs(tmp_path) == {}


def test_several_at_once(tmp_path):
    processes = [start(tmp_path) for _ in range(3)]
    for process in processes:
        assert process.communicate(timeout=300) == ("How much is it?\n2.0\n", "")
        assert process.returncode == 0
    assert programs(tmp_path)


def test_a_folder_that_cannot_be_used_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    assert run(tmp_path / "file" / "folder") == 2
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_what_the_environment_says_wins(tmp_path):
    theirs = tmp_path / "theirs"
    settings = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    assert run(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(theirs), **settings) == 2
    assert [*theirs.iterdir()]
    assert run(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR="") == 2
    assert not (tmp_path / "ours").exists()
    assert run(tmp_path, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="1000") == 2
    assert programs(tmp_path) == {}


def test_a_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    assert caches._is_ours(tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    assert not caches._is_ours(tmp_path)


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path, mode):
    folder = tmp_path / "compiled"
    folder.mkdir()
    folder.chmod(0o755)
    assert caches._is_ours(folder)
    folder.chmod(mode)
    assert not caches._is_ours(folder)


def test_what_was_not_used_for_longest_goes(tmp_path):
    ages = {f"{name}-cache": age for age, name in enumerate(("new", "middle", "old"))}
    for name, age in ages.items():
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1e9 - 100 * age, 1e9 - 1000 * age))
    os.utime(tmp_path / "old-cache", (1e9 - 150, 1))  # read after `middle` was written
    caches.drop_oldest(tmp_path, 300)
    assert len([*tmp_path.iterdir()]) == 3
    caches.drop_oldest(tmp_path, 299)
    assert {path.name for path in tmp_path.iterdir()} == {"new-cache", "middle-cache"}
    caches.drop_oldest(tmp_path, 99)
    assert not [*tmp_path.iterdir()]


def test_files_of_others_stay(tmp_path):
    (tmp_path / "thesis.tex").write_bytes(bytes(100))
    caches.drop_oldest(tmp_path, 0)
    assert [*tmp_path.iterdir()] == [tmp_path / "thesis.tex"]


HOMES = [
    ("linux", {}, "home/.cache/ganfail_jax"),
    ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/ganfail_jax"),
    ("darwin", {}, "home/Library/Caches/ganfail_jax"),
    ("win32", {"LOCALAPPDATA": "/local"}, "/local/ganfail_jax"),
    ("darwin", {"XDG_CACHE_HOME": "/xdg", "GANFAIL_CACHE": "/own"}, "/own"),
]


@pytest.mark.parametrize(("platform", "environment", "folder"), HOMES)
def test_the_folder_is_the_platforms(platform, environment, folder, monkeypatch):
    for name in ("GANFAIL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    assert caches.cache_folder() == Path(folder)


def test_nobody_needs_a_home(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    for name in ("GANFAIL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(caches.jax.config, "update", pytest.fail)
    caches.keep_compiled_programs()
    folder = caches.some_folder()
    assert folder.is_dir()
    assert caches.some_folder() == folder
    assert mnist_tfds.data_dir() == folder / "tensorflow_datasets"
