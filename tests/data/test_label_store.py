"""Labels are on disk when `record` returns, each once, by whoever wrote first."""

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ganfail_jax.data import label_store
from ganfail_jax.data.label_store import LabelStore
from ganfail_jax.data.label_table import read_csv
from ganfail_jax.errors import InputError

OWN = "0123456789abcdef"
FIRST_LINE = "index,seed,label,generator\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "labels.csv"


@pytest.fixture
def store(file):
    opened = LabelStore(file, OWN)
    yield opened
    opened.close()


def test_the_file_is_what_was_recorded_in_its_order(file, store):
    assert not file.exists()
    store.record({(5, 0): "normal", (3, 7): "skip"})
    store.record({(4, 0): "artifact"})
    rows = "5,0,normal,0123456789ab\n3,7,skip,0123456789ab\n4,0,artifact,0123456789ab\n"
    assert file.read_text() == FIRST_LINE + rows


def test_a_new_label_takes_the_place_of_the_old_one_and_none_takes_it_away(file, store):
    store.record({(1, 0): "normal", (2, 0): "normal", (3, 0): "normal"})
    store.record({(1, 0): "artifact", (2, 0): None, (9, 0): None})
    assert file.read_text() == FIRST_LINE + "3,0,normal,0123456789ab\n1,0,artifact,0123456789ab\n"
    assert store.labels == {(3, 0): "normal", (1, 0): "artifact"}


def test_it_goes_on_with_what_is_there(file, store):
    store.record({(1, 0): "normal"})
    store.close()
    again = LabelStore(file, OWN)
    again.record({(2, 0): "skip"})
    again.close()
    assert file.read_text() == FIRST_LINE + "1,0,normal,0123456789ab\n2,0,skip,0123456789ab\n"


def test_a_table_that_does_not_tell_its_generator_is_taken_for_this_one(file):
    file.write_text("index,seed,label\n1,0,normal\n")
    store = LabelStore(file, OWN)
    store.record({(2, 0): "skip"})
    store.close()
    assert file.read_text() == FIRST_LINE + "1,0,normal,0123456789ab\n2,0,skip,0123456789ab\n"


def test_labels_of_another_generator_are_refused(file, store):
    store.record({(1, 0): "normal"})
    store.close()
    with pytest.raises(InputError) as caught:
        LabelStore(file, "f" * 64)
    wanted = "has labels of another generator, 0123456789ab; this one is ffffffffffff"
    assert str(caught.value) == f"{file} {wanted}"
    LabelStore(file, OWN).close()  # and the lock was given back


def test_nobody_else_writes_the_file(file, store, tmp_path):
    with pytest.raises(InputError, match=r"^PID \d+ is writing to .*labels\.csv; wait for it or"):
        LabelStore(file, OWN)
    (tmp_path / "link.csv").symlink_to(file)
    with pytest.raises(InputError, match=r"PID \d+ is writing .*; wait .* another --labels"):
        LabelStore(tmp_path / "link.csv", OWN)
    LabelStore(tmp_path / "other.csv", OWN).close()


def test_a_link_stays_a_link(file, tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    store = LabelStore(link, OWN)
    store.record({(1, 0): "skip"})
    store.close()
    assert link.is_symlink()
    assert file.read_text() == FIRST_LINE + "1,0,skip,0123456789ab\n"


@pytest.mark.parametrize("change", [lambda f: f.write_text("mine"), lambda f: f.unlink()])
def test_what_another_program_wrote_is_not_written_over(change, file, store):
    store.record({(1, 0): "normal"})
    change(file)
    before = file.exists() and file.read_text()
    for _ in range(2):
        with pytest.raises(InputError, match=r"was changed by another .*labels-1\.csv for"):
            store.record({(2, 0): "normal"})
    assert (file.exists() and file.read_text()) == before
    assert read_csv(file.with_name("labels-1.csv")).labels == {(1, 0): "normal"}


def test_labels_are_kept_apart_where_no_file_is(file, store):
    file.with_name("labels-1.csv").write_text("other")
    store.record({(1, 0): "normal", (2, 0): "skip"})
    file.write_text(FIRST_LINE + "1,0,normal,0123456789ab\n")  # as opened before the second label
    with pytest.raises(InputError, match=r"with --merge=.*labels-2\.csv for the labels made here"):
        store.record({(3, 0): "normal"})
    assert read_csv(file.with_name("labels-2.csv")).labels == {(1, 0): "normal", (2, 0): "skip"}
    assert file.with_name("labels-1.csv").read_text() == "other"


def test_a_spreadsheet_may_save_the_same_labels_in_its_way(file, store):
    store.record({(1, 0): "normal", (2, 0): "skip"})
    own = OWN[:12]
    saved = f"label,generator,index,seed\r\nskip,{own},2,0\r\nnormal,{own},1,0\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + saved.encode())
    store.record({(3, 0): "artifact"})
    lines = ["1,0,normal", "2,0,skip", "3,0,artifact"]
    assert file.read_text() == FIRST_LINE + "".join(f"{line},{own}\n" for line in lines)


def test_what_cannot_be_written_is_not_recorded(file, store, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.record({(1, 0): "normal"})
    before = file.read_text()
    with monkeypatch.context() as patched:
        patched.setattr(label_store.os, "fsync", full)
        with pytest.raises(InputError, match=r"cannot write .*\(No space left on device\)"):
            store.record({(1, 0): "artifact", (2, 0): "normal"})
    assert store.labels == {(1, 0): "normal"}
    assert file.read_text() == before
    assert sorted(path.name for path in file.parent.iterdir()) == [".labels.csv.lock", file.name]
    store.record({(3, 0): "skip"})
    assert store.labels == {(1, 0): "normal", (3, 0): "skip"}


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*none/labels\.csv \(No such file or"):
        LabelStore(tmp_path / "none" / "labels.csv", OWN)


def test_a_closed_store_refuses(file, store):
    store.close()
    with pytest.raises(InputError, match=r"labels\.csv is closed"):
        store.record({(1, 0): "normal"})
    assert not file.exists()


def test_what_waits_for_the_disk_is_written_at_once(file, store, monkeypatch):
    """Sixteen threads that wait for a write in progress are served by the next one."""
    written, sync = [], label_store.os.fsync
    monkeypatch.setattr(label_store.os, "fsync", lambda fd: (written.append(fd), sync(fd)))
    with ThreadPoolExecutor(16) as pool:
        with store._writing:
            asked = [pool.submit(store.record, {(i, 0): "normal"}) for i in range(16)]
            while store._waiting.qsize() < 16:
                time.sleep(0.001)
        for each in asked:
            each.result()
    store.close()
    again = LabelStore(file, OWN)
    again.close()
    assert {*again.labels} == {(index, 0) for index in range(16)}
    assert len(written) == 2  # the file and its folder
