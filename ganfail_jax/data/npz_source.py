"""An .npz file as a source: `images` [n, h, w] or [n, h, w, c] of 8 bits, in memory as a whole.

`labels` [n] says the classes by number, `class_names` [k] their names; both may be missing.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganfail_jax import files, npz
from ganfail_jax.data.sources import MOST_CLASSES, NONE, Classes, Source
from ganfail_jax.errors import InputError

LARGEST = 2**36  # bytes
SMALL, RATIO = 2**28, 30  # bytes, and how much pictures may be compressed where there are more


def open_npz(path: Path) -> Source:
    """
    Raises:
        InputError: damaged, or other arrays.
    """
    with files.refusals(path, InputError):
        raw = files.read(path, LARGEST)
        arrays: dict[str, Any] = npz.read(raw, max(SMALL, RATIO * len(raw)))
    images = arrays.get("images")
    if images is None:
        raise InputError(f"{path} has no array called images")
    channels = images.shape[3] if images.ndim == 4 else 1
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or channels not in (1, 3):
        raise InputError(
            f"{path} has images of shape {images.shape} and type {images.dtype}; wanted are "
            "[n, h, w] or [n, h, w, 1 or 3] of uint8"
        )
    if not images.size:
        raise InputError(f"{path} has no images")
    squeezed = images if channels == 3 else images.reshape(images.shape[:3])
    classes = _classes(path, len(images), arrays.get("labels"), arrays.get("class_names"))
    stamp = hashlib.sha256(f"{images.shape}".encode() + np.ascontiguousarray(images).data)
    return Source(
        where=str(path),
        names=[f"images[{number}]" for number in range(len(images))],
        read=lambda number: Image.fromarray(squeezed[number]),
        labels=classes.labels,
        class_names=classes.class_names,
        stamp=stamp.hexdigest(),
    )


def _classes(path: Path, n: int, labels: Any, names: Any) -> Classes:
    if labels is None:
        return NONE
    if labels.shape in ((n, 1), (n,)) and labels.dtype.kind in "iu":
        labels = labels.reshape(n)
        if labels.min() >= 0 and labels.max() < MOST_CLASSES:
            k = int(labels.max()) + 1
            names = tuple(map(str, range(k) if names is None else names.ravel()))
            if len(names) < k:
                raise InputError(f"{path} has {len(names)} class_names, but labels up to {k - 1}")
            return Classes(labels.astype(np.int32), names)
    raise InputError(
        f"{path} has labels of shape {labels.shape} and type {labels.dtype}; wanted is the number "
        f"of a class for each of the {n} images"
    )
