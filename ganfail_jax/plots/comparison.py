"""Classifiers side by side: accuracy, what breaks them, disagreements.

Without true classes, the samples that a classifier is sure of take the place of right ones.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from ganfail_jax.analysis.comparison import Contrast, Shares, Sheet
from ganfail_jax.plots.figure import BLUE, COLOURS, GREEN, ORANGE, PURPLE, head, save, show_image

COLUMNS = 8  # of a sheet
LABELS = 5  # named dimensions of each kind
MOST_CLASSES = 30  # of more, those whose accuracies differ most are drawn
PLACES = [(6, 5), (6, -11), (-6, 5), (-6, -11), (14, 16), (14, -22), (-14, 16), (-14, -22)]


def shares(path: Path, groups: Shares, contrast: Contrast, subject: str) -> None:
    """What every classifier gets right, overall and in every class."""
    share, interval = groups.share, groups.interval
    spread = np.where(np.isfinite(share).all(axis=0), np.ptp(share, axis=0), -1)
    chosen = 1 + np.argsort(-spread[1:], kind="stable")[:MOST_CLASSES]
    rows = [0, *np.sort(chosen)]
    figure = Figure(figsize=(8, 0.32 * len(rows) + 2.2), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(rows))
    for m, name in enumerate(contrast.classifiers):
        values = share[m, rows]
        low, high = interval[m, rows].T
        offset = 0.12 * (m - (len(share) - 1) / 2)
        axes.errorbar(
            100 * values,
            places + offset,
            xerr=100 * np.maximum([values - low, high - values], 0),
            color=COLOURS[m % len(COLOURS)],
            label=name,
            marker="o",
            markersize=4,
            lw=0,
            elinewidth=1.2,
            capsize=2,
        )
    axes.set_yticks(places, [contrast.groups[int(g)] for g in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    if len(rows) > 1:
        axes.axhline(0.5, color="black", lw=0.8)
        axes.set_ylabel("class")
    axes.grid(axis="x", alpha=0.3)
    what = "accuracy" if contrast.class_known else f"samples {contrast.right_means}"
    axes.set_xlabel(f"{what}, per cent; bars: 95 % interval")
    known = contrast.class_known
    line = "" if known else "no true classes: every classifier by its own predictions"
    head(figure, f"{groups.samples[0]:,} samples: {subject}", line)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    save(figure, path)


def scores(path: Path, contrast: Contrast, other: int) -> None:
    """Every dimension's score, the first classifier's against another's."""
    x, y = contrast.scores[[0, other]]
    dims = np.arange(len(x))
    top_a, top_b = (np.isin(dims, contrast.tops[m]) for m in (0, other))
    same = np.sign(x) == np.sign(y)
    a, b = contrast.classifiers[0], contrast.classifiers[other]
    top = contrast.tops.shape[1]
    kinds = (
        (~top_a & ~top_b, "0.75", "in the top of neither", "."),
        (top_a & top_b & same, GREEN, "in both tops, same direction", "o"),
        (top_a & top_b & ~same, PURPLE, "in both tops, opposite directions", "X"),
        (top_a & ~top_b, BLUE, f"only in the top of {a}", "^"),
        (top_b & ~top_a, ORANGE, f"only in the top of {b}", "s"),
    )
    figure = Figure(figsize=(8, 8), layout="constrained")
    axes = figure.add_subplot()
    for chosen, colour, label, marker in kinds:
        number = int(chosen.sum())
        axes.scatter(
            x[chosen], y[chosen], color=colour, marker=marker, s=28, label=f"{label} ({number})"
        )
    axes.axhline(0, color="black", lw=0.6)
    axes.axvline(0, color="black", lw=0.6)
    axes.axline((0, 0), slope=1, color="0.5", lw=0.8, ls="--", label="equal scores")
    axes.margins(0.12)
    axes.set_xlabel(f"{a}: {contrast.unit}")
    axes.set_ylabel(f"{b}: {contrast.unit}")
    head(
        figure,
        f"What breaks {a} and {b}: every dimension of StyleSpace, top {top} of each",
        "positive: decreasing it breaks the classifier; negative: increasing it does",
    )
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    size = np.hypot(x / np.abs(x).max(initial=1e-30), y / np.abs(y).max(initial=1e-30))
    named = np.concatenate(
        [dims[chosen][np.argsort(-size[chosen])[:LABELS]] for chosen, *_ in kinds[1:]]
    )
    marked = np.flatnonzero(top_a | top_b)
    _label(axes, np.column_stack([x, y]), named, marked, contrast.dimensions)
    save(figure, path)


def _label(
    axes: Axes, points: np.ndarray, named: np.ndarray, marked: np.ndarray, names: Sequence[str]
) -> None:
    """Name points where there is room beside them, else not."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # constrained layout places the axes
    figure.set_layout_engine("none")
    taken = [axes.transData.transform(points[d]) for d in marked]
    boxes = []
    for d in map(int, named):
        for dx, dy in PLACES:
            text = axes.annotate(
                names[d],
                tuple(points[d]),
                (dx, dy),
                textcoords="offset points",
                ha="left" if dx > 0 else "right",
                family="monospace",
                fontsize=7,
                arrowprops={"arrowstyle": "-", "lw": 0.5, "color": "0.4"},
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5},
            )
            label = text.get_window_extent()
            inside = axes.bbox.contains(*label.min) and axes.bbox.contains(*label.max)
            if (
                inside
                and not any(label.overlaps(each) for each in boxes)
                and not any(label.contains(*point) for point in taken)
            ):
                boxes.append(label)
                break
            text.remove()


def sheet(path: Path, contrast: Contrast, other: int, sheets: tuple[Sheet, Sheet]) -> None:
    """Samples that only the first gets right, and samples that only the other gets right."""
    a, b = contrast.classifiers[0], contrast.classifiers[other]
    yes, no = ("right", "wrong") if contrast.class_known else ("sure", "unsure")
    rows = [max(-(-len(each.images) // COLUMNS), 1) for each in sheets]
    figure = Figure(figsize=(1.12 * COLUMNS, 1.42 * sum(rows) + 1.6), layout="constrained")
    head(
        figure,
        f"Where {a} and {b} disagree most",
        f"above each image: the {yes} one's prediction → the {no} one's",
        f"numbers: softmax of the {yes} one's class, by the {yes} one | by the {no} one",
    )
    blocks = figure.subfigures(2, 1, squeeze=False, height_ratios=[n + 0.3 for n in rows])
    parts = zip(blocks.flat, ((a, b), (b, a)), sheets, rows, strict=True)
    for block, (one, another), each, n in parts:
        block.suptitle(f"{one} is {yes}, {another} is {no}", size=10, weight="bold")
        _cells(block, each, contrast.groups[1:], n)
    save(figure, path)


def _cells(block: SubFigure, sheet: Sheet, classes: Sequence[str], rows: int) -> None:
    grid = block.subplots(rows, COLUMNS, squeeze=False)
    for i, axes in enumerate(grid.flat):
        if i >= len(sheet.images):
            axes.set_axis_off()
            if not len(sheet.images) and i == 0:
                axes.text(0, 0.5, "no such sample", size=9)
            continue
        show_image(axes, sheet.images[i])
        own, instead = (classes[k] for k in sheet.predicted[i])
        high, low = sheet.softmax[i]
        axes.set_title(f"{own} → {instead}\n{high:.2f} | {low:.2f}", size=8, pad=2)


def draw(
    folder: Path,
    groups: Shares,
    contrast: Contrast,
    sheets: Sequence[tuple[Sheet, Sheet]],
    subject: str,
) -> tuple[str, ...]:
    """All figures of a comparison, below `folder`: their names.

    Args:
        sheets: of the first classifier with each other one: only it is right, only the other is.
    """
    figures = ["accuracy.png" if contrast.class_known else "sure.png"]
    shares(folder / figures[0], groups, contrast, subject)
    for other, pair in enumerate(sheets, 1):
        names = [f"scores_{other}.png", f"disagreements_{other}.png"]
        scores(folder / names[0], contrast, other)
        sheet(folder / names[1], contrast, other, pair)
        figures += names
    return tuple(figures)
