"""Figures of activation rates (Choi 2022, sec. 3.1) and of how they settle with more samples."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ganfail_jax.analysis.convergence import Convergence
from ganfail_jax.analysis.rates import Rates, largest_count
from ganfail_jax.plots.figure import BLUE, COLOURS, ORANGE, head, save

BINS = 50
PER_ROW = 4


def draw_rates(path: str | os.PathLike[str], rates: Rates, threshold: float, title: str) -> None:
    """How many neurons of each layer have which rate; LR neurons in orange."""
    columns = min(len(rates.counts), PER_ROW)
    rows = -(-len(rates.counts) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.9 * rows + 0.6), layout="constrained")
    head(
        figure,
        f"How often neurons are activated: {title}",
        f"rate: share of {rates.num_samples:,} samples that activate a neuron",
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    edges = np.linspace(0, 1, BINS + 1)
    for axes, (name, counts) in zip(grid, rates.counts.items(), strict=False):
        low = counts <= largest_count(threshold, rates.num_samples)
        axes.hist(
            [counts[low] / rates.num_samples, counts[~low] / rates.num_samples],
            bins=edges,
            stacked=True,
            color=[ORANGE, BLUE],
            label=[
                f"rarely activated (LR): rate ≤ {threshold:g}",
                f"often activated (HR): rate > {threshold:g}",
            ],
        )
        never = int((counts == 0).sum())
        axes.set_title(
            f"{name}: {low.mean():.0%} of {counts.size:,}\nrarely activated, {never:,} never",
            size=9,
        )
        axes.set_xlabel("rate", size=8)
        axes.set_ylabel("neurons", size=8)
        axes.tick_params(labelsize=8)
    for axes in grid[len(rates.counts) :]:
        axes.remove()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    save(figure, path)


def draw_convergence(
    path: str | os.PathLike[str], settled: Convergence, layers: Sequence[str], title: str
) -> None:
    """The LR share of each layer, what is uncertain of it and what changed, against N."""
    panels = (
        ("rarely activated (LR) neurons", settled.low),
        ("neurons that may be rarely (LR)\nor often activated (HR), at 95 %", settled.uncertain),
        ("neurons that were on another\nside than they are at the end", settled.changed),
    )
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    head(figure, f"How the rates settle with more samples: {title}")
    for axes, (name, shares) in zip(figure.subplots(1, 3), panels, strict=True):
        for i, layer in enumerate(layers):
            axes.plot(
                settled.at,
                100 * shares[:, i],
                marker="o",
                ms=3,
                color=COLOURS[i % len(COLOURS)],
                ls=("-", "--", ":")[i // len(COLOURS) % 3],
                label=layer,
            )
        axes.set_xscale("log")
        axes.set_xticks(settled.at, [f"{n:,}" for n in settled.at])
        axes.minorticks_off()
        axes.set_ylim(0, 100 if shares is settled.low else None)
        axes.set_title(name, size=9)
        axes.set_xlabel("samples", size=8)
        axes.set_ylabel("% of the layer", size=8)
        axes.tick_params(labelsize=7)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    save(figure, path)
