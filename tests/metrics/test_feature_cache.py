"""Features are kept: extraction survives being killed, and files that are damaged."""

import errno
import io
import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganfail_jax.data.image_sets import Images, in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import feature_cache
from ganfail_jax.metrics import features as features_module
from ganfail_jax.metrics.feature_cache import images_hash, open_cache
from ganfail_jax.metrics.features import extract_features
from tests.metrics.first_pixels import EXPECTED, IMAGES, PIXELS, extractor


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFAIL_CACHE", str(tmp_path))
    monkeypatch.setattr(features_module, "SHARD", 10)
    return open_cache(extractor()[0].identity, "made_up", images_hash(IMAGES))


def test_a_cache_spares_the_extractor_and_the_images(cache):
    extract_features(extractor()[0], IMAGES, batch_size=5, cache=cache)
    again, counter = extractor()

    def never(numbers):
        raise AssertionError("asked for")

    images = Images(IMAGES.shape, never)
    np.testing.assert_array_equal(extract_features(again, images, cache=cache), EXPECTED)
    assert counter.seen == 0
    assert sorted(path.name for path in cache.iterdir()) == ["features.npy", "key.json"]


def test_a_complete_cache_is_only_read(cache, monkeypatch):
    extract_features(extractor()[0], IMAGES, cache=cache)

    def refuse(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(feature_cache, "replace_file", refuse)
    before = cache.stat().st_mtime_ns, (cache / "key.json").stat().st_mtime_ns
    again, counter = extractor()
    opened = open_cache(again.identity, "made_up", images_hash(IMAGES))
    np.testing.assert_array_equal(extract_features(again, IMAGES, cache=opened), EXPECTED)
    assert (counter.seen, opened) == (0, cache)
    assert (cache.stat().st_mtime_ns, (cache / "key.json").stat().st_mtime_ns) == before
    (cache / "features.npy").unlink()
    with pytest.raises(InputError, match=r"cannot keep features in .* \(Read-only file system\);"):
        extract_features(again, IMAGES, cache=opened)


@pytest.mark.parametrize("killed_after", [0, 9, 10, 25, 46])
def test_extraction_continues_where_it_was_killed(cache, killed_after):
    with pytest.raises(RuntimeError, match="killed"):
        extract_features(extractor(killed_after)[0], IMAGES, batch_size=5, cache=cache)
    again, counter = extractor()
    found = extract_features(again, IMAGES, batch_size=7, cache=cache)
    np.testing.assert_array_equal(found, EXPECTED)
    kept = killed_after // 10 * 10
    assert counter.seen == -(-(47 - kept) // 7) * 7
    assert not list(cache.glob("shard*"))


KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.metrics import features
features.SHARD = 10
images = np.load(sys.argv[2])
def extract(batch):
    if (batch[0] == images[25]).all():
        os.kill(os.getpid(), signal.SIGKILL)
    return batch.reshape(len(batch), -1)[:, :3].astype(np.float32)
extractor = features.Features("first pixels", 3, extract)
features.extract_features(extractor, in_memory(images), batch_size=5, cache=Path(sys.argv[1]))
"""


def test_a_killed_process_leaves_only_whole_shards(cache, tmp_path):
    np.save(tmp_path / "images.npy", PIXELS)
    command = [sys.executable, "-c", KILLED, str(cache), str(tmp_path / "images.npy")]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, check=False, cwd=root, env={**os.environ, "PYTHONPATH": root})
    assert done.returncode == -9
    assert len(list(cache.glob("shard-*.npy"))) == 2
    again, counter = extractor()
    found = extract_features(again, IMAGES, batch_size=1, cache=cache)
    np.testing.assert_array_equal(found, EXPECTED)
    assert counter.seen == 27


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", pickle.dumps(np.ones((47, 3)))])
def test_damaged_files_are_extracted_again(cache, damage):
    with pytest.raises(RuntimeError):
        extract_features(extractor(25)[0], IMAGES, batch_size=5, cache=cache)
    (cache / "shard-00000000.npy").write_bytes(damage)
    (cache / "features.npy").write_bytes(damage)
    with pytest.raises(RuntimeError):  # shards of other sizes now: 14, not 10
        extract_features(extractor(21)[0], IMAGES, batch_size=7, cache=cache)
    again, counter = extractor()
    found = extract_features(again, IMAGES, batch_size=1, cache=cache)
    np.testing.assert_array_equal(found, EXPECTED)
    assert counter.seen == 47 - 14


@pytest.mark.parametrize("batch_size", [4, 6])
def test_more_images_go_on_where_fewer_ended_and_fewer_take_the_first(cache, batch_size):
    for wanted, new in ((12, 12), (31, 19), (20, 0), (47, 16), (12, 0)):
        again, counter = extractor()
        found = extract_features(again, IMAGES.first(wanted), batch_size=batch_size, cache=cache)
        np.testing.assert_array_equal(found, EXPECTED[:wanted])
        assert counter.seen == -(-new // batch_size) * batch_size


def test_a_killed_run_for_more_images_keeps_its_shards_for_the_next(cache):
    extract_features(extractor()[0], IMAGES.first(12), batch_size=4, cache=cache)
    with pytest.raises(RuntimeError):
        extract_features(extractor(26)[0], IMAGES, batch_size=5, cache=cache)  # 12 + 20 are kept
    for wanted, new in ((20, 0), (35, 3), (47, 12)):
        again, counter = extractor()
        found = extract_features(again, IMAGES.first(wanted), batch_size=1, cache=cache)
        np.testing.assert_array_equal(found, EXPECTED[:wanted])
        assert counter.seen == new
    assert sorted(path.name for path in cache.iterdir()) == ["features.npy", "key.json"]


def _npy(header=b"{'descr': '<f4', 'fortran_order': False, 'shape': (47, 3), }", rows=EXPECTED):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + rows.tobytes()


def _npz():
    file = io.BytesIO()
    np.savez(file, EXPECTED)
    return file.getvalue()


HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%b, 3), }"
DAMAGED = {
    "npz": _npz(),
    "how a zip begins": b"PK\x03\x04" + _npy(),
    "an open bracket": _npy(HEADER[:-3] % b"47"),
    "not Python": _npy(HEADER.replace(b"<f4", b"<f4' '") % b"47" + b" = }"),
    "petabytes": _npy(HEADER % b"1000000000000000"),
    "more than 64 bits": _npy(HEADER % b"100000000000000000000"),
    "negative": _npy(HEADER % b"-47"),
    "deep": _npy(b"(" * 9000),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_whatever_a_header_says_it_is_extracted_again(cache, damage):
    (cache / "features.npy").write_bytes(DAMAGED[damage])
    again, counter = extractor()
    np.testing.assert_array_equal(extract_features(again, IMAGES, cache=cache), EXPECTED)
    assert counter.seen >= 47


def test_shards_behind_a_damaged_one_are_found_again(cache):
    with pytest.raises(RuntimeError):
        extract_features(extractor(30)[0], IMAGES, batch_size=5, cache=cache)
    (cache / "shard-00000010.npy").write_bytes(b"damaged")
    extract_features(extractor()[0], IMAGES.first(20), batch_size=5, cache=cache)
    again, counter = extractor()
    found = extract_features(again, IMAGES, batch_size=1, cache=cache)
    np.testing.assert_array_equal(found, EXPECTED)
    assert counter.seen == 17


@pytest.mark.parametrize(("room", "kept"), [(100, 0), (200, 0), (300, 40)])  # whole: 692 bytes
def test_a_full_disk_is_one_line_and_what_was_written_is_kept(cache, room, kept):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(InputError, match=r"cannot keep .* \(File too large\); choose a folder"):
            extract_features(extractor()[0], IMAGES, batch_size=5, cache=cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in cache.iterdir() if path.name.startswith(".")]
    again, counter = extractor()
    found = extract_features(again, IMAGES, batch_size=1, cache=cache)
    np.testing.assert_array_equal(found, EXPECTED)
    assert counter.seen == 47 - kept


@pytest.mark.parametrize(("value", "number"), [(np.nan, 0), (np.inf, 46), (-np.inf, 13)])
def test_features_that_are_not_finite_are_refused_and_never_kept(cache, value, number):
    def extract(images):
        rows = images.reshape(len(images), -1)[:, :3].astype(np.float32)
        rows[(images == PIXELS[number]).all(axis=(1, 2, 3)), 1] = value
        return rows

    bad = extractor()[0]._replace(extract=extract)
    with pytest.raises(InputError, match=f"first pixels of image {number} are not finite; the net"):
        extract_features(bad, IMAGES, batch_size=4, cache=cache)
    kept = [np.load(path) for path in cache.glob("*.npy")]
    assert sum(map(len, kept)) == number // 12 * 12
    rows = EXPECTED.copy()
    rows[number, 2] = value
    np.save(cache / "features.npy", rows)  # of a version that kept them
    again, counter = extractor()
    np.testing.assert_array_equal(extract_features(again, IMAGES, cache=cache), EXPECTED)
    assert counter.seen


def test_folders_keep_their_names(cache):
    """A cache takes hours to fill; these are the names since the first version."""
    hashed = "6159da21261f8ef042bf94606a865e4e9a78b4e7ddf73d16a130278aac6fdd41"
    assert images_hash(IMAGES) == hashed
    assert cache.name == "made_up-b202bc52ae8be202b36662ed22ad35ed"


def test_arrays_of_pickled_objects_are_never_loaded(cache):
    np.save(cache / "features.npy", np.full((47, 3), None), allow_pickle=True)
    found = extract_features(extractor()[0], IMAGES, cache=cache)
    np.testing.assert_array_equal(found, EXPECTED)


def test_whatever_features_depend_on_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GANFAIL_CACHE", str(tmp_path))
    identity = extractor()[0].identity
    others = [
        extractor()[0]._replace(name="x").identity,
        extractor()[0]._replace(dim=4).identity,
        extractor(preprocessing="x")[0].identity,
        extractor(weights="x")[0].identity,
    ]
    folders = {open_cache(each, "a", "1") for each in [identity, *others]}
    folders.add(open_cache(identity, "a", "2"))
    assert len(folders) == 6
    assert open_cache(identity, "a", "1") in folders
    note = json.loads((open_cache(identity, "a", "2") / "key.json").read_text())
    assert note == {**identity, "dataset": "a", "images": "2"}


def test_renamed_images_are_found_again(cache):
    extract_features(extractor()[0], IMAGES, cache=cache)
    again, counter = extractor()
    other = cache.with_name("a-damaged-note")
    other.mkdir()
    for damage in ("", "[1]", "{}"):
        (other / "key.json").write_text(damage)
        renamed = open_cache(again.identity, "new_name", images_hash(IMAGES))
        found = extract_features(again, IMAGES, cache=renamed)
        np.testing.assert_array_equal(found, EXPECTED)
    assert counter.seen == 0
    assert set(cache.parent.iterdir()) == {cache, other}


def test_the_hash_tells_pixels_and_shapes_apart(monkeypatch):
    changed = PIXELS.copy()
    changed[-1, -1, -1] ^= 1
    turned = PIXELS.reshape(47, 2, 8, 1)
    assert len({images_hash(in_memory(each)) for each in (PIXELS, changed, turned)}) == 3
    whole = images_hash(IMAGES)
    monkeypatch.setattr("ganfail_jax.metrics.feature_cache.CHUNK", 5)
    assert images_hash(IMAGES) == whole


def test_cache_is_in_the_home_folder_by_default(tmp_path, monkeypatch):
    for name in ("GANFAIL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = open_cache(extractor()[0].identity, "a", "1")
    assert folder.parent == tmp_path / ".cache" / "ganfail_jax" / "features"


def test_what_cannot_be_kept_is_refkept(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="first pixels cannot be cached"):
        open_cache(extractor(weights="")[0].identity, "a", "1")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANFAIL_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="choose a folder by GANFAIL_CACHE"):
        open_cache(extractor()[0].identity, "a", "1")
