"""Figures of defective scores (Tousi 2021, definition 1): all of them, and what the highest see."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.defects import Regions
from ganfail_jax.plots.figure import BLUE, ORANGE, SKY, head, save, show_image
from ganfail_jax.statistics.intervals import Z95

PER_ROW = 4
NAMED = 3  # units that a panel names
SCORES, REGIONS = "scores.png", "regions.png"


class Scores(NamedTuple):
    """Of the c units of a layer."""

    value: Float[np.ndarray, " c"]  # DS
    error: Float[np.ndarray, " c"]  # its standard error


def draw(
    folder: Path,
    scores: Mapping[str, Scores],
    regions: Regions,
    indices: Int[np.ndarray, "l n"],
    title: str,
) -> list[str]:
    """Both figures, below `folder`; returns their names.

    Args:
        scores: of each of the l layers.
        regions: of the highest unit of each layer.
        indices: of the samples that these show.
    """
    _scores(folder / SCORES, scores, title)
    _regions(folder / REGIONS, scores, regions, indices, title)
    return [SCORES, REGIONS]


def _scores(path: Path, layers: Mapping[str, Scores], title: str) -> None:
    """A panel per layer: its units from the highest score to the lowest."""
    columns = min(len(layers), PER_ROW)
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.5 * rows + 0.9), layout="constrained")
    head(
        figure,
        f"How well units meet the artifacts, their defective scores (DS): {title}",
        f"band: 95 % interval over artifact images; dots: the {NAMED} highest units, by number",
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, (layer, (scores, errors)) in zip(grid, layers.items(), strict=False):
        order = np.argsort(-scores, kind="stable")
        scores, reach, at = scores[order], Z95 * errors[order], np.arange(len(order))
        low = np.maximum(scores - reach, 0)
        axes.fill_between(at, low, scores + reach, color=BLUE, alpha=0.25, lw=0)
        axes.plot(at, scores, color=BLUE, lw=1.2)
        axes.plot(at[:NAMED], scores[:NAMED], "o", color=ORANGE, ms=3)
        numbers = ", ".join(map(str, order[:NAMED]))
        axes.set_title(f"{layer}\nhighest: units {numbers}", size=8)
        axes.set_xlabel(f"{len(order):,} units, from the highest", size=8)
        axes.tick_params(labelsize=7)
    grid[0].set_ylim(bottom=0)
    for axes in grid[::columns]:
        axes.set_ylabel("defective score (DS): mean overlap\n(IoU) with the artifact", size=8)
    for axes in grid[len(layers) :]:
        axes.remove()
    save(figure, path)


def _regions(
    path: Path,
    scores: Mapping[str, Scores],
    regions: Regions,
    indices: Int[np.ndarray, "l n"],
    title: str,
) -> None:
    """A row per layer: the artifact images whose masks its highest unit meets best."""
    images = regions.images
    rows, columns = images.shape[:2]
    figure = Figure(figsize=(1.25 * columns + 1.4, 1.45 * rows + 0.9), layout="constrained")
    head(
        figure,
        f"The unit of the highest defective score (DS) of each layer: {title}",
        "orange: the artifact by the classifier (Grad-CAM); blue: the unit is active",
        "artifact images where the unit meets the artifact best",
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for row, (layer, own) in enumerate(scores.items()):
        for n, axes in enumerate(grid[row]):
            show_image(axes, images[row, n])
            _cover(axes, regions.active[row, n])
            _outline(axes, regions.masks[row, n])
            axes.set_title(f"sample {indices[row, n]}", size=7)
        unit = int(np.argmax(own.value))
        text = f"{layer}\nunit {unit}\nDS {own.value[unit]:.3f}"
        grid[row, 0].set_ylabel(text, rotation=0, ha="right", va="center", size=7)
    save(figure, path)


def _cover(axes: Axes, region: Bool[np.ndarray, "h w"]) -> None:
    tint = np.array([*(int(SKY[i : i + 2], 16) / 255 for i in (1, 3, 5)), 0.6])
    axes.imshow(region[..., None] * tint, interpolation="nearest")


def _outline(axes: Axes, region: Bool[np.ndarray, "h w"]) -> None:
    if region.any() and not region.all():
        axes.contour(region, levels=[0.5], colors=ORANGE, linewidths=1)
