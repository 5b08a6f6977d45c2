"""The figure of the latent spaces (Le Coz 2022, fig. 3)."""

import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ganfail_jax.analysis.embedding import Embedding, Mapped
from ganfail_jax.plots.figure import BLUE, ORANGE, head, save
from ganfail_jax.statistics.intervals import show

NAMED = 0.5  # k-NN class accuracy from which a class lies in one place that can bear its name


def class_colours(classes: int) -> list[Any]:
    """Ten that the colour-blind can distinguish (Petroff 2021); of more, a rainbow."""
    if classes <= 10:
        return list(mpl.color_sequences["petroff10"][:classes])
    return list(mpl.colormaps["turbo"](np.linspace(0, 1, classes)))


def _number(row: np.ndarray) -> str:
    value, *interval = row
    return "none" if np.isnan(value) else show(value, interval, ".2f")


def _by_class(
    axes: Axes, embedded: Embedding, mapped: Mapped, space: int, colours: list[Any]
) -> None:
    points, target = embedded.points[space], mapped.target
    axes.scatter(*points.T, s=5, c=[colours[c] for c in target], lw=0)
    accuracy = embedded.numbers[space, 0]
    if accuracy[0] >= NAMED:
        for c in np.unique(target):
            x, y = np.median(points[target == c], axis=0)
            axes.text(
                x,
                y,
                mapped.class_names[c],
                ha="center",
                va="center",
                weight="bold",
                path_effects=[withStroke(linewidth=3, foreground="white")],
            )
    axes.set_title(
        f"{embedded.spaces[space]} ({embedded.dimensions[space]} dimensions)\n"
        f"class accuracy of k-NN {_number(accuracy)}",
        size=10,
    )


def _by_outcome(axes: Axes, embedded: Embedding, mapped: Mapped, space: int) -> None:
    points, right = embedded.points[space], mapped.right
    axes.scatter(*points[right].T, s=4, color=BLUE, alpha=0.35, lw=0)
    axes.scatter(*points[~right].T, s=9, color=ORANGE, lw=0)
    numbers = embedded.numbers[space]
    axes.set_title(
        f"outcome AUC of k-NN {_number(numbers[1])}\n"
        f"within classes {_number(numbers[2])}, linear {_number(numbers[4])}",
        size=10,
    )


def maps(
    path: str | os.PathLike[str], embedded: Embedding, mapped: Mapped, title: str, line: str
) -> None:
    """A column per space: t-SNE by class above, by outcome below."""
    columns, names = len(embedded.spaces), mapped.class_names
    colours = class_colours(len(names))
    figure = Figure(figsize=(4.1 * columns + 1.6, 9.4), layout="constrained")
    head(figure, title, line)
    above, below = figure.subplots(2, columns, squeeze=False)
    for space in range(columns):
        _by_class(above[space], embedded, mapped, space, colours)
        _by_outcome(below[space], embedded, mapped, space)
        for axes in (above[space], below[space]):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel("t-SNE 1", size=8)
            axes.set_ylabel("t-SNE 2", size=8)
    dot = {"marker": "o", "ls": "", "ms": 6}
    kind = "class" if mapped.labelled else "predicted class"
    by_class = [
        Line2D([], [], color=colour, label=name, **dot)
        for name, colour in zip(names, colours, strict=True)
    ]
    above[-1].legend(
        handles=by_class[:30], title=kind, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8
    )
    right = mapped.right
    counts = (right.sum(), BLUE), ((~right).sum(), ORANGE)
    by_outcome = [
        Line2D([], [], color=colour, label=f"{name} (n = {n:,})", **dot)
        for name, (n, colour) in zip(mapped.outcomes, counts, strict=True)
    ]
    figure.legend(handles=by_outcome, loc="outside lower center", ncols=2, frameon=False)
    save(figure, path)


FIGURES = ("spaces.png",)


def draw(folder: Path, embedded: Embedding, mapped: Mapped, models: str) -> tuple[str, ...]:
    """The figure, below `folder`: its name."""
    shown, measured = len(mapped.right), int(np.sum(mapped.num_samples))
    title = f"Latent spaces of generated samples: {models}"
    line = f"t-SNE of {shown:,} samples; numbers [95 %]: of {measured:,}, in the spaces themselves"
    maps(folder / FIGURES[0], embedded, mapped, title, line)
    return FIGURES
