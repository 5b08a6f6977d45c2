"""The least and the most realistic images, from a result's arrays."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ganfail_jax.plots.sheets import Block, draw_blocks


def draw_extremes(path: Path, arrays: Mapping[str, np.ndarray], title: str) -> None:
    """Two blocks of images, each image with its realism above, in rising order.

    Args:
        arrays: `least`, `most` [n,h,w,c] of 8 bits and their `least_realism`, `most_realism` [n].
    """
    blocks = [
        Block(f"{name} realistic", arrays[name], [f"{x:.2f}" for x in arrays[f"{name}_realism"]])
        for name in ("least", "most")
    ]
    draw_blocks(path, blocks, title, "above each image: its realism (1 and more: like real ones)")
