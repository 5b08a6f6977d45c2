"""Features and hashes of pictures in files: memory does not grow with their number."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.metrics import feature_cache
from ganfail_jax.metrics.features import Features, extract_features

SIDE = 128
PICTURE = SIDE * SIDE * 3  # bytes
BATCH = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i in range(80):
        Image.fromarray(np.full((SIDE, SIDE, 3), i, np.uint8)).save(folder / f"{i:02d}.bmp")
    return folder


def peak(work):
    """Bytes that numpy and Python have at most, beyond those before; PIL has one picture more."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("measure", ["features", "hash", "a draw"])
def test_memory_is_that_of_a_few_batches(measure, folder, monkeypatch):
    monkeypatch.setattr(feature_cache, "CHUNK", BATCH * PICTURE)
    means = Features("means", 1, lambda pixels: pixels.mean(axis=(1, 2, 3))[:, None])

    def work(n):
        images = read_folder(folder, (SIDE, SIDE, 3)).first(n)
        if measure == "hash":
            return feature_cache.images_hash(images)
        if measure == "a draw":
            images = images.select(np.random.default_rng(0).permutation(n))
        rows = extract_features(means, images, batch_size=BATCH)
        if measure == "features":
            np.testing.assert_array_equal(rows[:, 0], np.arange(n))

    work(8)  # what is imported and kept once
    few, many = (peak(lambda n=n: work(n)) for n in (20, 80))
    assert many < few + 2 * BATCH * PICTURE
    assert many < 6 * BATCH * PICTURE < 80 * PICTURE / 3
