"""Figures of failure modes: pairs of images with words, and what each dimension changes."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ganfail_jax.analysis.descriptions import Contrast, Described, Effects, Pairs
from ganfail_jax.plots.figure import ORANGE, arrow, head, save, show_image
from ganfail_jax.statistics.intervals import Z95

FIGURES = ("failure_modes.png", "changes.png", "misclassified.png")


def modes(
    path: Path, described: Described, joint: Effects, pairs: Pairs, title: str, line: str
) -> None:
    """A row per failure mode: words, pairs before and after, and where pixels change."""
    count, shown = pairs.target.shape
    widths = [3.4, *[1.0, 1.0, 0.12] * shown, 1.25]
    figure = Figure(figsize=(0.88 * sum(widths), 1.55 * count + 1.0), layout="constrained")
    head(figure, title, line)
    cells = figure.subplots(count, len(widths), squeeze=False, gridspec_kw={"width_ratios": widths})
    scale = ScalarMappable(Normalize(0, float(joint.maps.max())), "magma")
    for m in range(count):
        for axes in cells[m]:
            axes.set_axis_off()
        _write(cells[m, 0], described, joint, m)
        for p in range(shown):
            before, after = cells[m, 1 + 3 * p : 3 + 3 * p]
            truth, instead = pairs.target[m, p], pairs.predicted[m, p]
            for axes, picture, value in zip(
                (before, after),
                (pairs.before[m, p], pairs.after[m, p]),
                pairs.softmax[m, p],
                strict=True,
            ):
                show_image(axes, picture)
                axes.set_title(f"{described.classes[truth]}: {value:.2f}", size=7, pad=2)
            if instead != truth:
                text = f"→ {described.classes[instead]}"
                after.set_title(f"{after.get_title()} {text}", size=7, pad=2, color=ORANGE)
        cells[m, -1].imshow(joint.maps[m], cmap=scale.cmap, norm=scale.norm)
    label = "mean change of a pixel\n(black to white: 1)"
    figure.colorbar(scale, ax=cells[:, -1], label=label, shrink=0.8)
    save(figure, path)


def _write(axes: Axes, described: Described, joint: Effects, m: int) -> None:
    dims = np.flatnonzero(described.mode == m)
    words = described.phrases[m].replace(", ", "\n")
    loss, error = joint.softmax[m]
    names = [f"{described.dimensions[d]} {arrow(float(described.direction[d]))}" for d in dims]
    listed = textwrap.fill(", ".join(names[:4]) + (", …" if len(names) > 4 else ""), 46)
    axes.text(0, 1, f"{m + 1}. {words}", va="top", size=9, weight="bold", parse_math=False)
    axes.text(
        0,
        0,
        f"softmax {loss:+.3f} ± {Z95 * error:.3f}; {joint.broken[m]:.0%} misclassified\n{listed}",
        va="bottom",
        size=7.5,
        parse_math=False,
    )


def changes(path: Path, described: Described, single: Effects, title: str, line: str) -> None:
    """Dimensions x attributes, by failure mode: mean change in standard deviations."""
    order = np.argsort(described.mode, kind="stable")
    values = single.change[order]
    limit = max(float(np.abs(values).max(initial=0)), 1e-6)
    figure = Figure(
        figsize=(0.42 * values.shape[1] + 3.4, 0.3 * len(order) + 2.6), layout="constrained"
    )
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    for row, column in np.ndindex(*values.shape):
        size = abs(values[row, column])
        if size > Z95 * single.error[order[row], column] and size >= 0.05:
            colour = "white" if size > 0.6 * limit else "black"
            axes.text(
                column,
                row,
                f"{values[row, column]:+.1f}",
                ha="center",
                va="center",
                size=6,
                color=colour,
            )
    axes.set_xticks(range(values.shape[1]), described.attributes, rotation=60, ha="right", size=8)
    ways = [arrow(float(described.direction[d])) for d in order]
    names = [
        f"{1 + described.mode[d]}.  {described.dimensions[d]} {way}"
        for d, way in zip(order, ways, strict=True)
    ]
    axes.set_yticks(range(len(order)), names, family="monospace", size=8)
    for row in np.flatnonzero(np.diff(described.mode[order])):
        axes.axhline(row + 0.5, color="black", lw=0.8)
    axes.set_ylabel("failure mode, dimension and direction")
    head(figure, title, line)
    figure.colorbar(image, ax=axes, label="mean change, standard deviations over samples", pad=0.01)
    save(figure, path)


def misclassified(path: Path, described: Described, contrast: Contrast, title: str) -> None:
    """How far misclassified samples differ, in the direction of the word, with 95 % intervals."""
    change, error = contrast.change[0], contrast.error[0]
    rows = np.argsort(-np.abs(np.nan_to_num(change)), kind="stable")
    figure = Figure(figsize=(7, 0.27 * len(rows) + 1.6), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(
        range(len(rows)),
        np.abs(change[rows]),
        xerr=Z95 * error[rows],
        color=ORANGE,
        error_kw={"ecolor": "black", "capsize": 2, "lw": 1},
    )
    words = [described.more[a] if change[a] > 0 else described.less[a] for a in rows]
    axes.set_yticks(range(len(rows)), words, size=9)
    axes.invert_yaxis()
    axes.axvline(0, color="black", lw=0.8)
    axes.set_xlabel(
        "mean difference from well classified samples of the same class,\n"
        "standard deviations over all samples; bars: 95 % interval"
    )
    head(figure, title)
    save(figure, path)


def draw(
    folder: Path,
    described: Described,
    effects: tuple[Effects, Effects],
    contrast: Contrast,
    pairs: Pairs,
    subject: str,
    *,
    deviations: float,
) -> tuple[str, ...]:
    """All figures, below `folder`: their names."""
    single, joint = effects
    moved = f"moved by up to {deviations:g} standard deviations"
    text = f"What breaks {subject}: well classified samples before and after, {moved}"
    line = "above each image: true class and its softmax (→ what is predicted instead)"
    modes(folder / FIGURES[0], described, joint, pairs, text, line)
    text = f"What each dimension changes: {subject}"
    changes(folder / FIGURES[1], described, single, text, moved)
    right, wrong = contrast.num_samples
    title = f"What {wrong:,} misclassified samples look like, against {right:,} others: {subject}"
    misclassified(folder / FIGURES[2], described, contrast, title)
    return FIGURES
