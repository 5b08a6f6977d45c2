"""Figures of a ranking (Le Coz 2022, sec. 2.2), drawn from the arrays of its result alone."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ganfail_jax.plots.figure import BLUE, ORANGE, arrow, caption, save, show_grid
from ganfail_jax.statistics.intervals import Z95


def bars(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], title: str, unit: str, top: int = 20
) -> None:
    """The top dimensions of the whole population with 95 % intervals."""
    score, error = arrays["score"][0], arrays["standard_error"][0]
    dims = arrays["order"][0, :top]
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
    axes.set_yticks(rows, [arrays["names"][d] for d in dims], family="monospace", size=8)
    axes.invert_yaxis()
    axes.axvline(0, color="black", lw=0.8)
    axes.set_xlabel(f"{unit}; bars: 95 % interval")
    axes.set_title(title, size=10)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    save(figure, path)


def heat_map(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], title: str, unit: str, top: int = 40
) -> None:
    """Classes x dimensions: the score of the globally top dimensions in every class."""
    dims = arrays["order"][0, :top]
    values = arrays["score"][:, dims]
    limit = np.quantile(np.abs(values), 0.99)
    figure = Figure(
        figsize=(0.24 * len(dims) + 2.6, 0.34 * len(values) + 2.4), layout="constrained"
    )
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_xticks(
        range(len(dims)),
        [arrays["names"][d] for d in dims],
        rotation=90,
        family="monospace",
        size=7,
    )
    axes.set_yticks(range(len(values)), [str(g) for g in arrays["groups"]])
    axes.set_ylabel("class")
    axes.set_xlabel("dimension of StyleSpace, by falling magnitude over all classes")
    axes.axhline(0.5, color="black", lw=1.5)
    axes.set_title(title, size=10)
    figure.colorbar(image, ax=axes, label=unit, pad=0.01)
    save(figure, path)


def push_sheet(path: str | os.PathLike[str], arrays: Mapping[str, Any], title: str) -> None:
    """One row per top dimension: an image pushed further and further in the degrading direction.

    Above each image: the classifier's output for the true class, and its prediction when wrong.
    """
    images, softmax, predicted = (arrays[f"push_{k}"] for k in ("images", "softmax", "predicted"))
    truth, group = int(arrays["push_true_class"]), int(arrays["push_group"])
    rows, columns = images.shape[:2]
    dims = arrays["order"][group, :rows]
    arrows = [arrow(-score) for score in arrays["score"][group, dims]]
    figure = Figure(figsize=(1.15 * columns + 1.9, 1.22 * rows + 1.0), layout="compressed")
    figure.suptitle(title, size=10)
    axes = figure.add_subplot()
    show_grid(axes, images)
    for row, column in np.ndindex(rows, columns):
        instead = predicted[row, column]
        text = f"{softmax[row, column]:.2f}"
        if instead != truth:
            text += f" → {arrays['groups'][1 + instead]}"
        colour = "black" if instead == truth else ORANGE
        caption(axes, images.shape, row, column, text, color=colour)
    shifts = [f"{shift:g} std" for shift in arrays["push_shifts"]]
    axes.set_xticks(axes.get_xticks(), shifts, size=9)
    names = [
        f"{arrays['names'][d]} {up_or_down}" for d, up_or_down in zip(dims, arrows, strict=True)
    ]
    axes.set_yticks(axes.get_yticks(), names, family="monospace", size=8)
    save(figure, path)


FIGURES = ("top_dimensions.png", "classes.png", "push.png")


def draw(folder: Path, arrays: Mapping[str, Any], models: str, score: str, per: str) -> None:
    """All figures of a ranking, below `folder`."""
    unit = f"mean gradient of the true class's {score} per {per}"
    count = f"{int(arrays['num_samples'][0]):,} samples"
    bars(folder / FIGURES[0], arrays, f"What breaks {models}\n({count})", unit)
    heat_map(folder / FIGURES[1], arrays, f"Score in every class: {models}, {count}", unit)
    truth = arrays["groups"][1 + int(arrays["push_true_class"])]
    title = (
        f"A confidently classified {truth}, the most affected of the candidates,\n"
        f"pushed along each top dimension ({models})\n"
        "above: softmax of the true class (→ prediction when wrong); below: shift, ↑ up or ↓ down"
    )
    push_sheet(folder / FIGURES[2], arrays, title)
