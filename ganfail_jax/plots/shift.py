"""The figure of one image shifted along dimensions (Le Coz 2022, fig. 5)."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ganfail_jax.analysis.shift import ShiftGrid, Shown
from ganfail_jax.plots.figure import ORANGE, arrow, head, save, show_image


def _heading(grid: ShiftGrid, shown: Shown, column: int) -> str:
    name, size = shown.names[column], float(grid.reference[column])
    if not grid.reached[column]:
        return f"{name}\n0.50 not reached\nwithin {size:g} std"
    raw = size * float(grid.std[column])
    return f"{name}\n{size:.2f} std\n= {raw:.2f} raw"


def draw(folder: Path, grid: ShiftGrid, shown: Shown, subject: str) -> tuple[str, ...]:
    """Columns are dimensions, rows are fractions of the shift that takes the output to 0.50.

    Dimensions that do not reach it are named below, or drawn if none does.
    """
    names, truth = shown.class_names, shown.true_class
    drawn = np.flatnonzero(grid.reached) if grid.reached.any() else np.arange(len(grid.dims))
    left_out = [name for d, name in enumerate(shown.names) if d not in drawn]
    rows, columns = len(grid.progress), len(drawn)
    figure = Figure(figsize=(max(1.3 * columns, 5) + 1.0, 1.3 * rows + 1.6), layout="constrained")
    label = "class" if shown.conditional else "class, by the unshifted prediction,"
    group = "all classes" if shown.group == "all" else f"class {shown.group}"
    note = f"sample {shown.sample}: {shown.chosen}; dimensions: ranking of {group}"
    if left_out:
        note += f"; not drawn, 0.50 not reached within {shown.limit:g} std: {', '.join(left_out)}"
    head(
        figure,
        f"Shifting {label} {names[truth]} until its softmax is 0.50: {subject}",
        f"above each image: softmax of {names[truth]} (→ prediction when wrong)",
        note,
    )
    cells = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for place, column in enumerate(drawn.tolist()):
            axes = cells[row, place]
            show_image(axes, grid.images[row, column])
            predicted = int(grid.predicted[row, column])
            wrong = predicted != truth
            text = f"{arrow(grid.direction[column])} {grid.softmax[row, column]:.2f}"
            text += f" → {names[predicted]}" if wrong else ""
            axes.set_title(text, size=8, color=ORANGE if wrong else "black", pad=2)
            if row == 0:
                heading = _heading(grid, shown, column)
                place = {"xycoords": "axes fraction", "textcoords": "offset points"}
                axes.annotate(
                    heading,
                    xy=(0.5, 1),
                    xytext=(0, 14),
                    ha="center",
                    va="bottom",
                    size=7,
                    family="monospace",
                    **place,
                )
        cells[row, 0].set_ylabel(f"{grid.progress[row]:g}", rotation=0, ha="right", va="center")
    figure.supylabel("fraction of the shift above", size=10)
    save(figure, folder / "shift.png")
    return ("shift.png",)
