"""Freed memory stays with the process, quietly, where the C library can keep it."""

import ctypes
import os
import subprocess
import sys

import pytest

from ganfail_jax import memory

LOAD = """
import resource
from ganfail_jax import memory
{call}
for _ in range(20):
    block = bytearray(b"x") * 50_000_000
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


class Library:
    """Notes what is called."""

    def __init__(self) -> None:
        self.calls = []

    def mallopt(self, parameter: int, value: int) -> None:
        self.calls.append((parameter, value))


@pytest.fixture
def library(monkeypatch):
    noted = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: noted)
    for name in list(os.environ):
        if name == "GLIBC_TUNABLES" or name.startswith("MALLOC_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "platform", "linux")
    return noted


def test_large_blocks_are_kept(library):
    memory.keep_freed_memory()
    assert (memory.MMAP_MAX, 0) in library.calls
    assert (memory.ARENA_MAX, 1) in library.calls


@pytest.mark.parametrize("name", ["GLIBC_TUNABLES", "MALLOC_ARENA_MAX"])
def test_what_the_environment_tunes_is_left_alone(library, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    memory.keep_freed_memory()
    assert library.calls == []


def test_other_systems_are_left_alone(library, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    memory.keep_freed_memory()
    assert library.calls == []


def test_another_c_library_is_left_alone(monkeypatch, capfd):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory.keep_freed_memory()
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_blocks_cost_no_new_pages():
    """20 blocks of 50 MB, one at a time: the pages of one block instead of those of each."""

    def faults(call: str) -> int:
        command = [sys.executable, "-c", LOAD.format(call=call)]
        environment = {name: x for name, x in os.environ.items() if "MALLOC" not in name}
        environment.pop("GLIBC_TUNABLES", None)
        return int(subprocess.check_output(command, env=environment, text=True))

    assert faults("memory.keep_freed_memory()") < faults("") / 4
