"""Figures of corrections: images before and after (Tousi 2021, fig. 13, 14), and what they do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from ganfail_jax.analysis.correction_effect import Corrected
from ganfail_jax.plots.figure import BLUE, ORANGE, SKY, head, save, show_image

NAMES = {  # of methods, for a person
    "none": "uncorrected",
    "random": "random\nunits",
    "fid": "highest\nFID",
    "ds": "highest\ndefective\nscore",
    "sequential": "sequential:\ndefective\nscore",
    "local": "local:\nthe sample's\nown mask",
    "manual": "given\nunits",
}
PANELS = (
    ("probability", "probability of an artifact", ORANGE),
    ("called", "share called an artifact", ORANGE),
    ("change", "mean change of a pixel, of 255", BLUE),
)


def draw_sheet(
    path: Path,
    corrected: Corrected,
    methods: Sequence[str],
    indices: Int[np.ndarray, " n"],
    title: str,
    line: str,
) -> None:
    """Columns are samples, rows are corrections.

    Args:
        methods: the names of the rows.
        indices: of the samples.
    """
    images, masks = corrected.images, corrected.masks[0]
    rows, columns = images.shape[:2]
    figure = Figure(figsize=(1.35 * columns + 1.2, 1.5 * rows + 0.9), layout="constrained")
    below = "below each image: probability of an artifact; outlined: where the classifier sees it"
    head(figure, title, below, line)
    grid = figure.subplots(rows, columns, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        show_image(axes, images[row, column])
        axes.set_xlabel(f"{corrected.probability[row, column]:.2f}", size=8, labelpad=1)
        if row == 0:
            axes.set_title(f"sample {indices[column]}", size=8)
            if masks[column].any() and not masks[column].all():
                axes.contour(masks[column], levels=[0.5], colors=SKY, linewidths=1)
    for axes, name in zip(grid[:, 0], methods, strict=True):
        axes.set_ylabel(NAMES.get(name, name), rotation=0, ha="right", va="center", size=9)
    save(figure, path)


def draw_effects(
    path: Path,
    effects: Mapping[str, Mapping[str, Mapping[str, Any]]],
    samples: Mapping[str, int],
    title: str,
    line: str,
) -> None:
    """A row of panels per kind of samples; in each a point per correction.

    Args:
        effects: kind of samples -> correction -> `correction_effect.summary_of`; the first
            correction is none.
        samples: of each kind.
    """
    figure = Figure(figsize=(11, 2.9 * len(effects) + 0.7), layout="constrained")
    head(figure, title, "bars: 95 % interval over samples; dashed: uncorrected", line)
    grid = figure.subplots(len(effects), len(PANELS), squeeze=False, sharex=True, sharey="col")
    for panels, (kind, methods) in zip(grid, effects.items(), strict=True):
        panels[0].set_ylabel(f"{samples[kind]:,} held-out {kind}", size=9)
        for axes, (name, _, colour) in zip(panels, PANELS, strict=True):
            none, *after = [method[name] for method in methods.values()]
            values = np.asarray([each["value"] for each in after])
            reach = np.abs(np.asarray([each["interval95"] for each in after]).T - values)
            axes.errorbar(range(len(after)), values, reach, fmt="o", capsize=3, color=colour)
            axes.axhline(none["value"], color="black", lw=1, ls="--")
            axes.set_xticks(range(len(after)), [NAMES.get(m, m) for m in [*methods][1:]], size=7)
            axes.set_xlim(-0.5, len(after) - 0.5)
            axes.grid(axis="y", alpha=0.2)
    for axes, (_, text, _) in zip(grid[0], PANELS, strict=True):
        axes.set_title(text, size=10)
        axes.set_ylim(0, 1.03 if "change" not in text else None)
    save(figure, path)
