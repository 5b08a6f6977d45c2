"""Figures of corner cases (Le Coz 2022, fig. 7)."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.corner_cases import CornerCases, Shown
from ganfail_jax.analysis.joint import JointMoves
from ganfail_jax.plots.figure import BLUE, GREEN, ORANGE, arrow, head, save, show_image


def _panel(axes: Axes, image: np.ndarray, title: str) -> None:
    show_image(axes, image)
    axes.set_title(title, size=7, pad=2)


def _drawn(cases: CornerCases, shown: Shown) -> tuple[int, str]:
    """How many classes have images and are drawn, and a note where that is not all."""
    n, every = len(cases.start_images), len(shown.start_target)
    return n, f" (first {n} of {every} classes)" if n < every else ""


def sheet(path: Path, cases: CornerCases, moves: JointMoves, shown: Shown, subject: str) -> None:
    """A row per class: the start, the joint corner case, the corner case of each dimension."""
    names, classes = shown.names, shown.class_names
    n, note = _drawn(cases, shown)
    top = max(int((cases.shown[:n] >= 0).sum(axis=1).max(initial=0)), 1)
    figure = Figure(figsize=(1.25 * (top + 2) + 0.8, 1.5 * n + 1.3), layout="constrained")
    label = "class" if shown.conditional else "class by prediction"
    head(
        figure,
        f"Smallest shifts that take the softmax to 0.50: {subject}{note}",
        "above each image: dimension, shift in standard deviations, softmax → largest other output",
        f"start: of each {label}, {shown.start}; joint: the smallest move found over the "
        f"{moves.dims.shape[1]} dimensions that rank first; then one dimension each, the most "
        f"influential first, of those that reach 0.50 among the {cases.dims.shape[1]} searched",
    )
    grid = figure.subplots(n, top + 2, squeeze=False)
    for row in range(n):
        for axes in grid[row]:
            axes.set_axis_off()
        start = cases.start_softmax[row, 0]
        _panel(grid[row, 0], cases.start_images[row], f"start\nsoftmax\n{start:.2f}")
        for place, column in enumerate(cases.shown[row, :top]):
            if column < 0:
                if place == 0 or cases.shown[row, place - 1] >= 0:
                    text = "no other\ndimension" if place else "no dimension"
                    grid[row, 2 + place].text(0.5, 0.5, text, ha="center", va="center", size=8)
                continue
            shift, softmax = cases.shift[row, column], cases.softmax[row, column]
            instead = classes[cases.instead[row, column]]
            way = arrow(cases.direction[row, column])
            title = f"{names[cases.dims[row, column]]}\n{way} {shift:.1f} std\n"
            title += f"{softmax:.2f} → {instead}"
            _panel(grid[row, 2 + place], cases.images[row, place], title)
        length = moves.length[row]
        if np.isfinite(length):
            instead = classes[moves.instead[row]]
            title = f"joint\n{length:.1f} std\n{moves.softmax[row]:.2f} → {instead}"
            _panel(grid[row, 1], moves.images[row], title)
        else:
            text = f"no joint move\nwithin {shown.limit:g} std"
            grid[row, 1].text(0.5, 0.5, text, ha="center", va="center", size=8)
        grid[row, 0].annotate(
            classes[int(shown.start_target[row])],
            xy=(-0.12, 0.5),
            xycoords="axes fraction",
            ha="right",
            va="center",
            size=12,
        )
    figure.supylabel("class", size=10)
    save(figure, path)


def lengths(path: Path, cases: CornerCases, moves: JointMoves, shown: Shown, subject: str) -> None:
    """Per class: how long a joint, the best single and a random move are."""
    n, note = _drawn(cases, shown)
    target, limit = shown.start_target[:n], shown.limit
    places = np.arange(n)
    figure = Figure(figsize=(max(0.75 * len(target) + 3.2, 6), 4.8), layout="constrained")
    axes = figure.add_subplot()
    beyond = limit * 1.06  # where a length above the limit is drawn
    low, middle, high = np.minimum(moves.random_quartiles[:n], beyond).T
    axes.errorbar(
        places + 0.2,
        middle,
        yerr=[middle - low, high - middle],
        fmt="s",
        color=GREEN,
        capsize=3,
        label=f"{moves.random.shape[1]} random directions: median, quartiles",
    )
    for values, offset, marker, colour, text in (
        (moves.single, 0, "^", ORANGE, "best single dimension, degrading direction"),
        (moves.length, -0.2, "o", BLUE, "smallest joint move found"),
    ):
        reached = np.minimum(np.nan_to_num(values[:n], nan=np.inf), beyond)
        axes.plot(places + offset, reached, marker, color=colour, label=text)
    text = f"limit of the search; what is above it does not reach 0.50 by {limit:g} std"
    axes.axhline(limit, color="black", lw=0.8, ls="--", label=text)
    names = [shown.class_names[int(t)] for t in target]
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 4 else 0)
    axes.set_xlabel("class of the start" if shown.conditional else "class, by prediction")
    axes.set_xlim(-0.6, len(target) - 0.4)
    axes.set_ylabel("length of the move (standard deviations)")
    axes.set_ylim(0, limit * 1.14)
    title = f"How far to softmax 0.50: {subject}{note}"
    head(figure, title, f"moves along the top {moves.dims.shape[1]} dimensions of each class")
    figure.legend(loc="outside lower center", ncols=1, frameon=False, fontsize=9)
    save(figure, path)


def draw(
    folder: Path, cases: CornerCases, moves: JointMoves, shown: Shown, subject: str
) -> tuple[str, ...]:
    """Both figures, below `folder`: their names."""
    figures = {"corner_cases.png": sheet, "joint.png": lengths}
    for name, figure in figures.items():
        figure(folder / name, cases, moves, shown, subject)
    return tuple(figures)
