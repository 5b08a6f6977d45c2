"""Figure of images without chosen neurons (Choi 2022, fig. 5), from its result's arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ganfail_jax.plots.figure import head, save, show_image


def draw_ablated(path: Path, arrays: Mapping[str, Any], title: str) -> None:
    """Columns are samples, rows are sets of neurons that are ablated.

    Args:
        arrays: images [r,n,h,w,c], rows [r] their names, changes [r,n] the mean change of a pixel,
            heads [n] what stands above each column.
    """
    images, changes = arrays["images"], arrays["changes"]
    rows, columns = images.shape[:2]
    figure = Figure(figsize=(1.3 * columns + 1.6, 1.4 * rows + 1.0), layout="constrained")
    head(
        figure,
        title,
        "below each image: mean change of a pixel, of 255",
        "LR: rarely activated neurons, of a rate of at most R (the share of samples that activate "
        "a neuron); HR: often activated ones, of a higher rate",
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column in range(columns):
            axes = grid[row, column]
            show_image(axes, images[row, column])
            if changes[row, column]:
                axes.set_xlabel(f"{changes[row, column]:.1f}", size=7, labelpad=1)
            if row == 0:
                axes.set_title(str(arrays["heads"][column]), size=8)
        label = str(arrays["rows"][row]).replace(", ", "\n")
        label = "as it is" if label == "none" else f"without\n{label}"
        grid[row, 0].set_ylabel(label, rotation=0, ha="right", va="center", size=8)
    save(figure, path)
