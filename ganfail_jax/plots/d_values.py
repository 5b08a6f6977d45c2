"""Figure of the discriminator's output for artifacts and normals (Tousi 2021, fig. 3)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from ganfail_jax.plots.figure import BLUE, ORANGE, save, show_image

FIGURES = ("d_values.png",)
GREY = "0.45"


def draw(folder: Path, arrays: Mapping[str, np.ndarray], who: str) -> tuple[str, ...]:
    """The histograms and, below them, images in the order of their D-values; returns its name.

    Args:
        arrays: of n labelled samples, m of them shown: artifact [n], d_values [n], real_d_values
            [r], shown [m] rows, shown_images [m,h,w,c] of 8 bits, area [3]: that of artifacts
            from normals, and its interval.
    """
    values, artifact, real = (arrays[k] for k in ("d_values", "artifact", "real_d_values"))
    populations = [
        (values[~artifact], BLUE, "normal generations"),
        (values[artifact], ORANGE, "artifacts"),
        (real, GREY, "real images"),
    ]
    populations = [each for each in populations if len(each[0])]
    everything = np.concatenate([x for x, _, _ in populations])
    low, high = everything.min(), everything.max()
    high = high if high > low else low + 1
    area, *interval = arrays["area"]
    text = f"area under the ROC curve {area:.2f}"
    if np.isfinite(interval).all():
        text += " [{:.2f}, {:.2f}]".format(*interval)

    shown, images = arrays["shown"], arrays["shown_images"]
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    figure.suptitle(
        f"D-values: the discriminator's output, large means real\n{who}\n"
        f"how well a low D-value finds artifacts among generations: {text}; 0.5: as chance does",
        size=10,
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
    axes.legend(frameon=False)
    for n, place in enumerate(lower.subplots(1, len(shown), squeeze=False)[0]):
        row = shown[n]
        colour = ORANGE if artifact[row] else BLUE
        show_image(place, images[n] / 127.5 - 1)
        name = "artifact" if artifact[row] else "normal"
        place.set_xlabel(f"{name}\n{values[row]:.2f}", size=8, color=colour)
        place.spines[:].set_color(colour)
        line = ConnectionPatch(
            (float(values[row]), 0), (0.5, 1), axes.transData, place.transAxes, color=colour, lw=0.8
        )
        figure.add_artist(line)
    save(figure, folder / FIGURES[0])
    return FIGURES
