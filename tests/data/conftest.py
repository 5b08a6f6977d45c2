"""No test of the data package touches the network or the user's own TFDS folder."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from ganfail_jax.data import mnist, mnist_tfds

FULL_MNIST_DIR = os.environ.get(mnist.DIR_VARIABLE)


@pytest.fixture(autouse=True)
def closed_network(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv(mnist.DIR_VARIABLE, raising=False)
    monkeypatch.setattr(mnist_tfds, "reachable", lambda: False)


@pytest.fixture
def full_mnist_dir() -> str:
    if not FULL_MNIST_DIR:
        pytest.skip(f"{mnist.DIR_VARIABLE} is unset; it names the folder of the full MNIST")
    return FULL_MNIST_DIR


@pytest.fixture
def small_mnist(monkeypatch, tmp_path) -> Path:
    """A folder of four idx.gz files with 40 + 20 made-up digits, which count as MNIST's."""
    folder = tmp_path / "idx"
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = {}
    for split, count in {"train": 40, "test": 20}.items():
        entries = []
        for file, shape, top in zip(
            mnist.FILES[split], [(count, 28, 28), (count,)], [256, 10], strict=True
        ):
            values = rng.integers(0, top, shape).astype(np.uint8)
            raw = file._replace(shape=shape).header + values.tobytes()
            zipped = gzip.compress(raw, mtime=0)
            (folder / f"{file.name}.gz").write_bytes(zipped)
            gz_md5, raw_md5 = (hashlib.md5(payload).hexdigest() for payload in (zipped, raw))
            entries.append(mnist.IdxFile(file.name, len(zipped), gz_md5, raw_md5, shape))
        files[split] = mnist.SplitFiles(*entries)
    monkeypatch.setattr(mnist, "FILES", files)
    return folder
