"""Figures of tables: measurements with intervals, by row and column."""

import os
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.metrics.table import Cell
from ganfail_jax.plots.figure import COLOURS, head, save, written_out

NARROW = 0.7  # smallest over largest value: above it an axis from 0 would show one line
MARKERS = "osD^vPX*"


def _names(cells: Sequence[Cell]) -> tuple[list[str], list[str]]:
    rows = dict.fromkeys(cell.row for cell in cells)
    return list(rows), list(dict.fromkeys(cell.column for cell in cells))


def _points(axes: Axes, at: Sequence[float], cells: Sequence[Cell], **style: object) -> None:
    values = np.asarray([cell.measured.value for cell in cells])
    ends = np.asarray([cell.measured.interval or (cell.measured.value,) * 2 for cell in cells])
    reach = np.abs(ends.T - values)
    axes.errorbar(at, values, reach, capsize=2, lw=1.2, ms=5, **style)  # pyright: ignore


def draw_grid(path: str | os.PathLike[str], cells: Sequence[Cell], title: str) -> None:
    """A panel per metric: a line per row over the columns.

    Distances that differ much are on a logarithmic scale. The first row of a metric is what the
    others are compared with. Of several metrics, the names of rows begin with them.
    """
    metrics = list(dict.fromkeys(cell.measured.metric for cell in cells))
    _, columns = _names(cells)
    size = (max(1.5 * len(columns), 3.5) * len(metrics) + 3.5, 4.6)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _lines(axes, [cell for cell in cells if cell.measured.metric == metric], columns)
    sizes = ", ".join(f"{n:,} {name}" for name, n in cells[0].measured.samples.items())
    head(figure, title, f"{sizes}; bars: 95 % interval")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save(figure, path)


def _lines(axes: Axes, cells: Sequence[Cell], columns: list[str]) -> None:
    """The lines of one metric."""
    measured = cells[0].measured
    rows, _ = _names(cells)
    for i, row in enumerate(rows):
        own = [cell for cell in cells if cell.row == row]
        at = [columns.index(cell.column) + 0.04 * (i - len(rows) / 2) for cell in own]
        style = {"marker": "", "ls": "--"} if i == 0 else {"marker": MARKERS[i % len(MARKERS)]}
        colour = "black" if i == 0 else COLOURS[(i - 1) % len(COLOURS)]
        _points(
            axes,
            at,
            own,
            label=written_out(row.removeprefix(f"{measured.metric}, ")),
            color=colour,
            **style,
        )
    values = [cell.measured.value for cell in cells]
    if measured.metric.startswith("FID") and max(values) > 10 * min(values):
        axes.set_yscale("log")
        scale = " (logarithmic)"
    else:
        scale = _scale(axes, cells)
    axes.set_xticks(range(len(columns)), [name.replace(" + ", "\n+ ") for name in columns], size=8)
    axes.set_ylabel(f"{measured.title}{scale}", size=9)
    axes.grid(axis="y", which="both", alpha=0.2)


def _scale(axes: Axes, cells: Sequence[Cell]) -> str:
    """Begin at 0 where that hides no difference; else say so."""
    values = [cell.measured.value for cell in cells]
    if 0 <= np.nanmin(values) <= NARROW * np.nanmax(values):
        axes.set_ylim(bottom=0)
        return ""
    return "\n(the axis does not begin at 0)"


def draw_groups(path: str | os.PathLike[str], cells: Sequence[Cell], title: str) -> None:
    """A panel per column, each with a point per row."""
    rows, columns = _names(cells)
    wide = max(2.8, 0.85 * len(rows))
    figure = Figure(figsize=(wide * len(columns), 3.6), layout="constrained")
    sizes = ", ".join(f"{n:,} {name}" for name, n in cells[0].measured.samples.items())
    head(figure, title, "bars: 95 % interval", f"{cells[0].measured.features}; {sizes}")
    for axes, column in zip(
        figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True
    ):
        own = [cell for cell in cells if cell.column == column]
        for i, cell in enumerate(own):
            _points(axes, [float(i)], [cell], fmt="o", color=COLOURS[i % len(COLOURS)])
        axes.set_xticks(range(len(rows)), [textwrap.fill(written_out(r), 12) for r in rows], size=8)
        axes.set_xlim(-0.5, len(rows) - 0.5)
        axes.set_title(f"{column}{_scale(axes, own)}", size=9)
        axes.grid(axis="y", alpha=0.2)
    save(figure, path)
