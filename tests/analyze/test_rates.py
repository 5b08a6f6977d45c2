"""`python -m analyze.rates` end to end, in one process and in two; what a user can get wrong."""

import subprocess

import numpy as np
import pytest

from ganfail_jax import results, runtime, zoo
from ganfail_jax.analysis.rates import count_rates, expected_activated, low_rate, restore
from tests.analyze.commands import ENVIRONMENT, command, only_folder, run
from tests.processes import end, free_port

LAYERS = ["b0004/conv1", "b0008/conv0"]
FILES = ["convergence.png", "rates.png", "result.json", "result.npz"]


def in_two_processes(*args, cwd):
    """Exit statuses, outputs and errors of both."""
    where = f"--coordinator=127.0.0.1:{free_port()}"
    flags = [[where, "--num_processes=2", f"--process_id={i}"] for i in (0, 1)]
    options = {"cwd": cwd, "env": ENVIRONMENT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    both = [subprocess.Popen(command("rates", *args, *own), text=True, **options) for own in flags]
    return [end(process) for process in both]


@pytest.fixture(scope="module")
def generator(models):
    return models[0]


@pytest.fixture(scope="module")
def finished(generator, tmp_path_factory):
    """Counted by two processes."""
    cwd = tmp_path_factory.mktemp("cwd")
    done = in_two_processes(generator, "--num_samples=100", cwd=cwd)
    return done, only_folder(cwd, "rates")


def test_two_processes_write_the_result_of_one(finished, generator):
    ((first, printed, errors), (second, silent, other_errors)), folder = finished
    assert (first, second) == (0, 0), errors + other_errors
    result = results.load(folder)
    found = restore(result.arrays)
    models = zoo.load_generator(generator.removeprefix("--generator="))
    one = count_rates(*models, LAYERS, 100, runtime.Sweep(32, runtime.data_mesh()))
    assert list(found.counts) == LAYERS
    for name in LAYERS:
        np.testing.assert_array_equal(found.counts[name], one.counts[name])
        layer, low = result.summary["layers"][name], low_rate(one, 0.3)[name]
        assert layer["neurons"] == one.counts[name].size
        assert layer["never_activated"] == (one.counts[name] == 0).sum()
        assert layer["low_rate"] == low.sum()
        assert layer["low_rate_without_never"] == layer["low_rate"] - layer["never_activated"]
        assert layer["low_rate_activated_per_image"] == expected_activated(one, {name: low})
        assert layer["low_rate_shares"]["0.3"] == low.mean()
        assert f"{name}: {low.sum():,} of {low.size:,} neurons are rarely activated" in printed
    assert list(result.arrays["at"]) == [16, 48, 100]
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert all(f"{folder.name}/{name}" in printed for name in FILES)
    assert "neurons" not in silent


def test_a_finished_result_is_reused(finished, generator):
    _, folder = finished
    before = (folder / "result.json").read_bytes()
    flags = ["--num_samples=100", "--batch_size=7", "--layers=b8.conv0,choi:0", f"--out={folder}"]
    again = run("rates", generator, *flags, cwd=folder.parents[2])
    assert again.returncode == 0, again.stderr
    assert "already holds this result" in again.stdout
    assert (folder / "result.json").read_bytes() == before


def test_other_layers_are_refused_by_both_processes_at_once(finished, generator):
    _, folder = finished
    before = (folder / "result.json").read_bytes()
    flags = [generator, "--num_samples=100", "--layers=choi:0", f"--out={folder}"]
    for status, _, errors in in_two_processes(*flags, cwd=folder.parent):
        assert status == 1
        assert errors == (
            f"error: {folder} holds a result made with other layers; "
            "choose another --out or delete it\n"
        )
    assert (folder / "result.json").read_bytes() == before


def test_published_rates_are_read_in_the_order_of_their_layers(generator, tmp_path):
    counts = {f"choi:{i}": np.random.default_rng(i).integers(0, 51, (8, 8, 4)) for i in (1, 2)}
    for i, each in enumerate(counts.values()):
        np.save(tmp_path / f"{i}.npy", np.float32(each.transpose(2, 0, 1).ravel() / 50))
    flags = ["--layers=choi:2,choi:1", "--published=1.npy,0.npy", "--num_samples=50", "--out=read"]
    done = run("rates", generator, *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = restore(results.load(tmp_path / "read").arrays)
    assert (list(found.counts), found.num_samples) == (["b0008/conv0", "b0008/conv1"], 50)
    for wanted, got in zip(counts.values(), found.counts.values(), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert not (tmp_path / "read" / "convergence.png").exists()


BAD = [
    (["--layers=b0016/conv0"], "no layer 'b0016/conv0'; the layers are b0004/conv1, b0008/conv0"),
    (["--threshold=2"], "flag --threshold=2: 2.0 is not a number in the range [0.0, 1.0]"),
    (["--num_samples=0"], "flag --num_samples=0: 0 is not"),
    (["--published=a.npy"], "--published has 1 files for the layers b0004/conv1, b0008/conv0"),
    (["--published=a.npy", "--layers=choi:0"], "a.npy holds no rates: No such file or directory"),
]


@pytest.mark.parametrize(
    ("args", "message"), BAD, ids=lambda x: x[-1] if isinstance(x, list) else ""
)
def test_bad_input_is_one_line_and_writes_nothing(args, message, generator, tmp_path):
    done = run("rates", generator, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())
