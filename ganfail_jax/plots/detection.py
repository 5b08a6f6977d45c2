"""Figures of the samples with the most and the fewest activated LR neurons (Choi 2022, fig. 2)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ganfail_jax.plots.figure import BLUE, ORANGE, head, save
from ganfail_jax.plots.sheets import Block, draw_blocks

BINS = 80
GREY = "0.75"
FIGURES = ("histogram.png", "extremes.png")


def draw(
    folder: Path, arrays: Mapping[str, np.ndarray], subject: str, score: str
) -> tuple[str, ...]:
    """All figures, below `folder`; returns their names.

    Args:
        arrays: of n samples, s at each end and m of them shown: score [n], top [s], bottom [s],
            top_images, bottom_images [m,h,w,c] of 8 bits, first_index.
        subject: whose samples they are, for a person.
        score: what it counts, for a person.
    """
    _histogram(folder / FIGURES[0], arrays, subject, score)
    size = len(arrays["top"])
    decimals = 2 if arrays["score"].dtype.kind == "f" else 0
    blocks = []
    for name, what in (("top", "highest"), ("bottom", "lowest")):
        images = arrays[f"{name}_images"]
        scores = arrays["score"][arrays[name][: len(images)] - arrays["first_index"]]
        title = f"{name.capitalize()}: the {len(images)} {what} of the {size:,}"
        blocks.append(Block(title, images, [f"{x:,.{decimals}f}" for x in scores]))
    title = (
        f"Samples that activate the most and the fewest rarely activated (LR) neurons: {subject}"
    )
    draw_blocks(folder / FIGURES[1], blocks, title, f"above each image: {score}")
    return FIGURES


def _edges(values: np.ndarray) -> list[float]:
    """Of bins; as many whole numbers in each, where the values are."""
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        return np.linspace(low, high, BINS + 1).tolist()
    width = -(-(high - low + 1) // BINS)
    return (np.arange(low, high + width + 1, width) - 0.5).tolist()


def _histogram(path: Path, arrays: Mapping[str, np.ndarray], subject: str, score: str) -> None:
    values, first = arrays["score"], arrays["first_index"]
    bottom, top = arrays["bottom"] - first, arrays["top"] - first
    rest = np.ones(len(values), bool)
    rest[np.concatenate([bottom, top])] = False
    figure = Figure(figsize=(8, 4), layout="constrained")
    title = (
        f"Rarely activated (LR) neurons that each of {len(values):,} samples activates: {subject}"
    )
    head(figure, title)
    axes = figure.subplots()
    axes.hist(
        [values[bottom], values[rest], values[top]],
        bins=_edges(values),
        stacked=True,
        color=[BLUE, GREY, ORANGE],
        label=[f"Bottom {len(bottom):,}", "the others", f"Top {len(top):,}"],
    )
    axes.set_xlabel(score)
    axes.set_ylabel("samples")
    axes.legend(loc="best", frameon=False)
    save(figure, path)
