"""Freed memory stays with the process, quietly, where the C library can keep it."""

import ctypes
import importlib
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from ganfail_jax import memory, runtime, zoo
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import style_gradients
from ganfail_jax.cli.models import generator_from
from tests import tiny
from tests.analyze.commands import flags_of

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


@pytest.mark.parametrize(("text", "limit"), [("max", None), ("4096\n", 4096), ("9" * 19, None)])
def test_a_container_has_what_its_limit_says(text, limit, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "LIMITS", (tmp_path / "limit", tmp_path / "absent"))
    whole = memory.of_machine()
    (tmp_path / "limit").write_text(text)
    assert memory.of_machine() == (limit or whole)


def test_a_gradient_takes_no_more_than_is_reckoned_with():
    """By what the compiler says that the program takes, for a batch that is large."""
    generator, params = zoo.load_generator("mnist_c_v1")
    classifier = tiny.linear_classifier(generator.image_shape, 10, tuple("0123456789"))
    models, batch = Models(generator, params, *classifier), 200
    styles = jnp.zeros((batch, sum(generator.style_dims.values())))
    step = jax.jit(lambda styles, labels: style_gradients(models, styles, labels)[0])
    compiled = step.lower(styles, jnp.zeros(batch, jnp.int32)).compile()
    analysis = compiled.memory_analysis()
    assert analysis is not None
    taken = analysis.temp_size_in_bytes
    layers = sum(4 * info.resolution**2 * info.channels for info in generator.layers.values())
    assert batch * layers < taken < runtime.WORKSPACE / 2 * batch * layers


def test_the_batch_is_what_the_memory_holds(monkeypatch, capsys):
    generator = tiny.models().generator
    layers = sum(4 * info.resolution**2 * info.channels for info in generator.layers.values())
    monkeypatch.setattr(memory, "of_machine", lambda: 2 * 30 * runtime.WORKSPACE * layers)
    assert runtime.most_at_once(generator) == 30
    monkeypatch.setattr(memory, "of_machine", lambda: 1)
    assert runtime.most_at_once(generator) == 1
    monkeypatch.setattr(memory, "of_machine", lambda: None)
    assert runtime.most_at_once(generator) is None


@pytest.mark.parametrize(
    ("given", "most", "taken"), [(200_000, 30, 30), (20, 30, 20), (9, None, 9)]
)
def test_a_batch_that_is_too_large_is_made_smaller(given, most, taken, monkeypatch, capsys):
    monkeypatch.setattr(runtime, "most_at_once", lambda generator: most)
    flags = flags_of(importlib.import_module("analyze.rank").define, batch_size=given)
    generator_from(flags)
    assert flags.batch_size == taken
    assert capsys.readouterr().out.startswith("30 samples at once instead") == (taken < given)
