"""A sweep sees every sample once, whatever the batch size and however often it is interrupted."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.errors import InputError

FILE = "unfinished-sum-of-all.npz"


def step(indices, mask):
    return {"sum": jnp.sum(jnp.where(mask, indices, 0)), "count": jnp.sum(mask)}


def merge(a, b):
    return {name: np.int64(a[name]) + b[name] for name in a}


def sweep(num_samples=103, batch_size=10, step=step, folder=None, seed=0):
    how = runtime.Sweep(batch_size, runtime.data_mesh(), folder, {"seed": seed}, "sum of all")
    return runtime.sweep(step, merge, num_samples, how)


@pytest.mark.parametrize("batch_size", [1, 7, 103, 1000])
def test_gathered_rows_are_those_of_the_samples_alone(batch_size):
    how = runtime.Sweep(batch_size, runtime.data_mesh())
    rows = runtime.gather(lambda indices: {"squares": indices**2}, 103, how)
    np.testing.assert_array_equal(rows["squares"], np.arange(103) ** 2)


def test_every_sweep_of_a_result_has_a_file_of_its_own(tmp_path):
    how = runtime.Sweep(1, runtime.data_mesh(), tmp_path)
    assert how.checkpoint is None
    files = [how.named(name).checkpoint for name in ("rates", "ranking runs/a/best")]
    names = [file and file.name for file in files]
    assert names == ["unfinished-rates.npz", "unfinished-ranking-runs-a-best.npz"]
    (tmp_path / "unfinished-rates.npz").touch()
    (tmp_path / "result.npz").touch()
    runtime.forget_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["result.npz"]


@pytest.mark.parametrize("batch_size", [1, 7, 103, 1000])
def test_every_sample_counts_once(batch_size):
    total = sweep(batch_size=batch_size)
    assert (total["sum"], total["count"]) == (103 * 102 // 2, 103)


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path):
    seen = []

    def interrupted(indices, mask):
        try:
            seen.append(int(indices[0]))
        except jax.errors.ConcretizationTypeError:  # only the shapes are asked for
            return step(indices, mask)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return step(indices, mask)

    with pytest.raises(KeyboardInterrupt):
        sweep(step=interrupted, folder=tmp_path)
    assert (tmp_path / FILE).exists()
    total = sweep(step=interrupted, folder=tmp_path)
    assert total["sum"] == 103 * 102 // 2
    assert seen == [0, 10, 20, 30, 40, 40, 50, 60, 70, 80, 90, 100]
    seen.clear()
    assert sweep(step=interrupted, folder=tmp_path)["count"] == 103
    assert seen == []
    with pytest.raises(KeyboardInterrupt):
        sweep(step=interrupted, folder=tmp_path, seed=1)
    assert seen[0] == 0  # what is kept is of another seed


@pytest.mark.parametrize("damage", ["other identity", "truncated"])
def test_a_partial_sum_of_something_else_is_not_used(tmp_path, damage):
    file = tmp_path / FILE
    runtime.write_partial(file, "other", {"sum": 10**9, "count": 1}, 50)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:40])
    assert sweep(folder=tmp_path)["count"] == 103


@pytest.mark.parametrize(("num_samples", "batch_size"), [(0, 10), (-3, 10), (5, 0)])
def test_nothing_to_sweep_is_refused(num_samples, batch_size):
    with pytest.raises(InputError, match=f"not {num_samples} and {batch_size}"):
        sweep(num_samples, batch_size)


@pytest.mark.parametrize("variable", [False, True])
def test_a_progress_bar_in_a_file_is_rarely_updated(variable, monkeypatch, capsys):
    """Its start and its end, unless tqdm's own variable, which it reads once, is set."""
    monkeypatch.delenv("TQDM_MININTERVAL", raising=False)
    if variable:
        monkeypatch.setenv("TQDM_MININTERVAL", "0.1")
    with runtime.progress_bar("images", 100, 0) as bar:
        for _ in range(10):
            time.sleep(0.03)
            bar.update(10)
    updates = capsys.readouterr().err.count("%|")
    assert updates > 2 if variable else updates == 2
