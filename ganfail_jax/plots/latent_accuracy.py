"""Accuracy against distance in StyleSpace (Le Coz 2022, fig. 6)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.latent_accuracy import COMPARISONS, Curves, Setting, explain
from ganfail_jax.plots.figure import BLUE, COLOURS, ORANGE, head, save

FIGURES = ("classifiers.png", "classes.png", "class_slopes.png")
MOST_CLASSES = 20  # of more, those of the steepest slopes are drawn
GREY = "0.6"
Comparisons = Mapping[str, Curves]  # by the names of COMPARISONS
DISTANCE = "distance from the centre, in standard deviations"
ERRORS: dict[str, Any] = {"marker": "o", "markersize": 3, "capsize": 2, "lw": 1.3, "elinewidth": 1}


def _line(axes: Axes, curves: Curves, c: int, colour: str, label: str | None = None) -> None:
    kept = curves.samples[c] > 0
    x, y = curves.distance[c, kept], curves.accuracy[c, kept]
    low, high = curves.interval[c, kept].T
    axes.errorbar(
        x, y, yerr=np.maximum([y - low, high - y], 0), color=colour, label=label, **ERRORS
    )


def _slope(curves: Curves, c: int) -> str:
    low, high = 100 * curves.slope_interval[c]
    return f"slope {100 * curves.slope[c]:+.1f} [{low:+.1f}, {high:+.1f}]"


def _ylabel(setting: Setting) -> str:
    return "accuracy" if setting.class_known else f"share {setting.right_means}"


LINE = "slope: percentage points per unit of distance; brackets and bars: 95 % intervals"


def _note(setting: Setting, curves: Curves | None = None) -> str:
    """What samples are of, and which classes have no curve."""
    texts = [f"{setting.num_samples:,} samples"]
    if not setting.class_known:
        texts.append("no true classes: a sample's class is the first classifier's prediction")
    if curves is not None:
        empty = np.flatnonzero(~curves.samples.any(axis=1)).tolist()
        none = [setting.classes[c] for c in empty]
        fewer = len(curves.samples) - len(none) - MOST_CLASSES
        texts += [f"not drawn, too few samples for two points: {', '.join(none)}"] if none else []
        texts += [f"not drawn, less steep: {fewer} others"] if fewer > 0 else []
    return "; ".join(texts)


def classifiers(path: Path, comparisons: Comparisons, setting: Setting, subject: str) -> None:
    """Fig. 6a: a panel for every meaning of distance."""
    names = [n for n in COMPARISONS if n in comparisons and not n.startswith("classes")]
    figure = Figure(figsize=(11, 9.4), layout="constrained")
    head(figure, f"Accuracy against distance in StyleSpace: {subject}", LINE, _note(setting))
    grid = figure.subplots(2, 2, sharey=True)
    for axes in grid.flat[len(names) :]:
        axes.remove()
    for axes, name in zip(grid.flat, names, strict=False):
        curves = comparisons[name]
        for c, classifier in enumerate(setting.classifiers):
            if curves.samples[c].any():
                label = f"{classifier}: {_slope(curves, c)}"
                _line(axes, curves, c, COLOURS[c % len(COLOURS)], label)
                axes.legend(
                    loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, fontsize=8
                )
        title = explain(name, setting.top, setting.dimensions)
        axes.set_title(f"distance:\n{title}", size=8.5)
        axes.set_xlabel(DISTANCE)
        axes.set_ylabel(_ylabel(setting))
        axes.set_ylim(0, 1.02)
        axes.grid(alpha=0.3)
    save(figure, path)


def _drawn_classes(curves: Curves) -> np.ndarray:
    having = np.flatnonzero(curves.samples.any(axis=1))
    return np.sort(having[np.argsort(curves.slope[having], kind="stable")][:MOST_CLASSES])


def classes(path: Path, comparisons: Comparisons, setting: Setting) -> None:
    """Fig. 6b: a panel for every class of the first classifier, against all classes."""
    curves, everything = comparisons["classes"], comparisons["own"]
    drawn = _drawn_classes(curves)
    columns = min(5, max(len(drawn), 1))
    rows = max(-(-len(drawn) // columns), 1)
    figure = Figure(figsize=(max(2.4 * columns, 7) + 0.5, 2.3 * rows + 1.5), layout="constrained")
    title = explain("classes", setting.top, setting.dimensions)
    head(
        figure,
        f"Classes of {setting.classifiers[0]}: distance from {title}",
        f"blue: one class; grey: all classes together; {LINE}",
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(drawn) :]:
        axes.remove()
    for axes, c in zip(grid.flat, drawn.tolist(), strict=False):
        _line(axes, everything, 0, GREY)
        _line(axes, curves, c, BLUE)
        axes.set_title(f"{setting.classes[c]}: {_slope(curves, c)}", size=9)
        axes.set_ylim(0, 1.04)
        axes.grid(alpha=0.3)
    figure.supxlabel(f"{DISTANCE}\n{_note(setting, curves)}", size=9)
    figure.supylabel(_ylabel(setting), size=10)
    save(figure, path)


def class_slopes(path: Path, comparisons: Comparisons, setting: Setting) -> None:
    """The classes of the first classifier, from the least to the most robust."""
    figure = Figure(layout="constrained")
    grid = figure.subplots(1, 2)
    drawn = _drawn_classes(comparisons["classes"])
    drawn = drawn[np.argsort(-comparisons["classes"].slope[drawn], kind="stable")]
    figure.set_size_inches(9, 0.3 * len(drawn) + 2.4)
    title = f"Which classes of {setting.classifiers[0]} are robust? (the most robust at the bottom)"
    line = f"bars: 95 % bootstrap intervals; {_note(setting, comparisons['classes'])}"
    head(figure, title, line)
    rows = np.arange(len(drawn))
    for name, colour, shift in (("classes", BLUE, -0.15), ("classes_all", ORANGE, 0.15)):
        curves = comparisons[name]
        label = explain(name, setting.top, setting.dimensions)
        for axes, field in zip(grid, ("slope", "area"), strict=True):
            values, limits = getattr(curves, field)[drawn], getattr(curves, f"{field}_interval")
            low, high = limits[drawn].T
            reach = np.maximum([values - low, high - values], 0) * 100
            axes.errorbar(
                100 * values,
                rows + shift,
                xerr=reach,
                color=colour,
                label=label,
                **ERRORS | {"lw": 0},
            )
    for axes, text in zip(
        grid,
        ("slope, percentage points per unit of distance", "mean height of the curve, per cent"),
        strict=True,
    ):
        axes.set_yticks(rows, [setting.classes[c] for c in drawn])
        axes.set_xlabel(text)
        axes.grid(alpha=0.3)
    grid[0].set_ylabel("class")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    save(figure, path)


def draw(folder: Path, comparisons: Comparisons, setting: Setting, subject: str) -> tuple[str, ...]:
    """The figures of accuracy in latent space, below `folder`: their names.

    Without a class of enough samples for a curve there are no figures of classes.
    """
    classifiers(folder / FIGURES[0], comparisons, setting, subject)
    if not comparisons["classes"].samples.any():
        for name in FIGURES[1:]:  # of another version, which drew empty panels
            (folder / name).unlink(missing_ok=True)
        return FIGURES[:1]
    classes(folder / FIGURES[1], comparisons, setting)
    class_slopes(folder / FIGURES[2], comparisons, setting)
    return FIGURES
