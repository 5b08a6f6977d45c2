"""A folder of pictures as an array, for comparing generated images with a person's own."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ganfail_jax.errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
MODES = {1: "L", 3: "RGB"}  # channels -> what pictures are converted to


def load_folder(
    folder: str | os.PathLike[str], image_shape: tuple[int, int, int]
) -> UInt8[np.ndarray, "n h w c"]:
    """All pictures in a folder and the folders in it, by name.

    Args:
        image_shape: (h, w, c) of every picture; colours become grey where c is 1.

    Raises:
        InputError: no pictures, or one that is damaged or of another size.
    """
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"no pictures ({', '.join(sorted(SUFFIXES))}) in {folder}")
    height, width, channels = image_shape
    images = np.empty((len(paths), *image_shape), np.uint8)
    for image, path in zip(images, paths, strict=True):
        try:
            with Image.open(path) as picture:
                size = picture.size
                if size == (width, height):
                    image[:] = np.asarray(picture.convert(MODES[channels])).reshape(image_shape)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{path} is damaged: {error}") from error
        if size != (width, height):
            made = f"{width}x{height}"
            raise InputError(f"{path} is {size[0]}x{size[1]}, the generator makes {made}")
    return images
