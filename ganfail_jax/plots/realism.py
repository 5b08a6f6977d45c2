"""The least and the most realistic images, from a result's arrays."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ganfail_jax.plots.figure import save, show_image

COLUMNS = 10


def draw_extremes(path: Path, arrays: Mapping[str, np.ndarray], title: str) -> None:
    """Two blocks of images, each image with its realism above, in rising order.

    Args:
        arrays: `least`, `most` [n,h,w,c] of 8 bits and their `least_realism`, `most_realism` [n].
    """
    blocks = [(name, arrays[name], arrays[f"{name}_realism"]) for name in ("least", "most")]
    rows = [-(-len(images) // COLUMNS) for _, images, _ in blocks]
    figure = Figure(figsize=(COLUMNS, 1.3 * sum(rows) + 1.6), layout="constrained")
    figure.suptitle(f"{title}\nabove each image: its realism (1 and more: like real ones)")
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=rows)[:, 0]
    for part, (name, images, scores), height in zip(parts, blocks, rows, strict=True):
        part.suptitle(f"{name} realistic", fontsize="medium")
        for axis in part.subplots(height, COLUMNS, squeeze=False).flat:
            axis.set_axis_off()
        for axis, image, score in zip(part.axes, images, scores, strict=False):
            show_image(axis, image / 127.5 - 1)
            axis.set_title(f"{score:.2f}", fontsize="small")
    save(figure, path)
