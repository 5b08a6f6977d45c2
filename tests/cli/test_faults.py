"""Faults of the machine and of the program: one line each, and where the trace is."""

import errno
import gc
import os
import re
import stat
import subprocess
import sys
import time

import jax
import pytest
from absl.flags import FlagValues

from ganfail_jax.cli import faults
from ganfail_jax.cli.flags import define_resume
from ganfail_jax.cli.main import BROKEN, _interrupt_again, execute
from tests.analyze.commands import ROOT

FULL = "nothing more can be written: {}; make room and run it again"
MEMORY = "not enough memory, which a smaller --batch_size needs less of: {}"
OF_MACHINE = [
    (OSError(errno.ENOSPC, "No space left", "a.npz"), FULL.format("No space left: a.npz")),
    (OSError(errno.EFBIG, "File too large"), FULL.format("File too large")),
    (OSError("24 requested and 0 written"), FULL.format("24 requested and 0 written")),
    (ValueError("disk: No space left on device"), FULL.format("disk: No space left on device")),
    (PermissionError(errno.EACCES, "Permission denied", "x"), "Permission denied: x"),
    (OSError(errno.ENAMETOOLONG, "File name too long", "x"), "File name too long: x"),
    (MemoryError(), MEMORY.format("MemoryError")),
    (
        jax.errors.JaxRuntimeError(
            "RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nBuffers"
        ),
        MEMORY.format("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
    ),
]
PROGRAM = """
import sys
from ganfail_jax.cli.main import main

def plan(flags):
    import matplotlib
    print("accuracy 0.5 \\u00b1 0.1 in \\udcff")
    raise KeyError("a bug")

main("What is it?", lambda flags: None, plan)
"""


def failing(error):
    def plan(flags):
        raise error

    return plan


@pytest.mark.parametrize(("error", "line"), OF_MACHINE, ids=lambda x: str(x)[:20])
def test_a_fault_of_the_machine_is_one_line(error, line, capsys):
    assert execute("What?", lambda flags: None, failing(error), ["command"]) == 1
    assert capsys.readouterr().err == f"error: {line}\n"


@pytest.mark.parametrize("error", [ValueError("x"), FileNotFoundError(2, "x"), RuntimeError("x")])
def test_other_faults_are_of_the_program(error):
    assert faults.of_machine(error) is None


def test_notes_of_ours_are_kept_and_the_comments_of_jax_are_not(capsys):
    error = OSError(errno.ENOSPC, "No space left")
    error.add_note("the numbers are safe")
    error.add_note("--------\nFor simplicity, JAX has removed its internal frames")
    expected = FULL.format("No space left; the numbers are safe")
    assert faults.of_machine(error) == expected


@pytest.mark.parametrize("kind", [RuntimeError, AssertionError])
def test_a_platform_that_is_absent_is_one_line(kind, monkeypatch, capsys):
    def absent():
        raise kind("no such thing\nin here")

    monkeypatch.setattr(jax, "default_backend", absent)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    status = execute("What?", lambda flags: None, failing(AssertionError("planned")), ["command"])
    line = "error: JAX cannot start on cuda here; JAX_PLATFORMS=cpu takes the processor\n"
    assert (status, capsys.readouterr().err) == (1, line)


@pytest.mark.parametrize(
    ("define", "end"), [(define_resume, " to resume"), (lambda flags: None, "")]
)
def test_only_commands_that_resume_say_so(define, end, capsys):
    execute("What?", define, failing(KeyboardInterrupt()), ["command"])
    assert capsys.readouterr().err == f"interrupted; run the same command again{end}\n"


def test_output_that_cannot_be_written_is_one_line(monkeypatch, capsys):
    def full(text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys.stdout, "write", full)
    assert execute("What?", lambda flags: None, lambda flags: None, ["command"]) == 1  # pyright: ignore
    assert capsys.readouterr().err == f"error: {FULL.format('No space left on device')}\n"


def program(folder, **environment):
    inherited = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_fault_of_the_program_is_one_line_and_a_file(tmp_path):
    """With a backend of a notebook and an output that has no ±: neither ends the command."""
    notebook = {"MPLBACKEND": "module://absent.backend", "PYTHONIOENCODING": "ascii"}
    done = program(tmp_path, **notebook)
    assert done.returncode == BROKEN == 70
    assert done.stdout == "What is it?\naccuracy 0.5 ? 0.1 in ?\n"
    pattern = r"error: KeyError: 'a bug'; the full trace is in (\S+/ganfail-trace-\w+\.txt)\n"
    found = re.fullmatch(pattern, done.stderr)
    assert found, done.stderr
    path = tmp_path / os.path.basename(found[1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().endswith("KeyError: 'a bug'\n")
    assert "Traceback (most recent call last)" in path.read_text()
    assert not set(FlagValues())


def test_without_room_for_the_trace_it_is_printed(monkeypatch, capsys):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(faults.tempfile, "mkstemp", full)
    line = faults.of_program(ValueError("a bug"))
    assert line == "ValueError: a bug; the full trace is above"
    assert capsys.readouterr().err.endswith("ValueError: a bug\n\n")


def test_an_interrupt_in_a_callback_of_the_garbage_collector_is_not_lost():
    def callback(phase, info):
        gc.callbacks.remove(callback)
        raise KeyboardInterrupt

    def work():
        gc.collect()
        time.sleep(10)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", _interrupt_again)
        gc.callbacks.append(callback)
        with pytest.raises(KeyboardInterrupt):
            work()
