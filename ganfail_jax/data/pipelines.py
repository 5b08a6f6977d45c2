"""Which images does `--dataset` name, and which of them are training batch number `step`?

The datasets of digits are in memory: mnist_c (Le Coz 2022, sec. 3.1) is 61 MB. Those of the user's
own files (`stored.py`) are read as needed.
"""

import functools
import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32, Int64, UInt8

from ganfail_jax.data import mnist
from ganfail_jax.data.image_sets import Images, in_memory
from ganfail_jax.data.mnist_c import PAD, Corruption, corrupt
from ganfail_jax.images import to_uint8


class Content(NamedTuple):
    """What identifies images that are read from files."""

    how: str  # they are made of the pictures
    digests: UInt8[np.ndarray, "n _"]  # of each picture's pixels
    left_out: int  # bad pictures


class Dataset(NamedTuple):
    """Images of one split, with their classes."""

    name: str
    images: Images
    labels: Int32[np.ndarray, " n"]  # without classes: 0
    class_names: tuple[str, ...]  # empty: there are no classes
    source: str  # one line for a person
    attributes: Mapping[str, UInt8[np.ndarray, " n"]]  # per image, by name
    content: Content | None = None  # None: the name says what it is

    def select(self, rows: Int[np.ndarray, " m"] | Bool[np.ndarray, " n"]) -> "Dataset":
        """These of the images, in this order."""
        rows = np.arange(len(self.labels))[rows]
        content = self.content
        if content is not None:
            content = content._replace(digests=content.digests[rows])
        return self._replace(
            images=self.images.select(rows),
            labels=self.labels[rows],
            attributes={name: each[rows] for name, each in self.attributes.items()},
            content=content,
        )

    @property
    def key(self) -> str | None:
        """What determines the images, as text; None: nothing is known about their content."""
        if self.content is None:
            return None
        digest = hashlib.sha256(self.content.how.encode())
        digest.update(np.ascontiguousarray(self.content.digests).data)
        left_out = self.content.left_out
        return digest.hexdigest() + (f", bad pictures left out: {left_out}" if left_out else "")

    @property
    def identity(self) -> dict[str, Any]:
        """What decides whether two trainings are of the same data."""
        identity: dict[str, Any] = {"dataset": self.name, "images": len(self.labels)}
        if self.key is not None:
            classes = hashlib.sha256(repr(self.class_names).encode() + self.labels.tobytes())
            identity |= {"content": self.key, "classes": classes.hexdigest()}
        return identity


def mirrored(dataset: Dataset) -> Dataset:
    """Every image, and then every image mirrored, left to right."""
    n = len(dataset.labels)
    twice = dataset.select(np.arange(2 * n) % n)
    content = twice.content

    def take(rows: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        images = dataset.images.take(rows % n).copy()
        turned = rows >= n
        images[turned] = images[turned, :, ::-1]
        return images

    return twice._replace(
        images=twice.images._replace(take=take),
        source=f"{dataset.source}, and mirrored",
        content=content and content._replace(how=f"{content.how}, and mirrored"),
    )


PICTURE = 256  # pixels of a side
DIGIT_NAMES = tuple(str(digit) for digit in range(mnist.NUM_CLASSES))


def _mnist(
    split: str, seed: int, mnist_dir: str | os.PathLike[str] | None, corruption: Corruption
) -> Dataset:
    del seed, corruption  # clean
    digits = mnist.load(split, mnist_dir)
    images = np.pad(digits.images, ((0, 0), (PAD, PAD), (PAD, PAD)))[..., None]
    labels = digits.labels.astype(np.int32)
    return Dataset("mnist", in_memory(images), labels, DIGIT_NAMES, digits.source, {})


def _mnist_c(
    split: str, seed: int, mnist_dir: str | os.PathLike[str] | None, corruption: Corruption
) -> Dataset:
    digits = mnist.load(split, mnist_dir)
    corrupted = corrupt(digits.images, corruption=corruption, seed=seed, split=split)
    return Dataset(
        "mnist_c",
        in_memory(corrupted.images),
        digits.labels.astype(np.int32),
        DIGIT_NAMES,
        digits.source,
        {
            "blur_severity": corrupted.blur_severity,
            "noise_severity": corrupted.noise_severity,
        },
    )


DATASETS: Mapping[str, Callable[..., Dataset]] = {
    "mnist": _mnist,  # clean, padded to 32x32
    "mnist_c": _mnist_c,
}


def load_dataset(
    name: str,
    split: str,
    *,
    seed: int = 0,
    mnist_dir: str | os.PathLike[str] | None = None,
    corruption: Corruption = "half",
) -> Dataset:
    """The whole of a split, in a fixed order.

    Args:
      name: a key of DATASETS.
      split: "train" or "test".
      seed: of the corruptions; "mnist" has none.
      mnist_dir: as in `mnist.load`.
      corruption: as in `mnist_c.corrupt`; "mnist" has none.

    Raises:
      DataError: unknown name, split or corruption, or digits that are absent or damaged.
    """
    if name not in DATASETS:
        raise unknown(name)
    return DATASETS[name](split, seed=seed, mnist_dir=mnist_dir, corruption=corruption)


def unknown(name: str) -> mnist.DataError:
    """The error of a name that is neither a dataset nor what `stored.py` opens."""
    names = ", ".join(DATASETS)
    return mnist.DataError(
        f"no dataset is called {name!r}; datasets are {names}, a folder, .zip or .npz of pictures, "
        "and tfds:NAME"
    )


def to_picture(images: Float32[np.ndarray, "*n h w c"]) -> UInt8[np.ndarray, "*n _ _ c"]:
    """[-1, 1] to 0..255 for the eye: images of 512 pixels and more are shrunk to about 256."""
    *n, h, w, c = images.shape
    by = max(1, h // PICTURE)
    return to_uint8(images.reshape(*n, h // by, by, w // by, by, c).mean(axis=(-4, -2)))


@functools.lru_cache(maxsize=4)
def epoch_indices(num_examples: int, epoch: int, seed: int) -> Int64[np.ndarray, " n"]:
    """The order in which an epoch visits the examples, each once; read-only."""
    order = np.random.default_rng([seed, epoch]).permutation(num_examples)
    order.flags.writeable = False
    return order


def batch_indices(
    num_examples: int, batch_size: int, step: int, seed: int
) -> Int64[np.ndarray, " b"]:
    """The examples of training batch `step`, which may cross into the next epoch.

    A function of its arguments alone: a run resumes exactly from its step. Batches are
    consecutive pieces of epoch 0, epoch 1, ..., so every example comes once an epoch whatever
    the batch size.

    Raises:
      ValueError: no examples, an empty batch, or a negative step.
    """
    if num_examples < 1 or batch_size < 1 or step < 0:
        raise ValueError(
            "num_examples and batch_size must be at least 1 and step at least 0, "
            f"not {num_examples}, {batch_size}, {step}"
        )
    position, stop = step * batch_size, (step + 1) * batch_size
    pieces = []
    while position < stop:
        epoch, offset = divmod(position, num_examples)
        piece = epoch_indices(num_examples, epoch, seed)[offset : offset + stop - position]
        pieces.append(piece)
        position += len(piece)
    return np.concatenate(pieces)


def class_groups(labels: Int32[np.ndarray, " b"], group_size: int) -> Int64[np.ndarray, " b"]:
    """An order of a batch in which the groups of the minibatch standard deviation share a class.

    Group m holds places m, m + b/g, m + 2b/g, ... Its deviation then tells the discriminator how
    much one class varies; over mixed classes a generator of one image per class goes unnoticed.
    """
    size = min(group_size, len(labels))
    return np.argsort(labels, kind="stable").reshape(-1, size).T.ravel()
