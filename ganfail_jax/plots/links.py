"""The figure of where the papers meet: moves, errors and ablation beside LR neurons."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.links import Shown
from ganfail_jax.plots.figure import BLUE, GREEN, ORANGE, head, save
from ganfail_jax.statistics.intervals import Z95

GREY = "0.45"


def draw(folder: Path, shown: Shown, outcomes: tuple[str, str], title: str) -> tuple[str, ...]:
    """One panel per question.

    Args:
        outcomes: what right and wrong samples are called.
    """
    longest = max(2 * len(shown.dimensions), len(shown.classes), 3 * len(shown.ablations))
    figure = Figure(figsize=(15, 0.26 * longest + 2.2), layout="constrained")
    head(figure, f"Rarely activated (LR) neurons and failures: {title}", "bars: 95 % interval")
    moves, errors, ablations = figure.subplots(1, 3)
    _moves(moves, shown)
    _errors(errors, shown, outcomes[1])
    _ablations(ablations, shown, outcomes)
    save(figure, folder / "links.png")
    return ("links.png",)


def _moves(axes: Axes, shown: Shown) -> None:
    d = len(shown.dimensions)
    places = np.arange(d), np.arange(d) + 0.25, d + 0.5 + np.arange(d)
    names = "direction that breaks the classifier", "opposite direction", "random dimensions"
    for place, change, error, name, colour in zip(
        places, shown.change, shown.error, names, (ORANGE, BLUE, GREY), strict=True
    ):
        axes.errorbar(change, place, xerr=Z95 * error, fmt="o", ms=4, color=colour, label=name)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(np.concatenate([places[0], places[2]]), [*shown.dimensions, *shown.random])
    axes.tick_params(axis="y", labelsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("mean change of the number of activated LR neurons")
    axes.set_title("What does a move along a dimension do?", size=10)
    axes.legend(fontsize=7, loc="lower right")


def _errors(axes: Axes, shown: Shown, wrong: str) -> None:
    places = np.arange(len(shown.classes))
    ends = np.abs(shown.area_interval - shown.area[:, None])
    colours = [ORANGE, *[BLUE] * (len(places) - 1)]
    for place, area, reach, colour in zip(places, shown.area, ends, colours, strict=True):
        if np.isfinite(reach).all():
            axes.errorbar(area, place, xerr=reach[:, None], fmt="o", ms=4, color=colour)
        elif np.isfinite(area):
            axes.plot(area, place, "o", ms=4, color=colour)
        else:
            axes.text(0.5, float(place), " too few", va="center", size=7)
    axes.axvline(0.5, color="black", lw=0.8)
    axes.set_xlim(0, 1)
    axes.set_yticks(places, shown.classes)
    axes.invert_yaxis()
    axes.set_xlabel(f"P({wrong} has more activated LR neurons than another)", size=9)
    axes.set_title("Does the LR score tell failures? (0.5: no)", size=10)


def _ablations(axes: Axes, shown: Shown, outcomes: tuple[str, str]) -> None:
    places = np.arange(len(shown.ablations))
    right, wrong = outcomes
    axes.barh(places - 0.2, shown.turned[:, 0], 0.38, color=GREEN, label=f"becomes {right}")
    axes.barh(places + 0.2, shown.turned[:, 1], 0.38, color=ORANGE, label=f"becomes {wrong}")
    for place, counts in enumerate(shown.turned):
        for offset, count in zip((-0.2, 0.2), counts, strict=True):
            axes.text(count, place + offset, f" {count:,}", va="center", size=8)
    axes.margins(x=0.15)
    axes.set_yticks(places, [name.replace(", as", "\nas") for name in shown.ablations])
    axes.invert_yaxis()
    axes.set_xlabel("samples")
    axes.set_title("What does ablation of activated neurons turn?", size=10)
    axes.legend(fontsize=8, loc="upper right")
