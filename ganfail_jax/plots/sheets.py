"""Sheets of images, pixel for pixel."""

import os

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import image

from ganfail_jax.data.pipelines import to_uint8
from ganfail_jax.results import replace_file


def tile(
    images: Float[np.ndarray, "n h w c"], columns: int, scale: int = 1
) -> UInt8[np.ndarray, "rows cols c"]:
    """Images in [-1, 1], row by row in one array, each pixel `scale` pixels wide."""
    n, h, w, c = images.shape
    rows = -(-n // columns)
    padded = np.concatenate([images, np.full((rows * columns - n, h, w, c), -1, images.dtype)])
    pixels = to_uint8(padded)
    sheet = pixels.reshape(rows, columns, h, w, c).swapaxes(1, 2).reshape(rows * h, columns * w, c)
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


def save_sheet(
    path: str | os.PathLike[str], images: Float[np.ndarray, "n h w c"], columns: int, scale: int = 2
) -> None:
    """Write a PNG."""
    sheet = tile(np.asarray(images), columns, scale)
    with replace_file(path) as new:
        image.imsave(new, sheet.repeat(3, axis=2) if sheet.shape[2] == 1 else sheet)
