"""Figure of an image shifted along dimensions (Le Coz 2022, fig. 5), from its result's arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ganfail_jax.plots.figure import ORANGE, arrow, save, show_image


def _heading(arrays: Mapping[str, Any], column: int) -> str:
    name, size = arrays["names"][column], float(arrays["reference"][column])
    if not arrays["reached"][column]:
        return f"{name}\n0.50 not reached\nwithin {size:g} std"
    raw = size * float(arrays["std"][column])
    return f"{name}\n{size:.2f} std\n= {raw:.2f} raw"


def draw(folder: Path, arrays: Mapping[str, Any], who: str) -> tuple[str, ...]:
    """Columns are dimensions, rows are fractions of the shift that takes the output to 0.50.

    Args:
        arrays: of d dimensions, p fractions and k classes: names [d], direction [d], std [d],
            reference [d], reached [d], progress [p], images [p,d,h,w,c], softmax [p,d],
            predicted [p,d], class_names [k]; single values: true_class, sample, chosen, group,
            conditional.
    """
    names, truth = arrays["class_names"], int(arrays["true_class"])
    rows, columns = arrays["softmax"].shape
    figure = Figure(figsize=(1.3 * columns + 1.0, 1.3 * rows + 2.1), layout="constrained")
    label = "class" if arrays["conditional"] else "class, by the unshifted prediction,"
    group = "all classes" if arrays["group"] == "all" else f"class {arrays['group']}"
    figure.suptitle(
        f"Sample {int(arrays['sample'])}, {label} {names[truth]}, shifted along dimensions "
        f"that break the classifier (ranking of {group})\n{who}\nthe sample is {arrays['chosen']}\n"
        "head: dimension and the smallest shift that takes the output to 0.50; above each image: "
        "direction (↑ up, ↓ down),\nsoftmax of the true class (orange: prediction when wrong); "
        "rows: progress, the fraction of that shift, or of the limit where it is not reached",
        size=9,
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for row in range(rows):
        for column in range(columns):
            axes = grid[row, column]
            show_image(axes, arrays["images"][row, column])
            predicted = int(arrays["predicted"][row, column])
            wrong = predicted != truth
            text = f"{arrow(arrays['direction'][column])} {arrays['softmax'][row, column]:.2f}"
            text += f" → {names[predicted]}" if wrong else ""
            axes.set_title(text, size=8, color=ORANGE if wrong else "black", pad=2)
            if row == 0:
                heading = _heading(arrays, column)
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
        grid[row, 0].set_ylabel(f"{arrays['progress'][row]:g}", rotation=0, ha="right", va="center")
    figure.supylabel("progress", size=10)
    save(figure, folder / "shift.png")
    return ("shift.png",)
