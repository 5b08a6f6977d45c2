"""Figures of defective scores (Tousi 2021, definition 1): all of them, and what the highest see."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.plots.figure import BLUE, ORANGE, SKY, save, show_image

PER_ROW = 4
SCORES, REGIONS = "scores.png", "regions.png"


def draw(folder: Path, arrays: Mapping[str, np.ndarray], who: str) -> list[str]:
    """Both figures, below `folder`; returns their names.

    Args:
        arrays: layers [l], indices [n], images [n,h,w,c] of 8 bits, masks [n,h,w], active
            [l,n,h,w] of the highest unit of each layer, `scores/<layer>` and
            `standard_errors/<layer>` [c].
    """
    _scores(folder / SCORES, arrays, who)
    _regions(folder / REGIONS, arrays, who)
    return [SCORES, REGIONS]


def _scores(path: Path, arrays: Mapping[str, np.ndarray], who: str) -> None:
    """A panel per layer: its units from the highest score to the lowest."""
    layers = arrays["layers"]
    columns = min(len(layers), PER_ROW)
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.5 * rows + 0.9), layout="constrained")
    figure.suptitle(f"Defective scores, {who}\nband: 95 % interval over artifact images", size=10)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, layer in zip(grid, layers, strict=False):
        scores, errors = arrays[f"scores/{layer}"], arrays[f"standard_errors/{layer}"]
        order = np.argsort(-scores, kind="stable")
        scores, reach, at = scores[order], 1.96 * errors[order], np.arange(len(order))
        low = np.maximum(scores - reach, 0)
        axes.fill_between(at, low, scores + reach, color=BLUE, alpha=0.25, lw=0)
        axes.plot(at, scores, color=BLUE, lw=1.2)
        axes.set_title(f"{layer}: unit {order[0]} is highest", size=8)
        axes.set_xlabel("units, by score", size=8)
        axes.tick_params(labelsize=7)
        axes.set_ylim(0, None)
    for axes in grid[::columns]:
        axes.set_ylabel("defective score (mean IoU)", size=8)
    for axes in grid[len(layers) :]:
        axes.set_axis_off()
    save(figure, path)


def _regions(path: Path, arrays: Mapping[str, np.ndarray], who: str) -> None:
    """Artifact images with their masks, and where the highest unit of each layer is active."""
    layers, images = arrays["layers"], arrays["images"]
    rows, columns = 1 + len(layers), len(images)
    figure = Figure(figsize=(1.25 * columns + 1.4, 1.3 * rows + 0.9), layout="constrained")
    figure.suptitle(
        f"Where the units of the highest defective scores are active, {who}\n"
        "orange: the artifact by the classifier (Grad-CAM); blue: the unit is active",
        size=10,
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for n, image in enumerate(images):
        for row in range(rows):
            axes = grid[row, n]
            show_image(axes, image / 127.5 - 1)
            if row:
                _cover(axes, arrays["active"][row - 1, n])
            _outline(axes, arrays["masks"][n])
        grid[0, n].set_title(f"sample {arrays['indices'][n]}", size=7)
    for row, layer in enumerate(layers, 1):
        unit = int(np.argmax(arrays[f"scores/{layer}"]))
        text = f"{layer}\nunit {unit}\nDS {arrays[f'scores/{layer}'][unit]:.3f}"
        grid[row, 0].set_ylabel(text, rotation=0, ha="right", va="center", size=7)
    save(figure, path)


def _cover(axes: Axes, region: Bool[np.ndarray, "h w"]) -> None:
    tint = np.array([*(int(SKY[i : i + 2], 16) / 255 for i in (1, 3, 5)), 0.6])
    axes.imshow(region[..., None] * tint, interpolation="nearest")


def _outline(axes: Axes, region: Bool[np.ndarray, "h w"]) -> None:
    if region.any() and not region.all():
        axes.contour(region, levels=[0.5], colors=ORANGE, linewidths=1)
