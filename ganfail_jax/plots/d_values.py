"""Figure of the discriminator's output for artifacts and normals (Tousi 2021, fig. 3)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from ganfail_jax.images import to_float
from ganfail_jax.plots.figure import BLUE, ORANGE, head, save, show_image

FIGURES = ("d_values.png",)
GREY = "0.45"


class DValues(NamedTuple):
    """Of n labelled samples, of which m are shown, and of r real images."""

    d_values: Float[np.ndarray, " n"]
    artifact: Bool[np.ndarray, " n"]
    real_d_values: Float[np.ndarray, " r"]
    area: Float[np.ndarray, " 3"]  # under the ROC curve: artifacts from normals; its interval
    shown: Int[np.ndarray, " m"]  # rows
    shown_images: UInt8[np.ndarray, "m h w c"]


def draw(folder: Path, judged: DValues, title: str) -> tuple[str, ...]:
    """The histograms and, below them, images in the order of their D-values; returns its name."""
    values, artifact, real = judged.d_values, judged.artifact, judged.real_d_values
    populations = [
        (values[~artifact], BLUE, "normal generations"),
        (values[artifact], ORANGE, "artifacts"),
        (real, GREY, "real images"),
    ]
    populations = [each for each in populations if len(each[0])]
    everything = np.concatenate([x for x, _, _ in populations])
    low, high = everything.min(), everything.max()
    high = high if high > low else low + 1
    area, *interval = judged.area
    text = f"area under the ROC curve {area:.2f}"
    if np.isfinite(interval).all():
        text += " [{:.2f}, {:.2f}]".format(*interval)

    shown, images = judged.shown, to_float(judged.shown_images)
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    head(
        figure,
        f"D-values, the discriminator's output (large: real): {title}",
        f"does a low D-value find artifacts among generations? {text}; 0.5: as chance does",
    )
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=(2.6, 1))[:, 0]
    axes = upper.subplots()
    for x, colour, name in populations:
        edges = 1 + int(np.clip(2 * np.cbrt(len(x)), 8, 40))  # Rice's rule
        drawn = {"bins": np.linspace(low, high, edges), "density": True, "color": colour}
        axes.hist(x, histtype="stepfilled", alpha=0.2, **drawn)
        axes.hist(x, histtype="step", lw=1.5, label=f"{name} (n = {len(x):,})", **drawn)
    axes.set_xlabel("D-value")
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()  # lines to the images leave at the bottom
    axes.set_ylabel("density")
    axes.legend(loc="best", frameon=False)
    for n, place in enumerate(lower.subplots(1, len(shown), squeeze=False)[0]):
        row = shown[n]
        colour = ORANGE if artifact[row] else BLUE
        show_image(place, images[n])
        name = "artifact" if artifact[row] else "normal"
        place.set_xlabel(f"{name}\n{values[row]:.2f}", size=8, color=colour)
        place.spines[:].set_color(colour)
        line = ConnectionPatch(
            (float(values[row]), 0), (0.5, 1), axes.transData, place.transAxes, color=colour, lw=0.8
        )
        figure.add_artist(line)
    save(figure, folder / FIGURES[0])
    return FIGURES
