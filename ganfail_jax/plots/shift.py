"""The figure of one image shifted along dimensions (Le Coz 2022, fig. 5)."""

from pathlib import Path

from matplotlib.figure import Figure

from ganfail_jax.analysis.shift import ShiftGrid, Shown
from ganfail_jax.plots.figure import ORANGE, arrow, save, show_image


def _heading(grid: ShiftGrid, shown: Shown, column: int) -> str:
    name, size = shown.names[column], float(grid.reference[column])
    if not grid.reached[column]:
        return f"{name}\n0.50 not reached\nwithin {size:g} std"
    raw = size * float(grid.std[column])
    return f"{name}\n{size:.2f} std\n= {raw:.2f} raw"


def draw(folder: Path, grid: ShiftGrid, shown: Shown, subject: str) -> tuple[str, ...]:
    """Columns are dimensions, rows are fractions of the shift that takes the output to 0.50."""
    names, truth = shown.class_names, shown.true_class
    rows, columns = grid.softmax.shape
    figure = Figure(figsize=(1.3 * columns + 1.0, 1.3 * rows + 2.1), layout="constrained")
    label = "class" if shown.conditional else "class, by the unshifted prediction,"
    group = "all classes" if shown.group == "all" else f"class {shown.group}"
    figure.suptitle(
        f"Sample {shown.sample}, {label} {names[truth]}, shifted along dimensions "
        f"that break the classifier (ranking of {group})\n{subject}\nthe sample is {shown.chosen}\n"
        "head: dimension and the smallest shift that takes the output to 0.50; above each image: "
        "direction (↑ up, ↓ down),\nsoftmax of the true class (orange: prediction when wrong); "
        "rows: progress, the fraction of that shift, or of the limit where it is not reached",
        size=9,
    )
    cells = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column in range(columns):
            axes = cells[row, column]
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
    figure.supylabel("progress", size=10)
    save(figure, folder / "shift.png")
    return ("shift.png",)
