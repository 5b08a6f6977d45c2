"""Figures of corner cases (Le Coz 2022, fig. 7), drawn from the arrays of their result alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.plots.figure import BLUE, GREEN, ORANGE, arrow, save, show_image


def _panel(axes: Axes, image: np.ndarray, title: str) -> None:
    show_image(axes, image)
    axes.set_title(title, size=7, pad=2)


def _drawn(arrays: Mapping[str, Any]) -> tuple[int, str]:
    """How many classes have images and are drawn, and a note where that is not all."""
    n, every = len(arrays["start_images"]), len(arrays["start_target"])
    return n, f" (first {n} of {every} classes)" if n < every else ""


def sheet(path: Path, arrays: Mapping[str, Any], who: str) -> None:
    """A row per class: the start, the corner case of each dimension, the joint corner case."""
    names, classes = arrays["names"], arrays["class_names"]
    (n, note), top = _drawn(arrays), arrays["shown"].shape[1]
    figure = Figure(figsize=(1.25 * (top + 2) + 0.8, 1.5 * n + 1.3), layout="constrained")
    label = "class" if arrays["conditional"] else "class by prediction"
    figure.suptitle(
        f"Corner cases of {who}{note}\nfirst: the start of each {label} ({arrays['start']}); "
        "middle: the smallest shift of one dimension\nthat takes its softmax to 0.50, most "
        "influential dimension first; "
        f"last: the smallest move found over the {arrays['joint_dims'].shape[1]} dimensions that "
        "rank first, with an effect of their own or not\n"
        "above: dimension, ↑ up or ↓ down, shift in standard deviations, softmax → largest other "
        "output",
        size=9,
    )
    grid = figure.subplots(n, top + 2, squeeze=False)
    for row in range(n):
        for axes in grid[row]:
            axes.set_axis_off()
        start = arrays["start_softmax"][row, 0]
        _panel(grid[row, 0], arrays["start_images"][row], f"start\nsoftmax\n{start:.2f}")
        for place, column in enumerate(arrays["shown"][row]):
            if column < 0:
                if place == 0 or arrays["shown"][row, place - 1] >= 0:
                    text = f"no other among\nthe {arrays['dims'].shape[1]} searched"
                    grid[row, 1 + place].text(0.5, 0.5, text, ha="center", va="center", size=8)
                continue
            shift, softmax = arrays["shift"][row, column], arrays["softmax"][row, column]
            instead = classes[arrays["instead"][row, column]]
            way = arrow(arrays["direction"][row, column])
            title = f"{names[arrays['dims'][row, column]]}\n{way} {shift:.1f} std\n"
            title += f"{softmax:.2f} → {instead}"
            _panel(grid[row, 1 + place], arrays["images"][row, place], title)
        length = arrays["joint_length"][row]
        if np.isfinite(length):
            instead = classes[arrays["joint_instead"][row]]
            title = f"joint\n{length:.1f} std\n{arrays['joint_softmax'][row]:.2f} → {instead}"
            _panel(grid[row, -1], arrays["joint_images"][row], title)
        grid[row, 0].annotate(
            str(classes[arrays["start_target"][row]]),
            xy=(-0.12, 0.5),
            xycoords="axes fraction",
            ha="right",
            va="center",
            size=12,
        )
    figure.supylabel("class", size=10)
    save(figure, path)


def lengths(path: Path, arrays: Mapping[str, Any], who: str) -> None:
    """Per class: how long a joint, the best single and a random move are."""
    n, note = _drawn(arrays)
    target, limit = arrays["start_target"][:n], float(arrays["limit"])
    places = np.arange(n)
    figure = Figure(figsize=(0.75 * len(target) + 3.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    beyond = limit * 1.06  # where a length above the limit is drawn
    low, middle, high = np.minimum(arrays["joint_random_quartiles"][:n], beyond).T
    axes.errorbar(
        places + 0.2,
        middle,
        yerr=[middle - low, high - middle],
        fmt="s",
        color=GREEN,
        capsize=3,
        label=f"{arrays['joint_random'].shape[1]} random directions: median, quartiles",
    )
    for values, offset, marker, colour, text in (
        (arrays["joint_single"], 0, "^", ORANGE, "best single dimension, degrading direction"),
        (arrays["joint_length"], -0.2, "o", BLUE, "smallest joint move found"),
    ):
        shown = np.minimum(np.nan_to_num(values[:n], nan=np.inf), beyond)
        axes.plot(places + offset, shown, marker, color=colour, label=text)
    text = f"limit of the search; what is above it does not reach 0.50 by {limit:g} std"
    axes.axhline(limit, color="black", lw=0.8, ls="--", label=text)
    names = [str(arrays["class_names"][t]) for t in target]
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 4 else 0)
    axes.set_xlabel("class of the start" if arrays["conditional"] else "class, by prediction")
    axes.set_xlim(-0.6, len(target) - 0.4)
    axes.set_ylabel("length of the move (standard deviations)")
    axes.set_ylim(0, limit * 1.14)
    axes.set_title(
        f"How far to softmax 0.50, in the top {arrays['joint_dims'].shape[1]} dimensions of each "
        f"class{note}\n{who}",
        size=9,
    )
    figure.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=9)
    save(figure, path)


def draw(folder: Path, arrays: Mapping[str, Any], who: str) -> tuple[str, ...]:
    """Both figures, below `folder`, from the arrays of `analysis.corner_cases` and `joint`."""
    figures = {"corner_cases.png": sheet, "joint.png": lengths}
    for name, figure in figures.items():
        figure(folder / name, arrays, who)
    return tuple(figures)
