"""Figures of how dimensions separate outcomes (Le Coz 2022, fig. 4)."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.separation import SIGNIFICANT, Histograms, Separation
from ganfail_jax.plots.figure import BLUE, ORANGE, arrow, head, save
from ganfail_jax.statistics.intervals import show

CLASSES = 20  # at most, on the overview: those with the most misclassified samples


def _auc(separation: Separation, group: int, dim: int) -> str:
    low, high = (limit[group, dim] for limit in (separation.auc_low, separation.auc_high))
    value = separation.auc[group, dim]
    return "no AUC" if np.isnan(value) else f"AUC {show(value, (low, high), '.2f')}"


def histograms(
    path: str | os.PathLike[str],
    separation: Separation,
    shown: Histograms,
    names: Sequence[str],
    outcomes: tuple[str, str],
    subject: str,
) -> None:
    """Both outcomes along top dimensions, above as many random ones."""
    group, right, dims = shown.group, shown.right, shown.dims
    populations = [
        (right, BLUE, f"{outcomes[0]} (n = {right.sum():,})"),
        (~right, ORANGE, f"{outcomes[1]} (n = {(~right).sum():,})"),
    ]
    smaller = min(n for n in (right.sum(), (~right).sum()) if n)
    edges = 1 + int(np.clip(2 * np.cbrt(smaller), 8, 40))  # Rice's rule
    figure = Figure(figsize=(2.45 * max(dims.shape[1], 3), 6.0), layout="constrained")
    what = f"class {separation.groups[group]}" if group else "all classes"
    head(
        figure,
        f"Values of {outcomes[0]} and {outcomes[1]} samples, {what}: {subject}",
        f"AUC [95 %]: chance that a {outcomes[1]} sample lies further along the arrow; 0.5: none",
    )
    grid = figure.subplots(2, dims.shape[1], squeeze=False)
    handles = {}
    for row, kind in enumerate(("top dimensions", "random other dimensions")):
        for column, dim in enumerate(dims[row]):
            axes, here = grid[row, column], shown.values[:, row, column]
            # a few far samples would squeeze the histograms
            low, high = np.quantile(here, [0.001, 0.999])
            bins = np.linspace(low, high if high > low else low + 1, edges)
            for chosen, colour, label in populations:
                if chosen.any():
                    drawn = {"bins": bins, "density": True, "color": colour}
                    axes.hist(here[chosen], histtype="stepfilled", alpha=0.25, **drawn)
                    (_, _, (line,)) = axes.hist(here[chosen], histtype="step", lw=1.4, **drawn)
                    handles[label] = line
            name = f"{names[dim]} {arrow(separation.direction[group, dim])}"
            axes.set_title(f"{name}\n{_auc(separation, group, int(dim))}", size=8.5)
            axes.set_yticks([])
            axes.tick_params(labelsize=8)
            axes.set_xlabel("value of the dimension", size=8)
        grid[row, 0].set_ylabel(f"{kind}\ndensity", size=9)
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False
    )
    save(figure, path)


def _legend_below(axes: Axes, columns: int) -> None:
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12),
        ncols=columns,
        fontsize=8,
        frameon=False,
    )


def _by_rank(axes: Axes, separation: Separation, group: int, top: int) -> None:
    """The AUC of every dimension against its rank, with the medians of the top and the rest."""
    order, medians = separation.order[group], separation.medians[group]
    auc, significant = separation.auc[group, order], separation.significant[group, order]
    rank = 1 + np.arange(len(order))
    for chosen, colour, name, median in (
        (rank <= top, ORANGE, f"the top {top}", medians[0]),
        (rank > top, BLUE, "the others", medians[1]),
    ):
        for filled in (True, False):
            drawn = chosen & (significant == filled)
            face = colour if filled else "none"
            size = 30 if name != "the others" else 11
            axes.scatter(
                rank[drawn],
                auc[drawn],
                s=size,
                facecolors=face,
                edgecolors=colour,
                lw=0.7,
                label=f"dimension of {name}" if filled else None,
            )
        value, low, high = median
        label = f"median of {name}: {show(value, (low, high))}"
        axes.axhline(value, color=colour, lw=1.6, ls="--", label=label)
        axes.axhspan(low, high, color=colour, alpha=0.2, lw=0)
    axes.axhline(0.5, color="black", lw=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("rank of the dimension (log)")
    counted = [
        f"{significant[part].sum()} of {significant[part].size}"
        for part in (slice(top), slice(top, None))
    ]
    axes.set_title(
        f"{separation.groups[group]}: significant {counted[0]} of the top, {counted[1]} others",
        size=9,
    )
    _legend_below(axes, columns=1)


def _by_class(axes: Axes, separation: Separation, wrong_name: str) -> list[str]:
    """The medians of the top and of the rest in every class that has both outcomes; returns the
    classes that are not drawn.
    """
    medians, wrong = separation.medians, separation.num_samples[:, 1]
    classes = [g for g in range(1, len(medians) - 1) if np.isfinite(medians[g, 0, 0])]
    chosen = sorted(sorted(classes, key=lambda g: -wrong[g])[:CLASSES])
    rows = np.arange(len(chosen))
    for part, colour, name, shift in ((0, ORANGE, "top", -0.15), (1, BLUE, "others", 0.15)):
        value, low, high = medians[chosen, part].T.reshape(3, -1)
        error = np.clip([value - low, high - value], 0, None)
        axes.errorbar(value, rows + shift, xerr=error, fmt="o", ms=4, color=colour, label=name)
    axes.axvline(0.5, color="black", lw=0.8)
    axes.set_yticks(rows, [f"{separation.groups[g]} ({wrong[g]:,})" for g in chosen])
    axes.set_ylabel(f"class (n {wrong_name})")
    axes.invert_yaxis()
    axes.set_xlabel("median AUC; bars: 95 % interval")
    axes.set_title("by each class's own ranking", size=9)
    _legend_below(axes, columns=2)
    drawn = {*chosen}
    return [separation.groups[g] for g in range(1, len(medians) - 1) if g not in drawn]


def overview(
    path: str | os.PathLike[str], separation: Separation, top: int, wrong_name: str, title: str
) -> None:
    """The AUC of every dimension by rank: all samples, and within classes; medians by class."""
    last, finite = len(separation.groups) - 1, np.isfinite(separation.medians[:, 0, 0])
    within, classes = bool(finite[last]), bool(finite[1:last].any())
    widths = [1, *([1] * within), *([0.75] * classes)]
    figure = Figure(figsize=(5.5 * sum(widths), 5.9), layout="constrained")
    everything, *others = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    _by_rank(everything, separation, 0, top)
    everything.set_ylabel("AUC in the degrading direction")
    if within:
        _by_rank(others[0], separation, last, top)
        others[0].sharey(everything)
    note = "not drawn: classes, for none has both outcomes"
    if classes:
        dropped = _by_class(others[-1], separation, wrong_name)
        note = f"classes not drawn, without both outcomes or with the fewest {wrong_name}: "
        note = note + ", ".join(dropped) if dropped else ""
    line = f"filled: significant at a false discovery rate of {SIGNIFICANT:.0%}; "
    head(figure, title, line + "bands and bars: 95 % interval of the median", note)
    save(figure, path)


FIGURES = ("histograms.png", "separation.png")


def draw(
    folder: Path,
    separation: Separation,
    shown: Histograms,
    models: str,
    *,
    names: Sequence[str],
    outcomes: tuple[str, str],
    top: int,
) -> tuple[str, ...]:
    """All figures, below `folder`: their names.

    Args:
        names: of the dimensions.
        outcomes: what the two populations are called.
        top: how many dimensions are compared with all the others.
    """
    right, wrong = outcomes
    histograms(folder / FIGURES[0], separation, shown, names, outcomes, models)
    title = f"How every dimension separates {right} from {wrong} samples: {models}"
    overview(folder / FIGURES[1], separation, top, wrong, title)
    return FIGURES
