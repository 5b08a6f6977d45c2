"""A dataset of TensorFlow Datasets as a source, without tensorflow.

It must be prepared as array_record files, or its builder must be able to prepare it so without
tensorflow. The splits train and test are its own where it has both.
"""

import io
from typing import Any

import numpy as np
from PIL import Image

from ganfail_jax.data import sources
from ganfail_jax.data.mnist_tfds import data_dir
from ganfail_jax.data.pictures import opaque, upright
from ganfail_jax.data.sources import Source
from ganfail_jax.errors import InputError

PREFIX = "tfds:"
FORMAT = "array_record"


def open_tfds(name: str, split: str) -> Source:
    """
    Args:
        name: as TFDS has it, such as `cifar10` or `mnist_c/half:1.0.0`.
        split: train or test; a source without these two splits gives its only or largest one.

    Raises:
        InputError: unknown, not prepared, or not a dataset of images.
    """
    import tensorflow_datasets as tfds

    where = PREFIX + name
    try:
        builder: Any = tfds.builder(name, data_dir=data_dir(), file_format=FORMAT)
        builder.download_and_prepare()
        info, skip = builder.info, tfds.decode.SkipDecoding()
        image = _feature(info.features, tfds.features.Image, "image")
        label = _feature(info.features, tfds.features.ClassLabel, "label")
        own = {"train", "test"} <= {*info.splits}
        largest = max(info.splits.values(), key=lambda each: each.num_examples).name
        rows = builder.as_data_source(split if own else largest, decoders={image or "": skip})
    except Exception as error:  # of TFDS's builders, and of all that they call
        raise InputError(f"{where} cannot be read: {_reason(error)}") from error
    if image is None:
        raise InputError(f"{where} has no images; its features are {', '.join(info.features)}")
    n, key = len(rows), image

    def read(number: int) -> Image.Image:
        name = f"{where}/{number}"
        return opaque(upright(io.BytesIO(rows[number][key]), name), name)

    labels, class_names = None, ()
    if label is not None:
        labels = np.array([rows[number][label] for number in range(n)], np.int32)
        class_names = tuple(info.features[label].names)
    files = sorted(path for path in builder.data_path.iterdir())
    facts = ((path.name, path.stat().length, path.stat().mtime) for path in files)
    return Source(
        where=where,
        names=list(map(str, range(n))),
        read=read,
        labels=labels,
        class_names=class_names,
        stamp=sources.stamp([info.full_name, split if own else largest, *facts]),
        is_split=own,
    )


def _feature(features: Any, kind: type, usual: str) -> str | None:
    """The name of the feature of this kind: the usual one, or the first."""
    names = [name for name, feature in features.items() if isinstance(feature, kind)]
    return usual if usual in names else next(iter(names), None)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:200] or repr(error)
    if isinstance(error, ImportError) or "tensorflow" in text.lower():
        return f"it needs tensorflow to be prepared ({text}); prepare it elsewhere as {FORMAT}"
    return text
