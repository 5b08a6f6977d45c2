"""Figures of a ranking (Le Coz 2022, sec. 2.2)."""

import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ganfail_jax.analysis.descriptions import OBSERVED
from ganfail_jax.analysis.push import PushGrid
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.plots.figure import (
    BLUE,
    ORANGE,
    PURPLE,
    arrow,
    beyond,
    caption,
    frame,
    head,
    save,
    show_grid,
)
from ganfail_jax.statistics.intervals import Z95

REACH = 0.9  # quantile of the classes' largest scores, the end of the colours
OUTSIDE = f"outside the central {OBSERVED[1] - OBSERVED[0]:.0%}"


def bars(
    path: str | os.PathLike[str], ranking: Ranking, title: str, unit: str, top: int = 20
) -> None:
    """The top dimensions of the whole population with 95 % intervals."""
    score, error = ranking.score[0], ranking.standard_error[0]
    dims = ranking.order[0, :top]
    figure = Figure(figsize=(8, 0.29 * len(dims) + 1.7), layout="constrained")
    axes = figure.add_subplot()
    rows = np.arange(len(dims))
    lowers = score[dims] < 0
    for chosen, colour, label in (
        (~lowers, BLUE, "decreasing it breaks the classifier"),
        (lowers, ORANGE, "increasing it breaks the classifier"),
    ):
        axes.barh(
            rows[chosen],
            score[dims][chosen],
            xerr=Z95 * error[dims][chosen],
            color=colour,
            label=label,
            error_kw={"ecolor": "black", "capsize": 2, "lw": 1},
        )
    axes.set_yticks(rows, [ranking.names[d] for d in dims], family="monospace", size=8)
    axes.invert_yaxis()
    axes.axvline(0, color="black", lw=0.8)
    axes.set_xlabel(f"{unit}; bars: 95 % interval")
    head(figure, title)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    save(figure, path)


def heat_map(
    path: str | os.PathLike[str], ranking: Ranking, title: str, unit: str, top: int = 40
) -> None:
    """Classes x dimensions: the score of the globally top dimensions in every class."""
    dims = ranking.order[0, :top]
    values = ranking.score[:, dims]
    largest = np.nan_to_num(np.abs(values)).max(axis=1)  # so one class does not take the scale
    limit = float(np.quantile(largest, REACH, method="lower")) or 1.0
    figure = Figure(
        figsize=(0.24 * len(dims) + 2.6, 0.34 * len(values) + 2.4), layout="constrained"
    )
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_xticks(
        range(len(dims)),
        [ranking.names[d] for d in dims],
        rotation=90,
        family="monospace",
        size=7,
    )
    axes.set_yticks(range(len(values)), ranking.groups)
    axes.set_ylabel("class")
    axes.set_xlabel("dimension of StyleSpace, by falling magnitude over all classes")
    axes.axhline(0.5, color="black", lw=1.5)
    rows, columns = np.nonzero(np.abs(values) > limit)
    axes.plot(columns, rows, ".", color="white", ms=4)
    line = "white dots: beyond the scale" if len(rows) else ""
    head(figure, title, line)
    ends = beyond(values, -limit, limit)
    figure.colorbar(image, ax=axes, label=unit, pad=0.01, extend=ends)
    save(figure, path)


def push_sheet(path: str | os.PathLike[str], ranking: Ranking, push: PushGrid, models: str) -> None:
    """One row per top dimension: an image pushed further and further in the degrading direction.

    Above each image: the classifier's output for the true class, and its prediction when wrong.
    Framed: where the dimension is outside its observed range.
    """
    rows, columns = push.images.shape[:2]
    dims = ranking.order[push.group, :rows]
    arrows = [arrow(direction) for direction in ranking.direction[push.group, dims]]
    figure = Figure(figsize=(1.15 * columns + 1.9, 1.22 * rows + 1.0), layout="compressed")
    truth = ranking.groups[1 + push.true_class]
    head(
        figure,
        f"One {truth} pushed along each top dimension, as its arrow says: {models}",
        f"above each image: softmax of {truth} (→ prediction when wrong); "
        f"framed: {OUTSIDE} of the dimension's values",
    )
    axes = figure.add_subplot()
    show_grid(axes, push.images)
    for row, column in np.ndindex(rows, columns):
        instead = push.predicted[row, column]
        text = f"{push.softmax[row, column]:.2f}"
        if instead != push.true_class:
            text += f" → {ranking.groups[1 + instead]}"
        colour = "black" if instead == push.true_class else ORANGE
        caption(axes, push.images.shape, row, column, text, color=colour)
        if push.beyond[row, column]:
            frame(axes, push.images.shape, row, column, PURPLE)
    shifts = [f"{shift:g} std" for shift in push.shifts]
    axes.set_xticks(axes.get_xticks(), shifts, size=9)
    names = [f"{ranking.names[d]} {way}" for d, way in zip(dims, arrows, strict=True)]
    axes.set_yticks(axes.get_yticks(), names, family="monospace", size=8)
    save(figure, path)


FIGURES = ("top_dimensions.png", "classes.png", "push.png")


def draw(folder: Path, ranking: Ranking, push: PushGrid, models: str, unit: str) -> tuple[str, ...]:
    """All figures, below `folder`: their names.

    Args:
        unit: what a score is (`analysis.ranking.describe_score`).
    """
    count = f"{ranking.num_samples[0]:,} samples"
    bars(folder / FIGURES[0], ranking, f"What breaks {models}, {count}", unit)
    heat_map(folder / FIGURES[1], ranking, f"What breaks {models}, in every class; {count}", unit)
    push_sheet(folder / FIGURES[2], ranking, push, models)
    return FIGURES
