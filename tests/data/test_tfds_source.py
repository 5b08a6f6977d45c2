"""Datasets of TFDS, without tensorflow: prepared here from made-up pictures."""

import io
import sys
from typing import ClassVar

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from ganfail_jax.data import mnist_tfds
from ganfail_jax.data.stored import open_dataset
from ganfail_jax.errors import InputError

SIZES = {"train": 20, "test": 8}
PIXELS = {
    split: np.random.default_rng(n).integers(0, 256, (n, 6, 5, 3), np.uint8)
    for split, n in SIZES.items()
}


class MadeUpColours(tfds.core.GeneratorBasedBuilder):
    """Pictures in colours of two classes."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "First."}

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in SIZES}

    def _generate_examples(self, split):
        for number, pixels in enumerate(PIXELS[split]):
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            yield number, {"image": io.BytesIO(file.getvalue()), "label": number % 2}


def test_its_own_splits_classes_and_pixels():
    for split, n in SIZES.items():
        dataset = open_dataset("tfds:made_up_colours", split)
        assert dataset.name == "made_up_colours"
        assert dataset.class_names == ("cat", "dog")
        assert dataset.images.shape == (n, 6, 5, 3)
        expected = {image.tobytes(): number % 2 for number, image in enumerate(PIXELS[split])}
        pairs = zip(dataset.images.whole(), dataset.labels.tolist(), strict=True)
        assert {image.tobytes(): label for image, label in pairs} == expected
    assert (mnist_tfds.data_dir() / "made_up_colours").is_dir()
    assert "tensorflow" not in sys.modules


def test_what_is_not_there_is_one_line():
    with pytest.raises(InputError, match="tfds:no_such_set cannot be read: ") as refused:
        open_dataset("tfds:no_such_set", "train")
    assert "\n" not in str(refused.value)
