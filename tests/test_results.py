"""Results come back as they were saved; nothing is half-written or silently replaced."""

import contextlib
import json
import os
import zipfile
from typing import NamedTuple

import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.errors import InputError


@pytest.fixture
def saved(tmp_path):
    made_by = results.provenance({"seed": 0, "num_samples": 10})
    arrays = {"score": np.arange(3.0), "names": np.asarray(["a", "b"])}
    results.save(tmp_path / "run", {"answer": 42}, made_by, arrays)
    return tmp_path / "run"


def test_a_result_reloads(saved):
    result = results.load(saved)
    assert result.summary == {"answer": 42}
    assert list(result.arrays["names"]) == ["a", "b"]
    np.testing.assert_array_equal(result.arrays["score"], np.arange(3.0))
    assert result.provenance["versions"].keys() == {"ganfail_jax", "jax", "jaxlib", "flax", "numpy"}
    assert sorted(p.name for p in saved.iterdir()) == ["result.json", "result.npz"]


def test_the_same_result_is_found_and_another_is_refused(saved):
    assert results.find_same(saved, results.provenance({"seed": 0, "num_samples": 10})) is not None
    with pytest.raises(results.ResultError, match="made with other num_samples; choose another"):
        results.find_same(saved, results.provenance({"seed": 0, "num_samples": 11}))
    assert results.find_same(saved.parent / "empty", {}) is None


def test_a_damaged_result_is_one_error(saved):
    (saved / "result.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(results.ResultError, match="no readable result"):
        results.load(saved)


def test_arrays_of_another_run_are_refused(saved):
    results.save(saved.parent / "other", {}, results.provenance({}), {"score": np.ones(3)})
    (saved.parent / "other" / "result.npz").replace(saved / "result.npz")
    message = r"run: result\.npz was altered, or is of another run than result\.json"
    with pytest.raises(results.ResultError, match=message):
        results.find_same(saved, results.provenance({"seed": 0, "num_samples": 10}))


def without_hash(folder):
    """As results were until json files had the hash of their arrays."""
    summary = json.loads((folder / "result.json").read_text())
    del summary["arrays_sha256"]
    (folder / "result.json").write_text(json.dumps(summary))


def test_an_old_result_without_a_hash_is_read(saved):
    without_hash(saved)
    assert results.load(saved).summary == {"answer": 42}


@pytest.mark.parametrize("entry", ["score", "names"])
def test_an_array_that_comes_twice_is_refused(entry, saved):
    without_hash(saved)
    with zipfile.ZipFile(saved / "result.npz", "a") as archive:
        archive.writestr(entry, archive.read("score.npy"))  # for numpy the same as with .npy
    with pytest.raises(results.ResultError, match="two arrays of one name"):
        results.load(saved)


def test_a_failing_block_leaves_the_old_files(tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("old")
    with contextlib.suppress(RuntimeError), results.replace_file(file) as new:
        new.write_text("half")
        raise RuntimeError
    with contextlib.suppress(RuntimeError), results.new_folder(tmp_path / "folder") as new:
        (new / "half").touch()
        raise RuntimeError
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_folder_appears_as_a_whole(tmp_path):
    with results.new_folder(tmp_path / "folder") as new:
        (new / "file").touch()
        assert not (tmp_path / "folder").exists()
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_a_place_that_cannot_be_written_is_one_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(results.ResultError, match=r"cannot write to .*; choose another --out"):
        results.writable_folder(tmp_path / "file" / "run")


def test_json_gets_none_for_what_it_cannot_hold():
    content = {"a": float("nan"), "b": [1.5, (float("inf"), np.float64("nan"), "text")]}
    assert results.without_nan(content) == {"a": None, "b": [1.5, [None, None, "text"]]}


class Record(NamedTuple):
    scores: np.ndarray
    names: tuple[str, ...]
    group: int
    title: str


def test_a_record_is_restored_from_the_arrays_of_its_fields(tmp_path):
    record = Record(np.arange(3.0), ("a", "b"), 2, "of all")
    arrays = {f"shown_{name}": np.asarray(value) for name, value in record._asdict().items()}
    results.save(tmp_path, {}, {"identity": {}}, arrays | {"scores": np.zeros(9)})
    arrays = results.load(tmp_path).arrays
    again = results.restore(Record, arrays, "shown_")
    np.testing.assert_array_equal(again.scores, record.scores)
    assert again[1:] == record[1:]
    assert [type(value) for value in again[1:]] == [tuple, int, str]
    with pytest.raises(InputError, match="is not a Record: it has no names, group, title"):
        results.restore(Record, arrays)
