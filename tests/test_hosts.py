"""Counts are the same to the last bit on one device, on eight, and on those of two real processes.

Whether they were killed or not, and however the processes find each other and fail.
"""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from ganfail_jax import hosts, runtime
from ganfail_jax.errors import InputError
from tests.counting import KEPT, NUM_SAMPLES, count, everything
from tests.processes import end, free_port

ROOT = Path(__file__).parents[1]


def start(*args, devices, environment=None):
    """`python -m tests.counting` on so many CPU devices."""
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    own = {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", **(environment or {})}
    command = [sys.executable, "-m", "tests.counting", *map(str, args)]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | own, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def expected():
    """On the one device of this process."""
    assert jax.device_count() == 1
    return everything(runtime.data_mesh(), batch_size=50)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Folders of counts that were killed in the middle, by the number of their processes."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    coordinator = f"127.0.0.1:{free_port()}"
    pair = [start("die", two, coordinator, i, devices=2) for i in (0, 1)]
    alone = start("die", one, devices=8)
    statuses = [end(process) for process in (*pair, alone)]
    for status, _, errors in (statuses[0], statuses[2]):
        assert status == -signal.SIGKILL, errors
    return {1: one, 2: two}


def assert_identical(found, expected):
    assert set(found) == set(expected)
    for name, wanted in expected.items():
        np.testing.assert_array_equal(found[name], wanted, err_msg=name, strict=True)


@pytest.mark.parametrize("batch_size", [1, 100, 1000])
def test_batch_size_does_not_matter(expected, batch_size):
    counts = {name: expected[name] for name in expected if name.startswith("count/")}
    found = count(runtime.data_mesh(), batch_size=batch_size)
    assert found.num_samples == NUM_SAMPLES
    assert_identical(found.arrays(), counts | {"num_samples": np.asarray(NUM_SAMPLES)})


@pytest.mark.parametrize(("processes", "devices"), [(1, 8), (2, 4)])
def test_devices_and_processes_do_not_matter(expected, killed, processes, devices):
    found = dict(np.load(killed[processes] / "found.npz"))
    assert found.pop("devices") == devices
    assert_identical(found, expected)


def left_by_the_kill(folder):
    """Where the last unfinished part of a killed count resumes."""
    assert not (folder / "resumed.npz").exists()
    return int(np.load(folder / "unfinished-counting-to-364.npz")["done"])


def counts_of(arrays):
    return {k: v for k, v in arrays.items() if k.startswith("count/")}


def test_one_device_resumes_where_eight_were_killed(expected, killed):
    assert left_by_the_kill(killed[1]) == KEPT
    found = count(runtime.data_mesh(), killed[1]).arrays()
    assert_identical(counts_of(found), counts_of(expected))


def test_two_processes_resume_where_they_were_killed(expected, killed):
    """And find each other by what SLURM sets."""
    assert left_by_the_kill(killed[2]) == KEPT
    slurm = {
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_TASKS": "2",
        "JAX_COORDINATOR_PORT": str(free_port()),
    }
    own = [slurm | {"SLURM_PROCID": i, "SLURM_LOCALID": i} for i in "01"]
    pair = [start("resume", killed[2], devices=2, environment=each) for each in own]
    for status, _, errors in map(end, pair):
        assert status == 0, errors
    found = dict(np.load(killed[2] / "resumed.npz"))
    assert_identical(counts_of(found), counts_of(expected))


BAD = [
    (("10.0.0.1:80", None, None), "--coordinator, --num_processes and --process_id go together"),
    ((None, 2, None), "go together: give all"),
    ((None, None, 1), "go together: give all"),
    ((":8476", 2, 0), "--coordinator=:8476: a host and a port, as 10.0.0.1:8476"),
    (("10.0.0.1", 2, 0), "--coordinator=10.0.0.1: a host and a port"),
    (("10.0.0.1:http", 2, 0), "--coordinator=10.0.0.1:http: a host and a port"),
    (("10.0.0.1:0", 2, 0), "--coordinator=10.0.0.1:0: a host and a port"),
    (("10.0.0.1:65536", 2, 0), "--coordinator=10.0.0.1:65536: a host and a port"),
    (("10.0.0.1:80", 2, 2), "--process_id=2 of --num_processes=2: they count from 0"),
]


@pytest.mark.parametrize(("args", "message"), BAD)
def test_addresses_that_cannot_be_are_refused(args, message):
    with pytest.raises(InputError) as error:
        hosts.start(*args)
    assert message in str(error.value)


COMMAND = """
import jax
from ganfail_jax import hosts
from ganfail_jax.cli.hosts import define_hosts
from ganfail_jax.cli.main import main

def plan(flags):  # as it looks where the other of two processes is killed
    jax.process_count = lambda: 2
    raise jax.errors.JaxRuntimeError("Connection closed by peer.\\nMore.")

hosts.PATIENCE = 2
main("A question.", define_hosts, plan)
"""


def run_command(*flags):
    """What it prints, and its line of errors."""
    command = [sys.executable, "-c", COMMAND, *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    return done.stdout, done.stderr


@pytest.mark.parametrize("process", [0, 1])
def test_processes_that_do_not_come_are_waited_for_and_reported_in_one_line(process):
    where = f"127.0.0.1:{free_port()}"
    flags = [f"--coordinator={where}", "--num_processes=2", f"--process_id={process}"]
    printed, errors = run_command(*flags)
    assert printed == ""  # nothing before it is known which process prints
    assert errors == f"error: the processes did not find each other at {where} in 2 s\n"


def test_a_process_that_is_gone_is_reported_in_one_line():
    gone = "error: another process has ended or did not answer: Connection closed by peer.\n"
    assert run_command() == ("A question.\n", gone)


def fails(*args, **kwargs):
    raise ValueError("coordinator_address should be defined.\nOr not.")


def test_a_slurm_step_that_is_not_understood_is_one_line(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    monkeypatch.setattr(jax.distributed, "initialize", fails)
    message = r"do not find each other: coordinator_address should be defined\. Or not\."
    with pytest.raises(InputError, match=message):
        hosts.start()


def test_a_process_without_a_cluster_is_alone(monkeypatch):
    """Also where libtpu is installed without a TPU, and in a SLURM step of one task."""
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    hosts.start()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(jax.distributed, "initialize", fails)
    hosts.start()
    assert hosts.is_first()
    assert hosts.from_first(lambda: b"told") == b"told"
