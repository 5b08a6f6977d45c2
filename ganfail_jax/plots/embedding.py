"""The figure of the latent spaces (Le Coz 2022, fig. 3), drawn from a result's arrays."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ganfail_jax.plots.figure import BLUE, ORANGE, save

NAMED = 0.5  # k-NN class accuracy from which a class lies in one place that can bear its name


def class_colours(classes: int) -> list[Any]:
    """Ten that the colour-blind can tell apart (Petroff 2021); of more, a rainbow."""
    if classes <= 10:
        return list(mpl.color_sequences["petroff10"][:classes])
    return list(mpl.colormaps["turbo"](np.linspace(0, 1, classes)))


def _number(row: np.ndarray) -> str:
    value, low, high = row
    if np.isnan(value):
        return "none"
    return f"{value:.2f}" + ("" if np.isnan(low) else f" [{low:.2f}, {high:.2f}]")


def _by_class(axes: Axes, arrays: Mapping[str, Any], space: int, colours: list[Any]) -> None:
    points, target = arrays["points"][space], arrays["target"]
    axes.scatter(*points.T, s=5, c=[colours[c] for c in target], lw=0)
    accuracy = arrays["numbers"][space, 0]
    if accuracy[0] >= NAMED:
        for c in np.unique(target):
            x, y = np.median(points[target == c], axis=0)
            axes.text(
                x,
                y,
                str(arrays["class_names"][c]),
                ha="center",
                va="center",
                weight="bold",
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )
    axes.set_title(
        f"{arrays['spaces'][space]} ({arrays['dimensions'][space]} dimensions)\n"
        f"class accuracy of k-NN {_number(accuracy)}",
        size=10,
    )


def _by_outcome(axes: Axes, arrays: Mapping[str, Any], space: int) -> None:
    points, right = arrays["points"][space], arrays["right"]
    axes.scatter(*points[right].T, s=4, color=BLUE, alpha=0.35, lw=0)
    axes.scatter(*points[~right].T, s=9, color=ORANGE, lw=0)
    numbers = arrays["numbers"][space]
    axes.set_title(
        f"outcome AUC of k-NN {_number(numbers[1])}\n"
        f"within classes {_number(numbers[2])}, linear {_number(numbers[4])}",
        size=10,
    )


def maps(path: str | os.PathLike[str], arrays: Mapping[str, Any], title: str) -> None:
    """A column per space: t-SNE by class above, by outcome below."""
    columns = len(arrays["spaces"])
    names = arrays["class_names"]
    colours = class_colours(len(names))
    figure = Figure(figsize=(4.1 * columns + 1.6, 9.4), layout="constrained")
    figure.suptitle(title, size=11)
    above, below = figure.subplots(2, columns, squeeze=False)
    for space in range(columns):
        _by_class(above[space], arrays, space, colours)
        _by_outcome(below[space], arrays, space)
        for axes in (above[space], below[space]):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel("t-SNE 1", size=8)
            axes.set_ylabel("t-SNE 2", size=8)
    dot = {"marker": "o", "ls": "", "ms": 6}
    kind = "class" if arrays["labelled"] else "predicted class"
    by_class = [
        Line2D([], [], color=colour, label=str(name), **dot)
        for name, colour in zip(names, colours, strict=True)
    ]
    above[-1].legend(
        handles=by_class[:30], title=kind, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8
    )
    right = arrays["right"]
    counts = (right.sum(), BLUE), ((~right).sum(), ORANGE)
    by_outcome = [
        Line2D([], [], color=colour, label=f"{name} (n = {n:,})", **dot)
        for name, (n, colour) in zip(arrays["outcomes"], counts, strict=True)
    ]
    figure.legend(handles=by_outcome, loc="outside lower center", ncols=2, frameon=False)
    save(figure, path)


FIGURES = ("spaces.png",)


def draw(folder: Path, arrays: Mapping[str, Any], models: str) -> tuple[str, ...]:
    """The figure, below `folder`; returns its name."""
    shown, measured = len(arrays["right"]), int(np.sum(arrays["num_samples"]))
    title = (
        f"Latent spaces of generated samples ({models})\n"
        f"t-SNE of {shown:,} samples; numbers with 95 % intervals from {measured:,} samples in the "
        "spaces themselves"
    )
    maps(folder / FIGURES[0], arrays, title)
    return FIGURES
