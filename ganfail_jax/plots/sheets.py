"""Sheets of images: pixel for pixel, or in blocks with a caption above every image."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import image
from matplotlib.figure import Figure

from ganfail_jax.images import to_uint8
from ganfail_jax.plots.figure import head, save, show_image
from ganfail_jax.results import replace_file

COLUMNS = 10


class Block(NamedTuple):
    """Images that belong together."""

    name: str
    images: UInt8[np.ndarray, "n h w c"]
    captions: Sequence[str]  # one for each image


def draw_blocks(
    path: str | os.PathLike[str], blocks: Sequence[Block], title: str, line: str
) -> None:
    """Blocks of images, one above the other, a caption above every image."""
    rows = [-(-len(block.images) // COLUMNS) for block in blocks]
    figure = Figure(figsize=(COLUMNS, 1.15 * sum(rows) + 1.4), layout="constrained")
    head(figure, title, line)
    parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=rows)[:, 0]
    for part, block, height in zip(parts, blocks, rows, strict=True):
        part.suptitle(block.name, fontsize="medium")
        for axis in part.subplots(height, COLUMNS, squeeze=False).flat:
            axis.set_axis_off()
        for axis, picture, caption in zip(part.axes, block.images, block.captions, strict=False):
            show_image(axis, picture / 127.5 - 1)
            axis.set_title(caption, fontsize="small")
    save(figure, path)


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
