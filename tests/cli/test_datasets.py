"""Flags about pictures of one's own reach every command that compares with real images."""

import numpy as np
import pytest
from PIL import Image

import analyze.d_values
import analyze.table
import analyze.units
import train.artifact_classifier
from ganfail_jax.cli.discriminators import real_from
from ganfail_jax.cli.images import real_images_from
from ganfail_jax.data.stored import Options, open_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.types import Discriminator
from tests.analyze.commands import flags_of

RNG = np.random.default_rng(0)
N = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of pictures in colours, of two sizes."""
    folder = tmp_path_factory.mktemp("sets") / "pictures"
    for n in range(N):
        side = 12 if n % 2 else 8
        path = folder / "ab"[n % 3 == 0] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return folder


COMMANDS = [analyze.table, analyze.units, train.artifact_classifier]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda module: module.__name__)
def test_real_images_are_the_training_split_as_the_flags_have_it(command, folder):
    flags = flags_of(command.define, dataset=folder, resolution=8, resize="pad", seed=4)
    real = real_images_from(flags, (8, 8, 1))  # of a grey generator
    dataset = open_dataset(str(folder), "train", Options(8, "pad", channels=1))
    assert (real.name, real.key) == ("pictures", dataset.key)
    np.testing.assert_array_equal(real.images.whole(), dataset.images.whole())
    drawn = real_images_from(flags, (8, 8, 1), most=5)
    rows = np.random.default_rng(4).permutation(len(dataset.labels))[:5]
    np.testing.assert_array_equal(drawn.images.whole(), dataset.images.take(rows))
    assert drawn.key == dataset.select(rows).key != real.key
    with pytest.raises(InputError, match="pictures are 8x8x1, but 16x16x1 is wanted, like"):
        real_images_from(flags, (16, 16, 1))


def test_a_discriminator_judges_them_with_their_classes(folder):
    flags = flags_of(analyze.d_values.define, dataset=folder, resolution=8)
    judge = Discriminator((8, 8, 3), 2, lambda params, images, label=None: images[:, 0, 0, 0])
    real = real_from(flags, judge, 7)
    assert real is not None
    dataset = open_dataset(str(folder), "train", Options(8))
    rows = np.random.default_rng(0).permutation(len(dataset.labels))[:7]
    np.testing.assert_array_equal(real.labels, dataset.labels[rows])
    np.testing.assert_array_equal(real.images.whole(), dataset.images.take(rows))
    with pytest.raises(InputError, match="images of 8x8x3 in 2 classes, the discriminator judges"):
        real_from(flags, judge._replace(num_classes=3), 7)
