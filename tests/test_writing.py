"""A place has one writer at a time, and what killed ones left there goes."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from ganfail_jax import writing
from ganfail_jax.errors import InputError
from ganfail_jax.writing import contents, only_writer

LEFT = (
    ".run.json.4711.new.json",
    ".result.npz.12.npz",
    "best/.weights.npz.4711.new.npz",
    ".latest-a1_b2c3d/weights.npz",
)
KEPT = (".notes.txt", ".run.json", "x.12.npz", ".a.12.csv", "mine/.result.npz.12.npz", "sheets/1")
HOLD = """
from ganfail_jax.writing import only_writer
with only_writer(r"{}"):
    print("in", flush=True)
    input()
"""


def fill(folder, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()}


@pytest.fixture
def other(tmp_path):
    """Another process that writes in tmp_path."""
    command = [sys.executable, "-c", HOLD.format(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"in\n"
        yield process
        process.kill()


def test_the_lock_says_who_has_it_and_dies_with_its_process(other, tmp_path):
    wanted = f"PID {other.pid} is writing to {tmp_path}; wait for it or choose another --out"
    with pytest.raises(InputError) as caught, only_writer(tmp_path):
        pass
    assert str(caught.value) == wanted
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert os.listdir(tmp_path) == [".lock"]
    with only_writer(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"{os.getpid()} ")
    assert not os.listdir(tmp_path)


def test_the_writer_of_another_host_is_named(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(writing.socket, "gethostname", lambda: "node7")
        held = only_writer(tmp_path)
        held.__enter__()
    with pytest.raises(InputError, match=rf"^PID {os.getpid()} on node7 is"), only_writer(tmp_path):
        pass
    held.__exit__(None, None, None)


def test_a_lock_that_was_deleted_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    def lock_of_the_past(opened, wait):
        monkeypatch.undo()
        os.unlink(tmp_path / ".lock")  # as the last writer does when it ends
        return True

    monkeypatch.setattr(writing, "_lock", lock_of_the_past)
    with (
        only_writer(tmp_path),
        pytest.raises(InputError, match="is writing"),
        only_writer(tmp_path),
    ):
        pass


@pytest.mark.parametrize("lacking", ["fcntl", "locks"])
def test_without_locks_all_may_write_and_nothing_is_removed(lacking, tmp_path, monkeypatch):
    def flock(opened, how):
        raise OSError(errno.ENOLCK, "No locks available")

    if lacking == "fcntl":
        monkeypatch.setattr(writing, "fcntl", None)
    else:
        monkeypatch.setattr(writing.fcntl, "flock", flock)
    fill(tmp_path, LEFT)
    with only_writer(tmp_path), only_writer(tmp_path):
        assert files(tmp_path) == {".lock", *LEFT}
    assert files(tmp_path) == {*LEFT}


def test_leftovers_go_and_nothing_else_does(tmp_path):
    fill(tmp_path, (*LEFT, *KEPT))
    assert {path.name for path in contents(tmp_path)} == {name.split("/")[0] for name in KEPT} | {
        "best"
    }
    with only_writer(tmp_path):
        assert files(tmp_path) == {".lock", *KEPT}
        assert not (tmp_path / ".latest-a1_b2c3d").exists()


def test_beside_a_path_only_its_own_leftovers_go(tmp_path):
    fill(tmp_path, (*LEFT, ".labels.csv.4.new.csv", ".labels.csv.5.csv", ".other.csv.5.new.csv"))
    with only_writer(tmp_path / "labels.csv"):
        assert files(tmp_path) == {*LEFT, ".other.csv.5.new.csv", ".labels.csv.lock"}
    assert files(tmp_path) == {*LEFT, ".other.csv.5.new.csv"}


def test_what_an_exchange_of_folders_left_comes_back(tmp_path):
    fill(tmp_path, (".best-12345678/old/config.json", ".best-abcdefgh/config.json"))
    fill(tmp_path, ("latest/config.json", ".latest-12345678/old/weights.npz"))
    with only_writer(tmp_path):
        pass
    assert files(tmp_path) == {"best/config.json", "latest/config.json"}


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owner")
def test_what_is_of_another_user_stays(tmp_path, monkeypatch):
    fill(tmp_path, LEFT)
    monkeypatch.setattr(os, "getuid", lambda: -1)
    with only_writer(tmp_path):
        assert files(tmp_path) == {".lock", *LEFT}


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    with (
        pytest.raises(InputError, match=r"cannot write to .*none/x \(No such .*another --sheet"),
        only_writer(tmp_path / "none" / "x", flag="--sheet"),
    ):
        pass
