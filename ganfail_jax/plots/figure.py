"""What the figures share: colours that the colour-blind can tell apart, images, writing."""

import os

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.results import replace_file

BLUE, ORANGE = "#0072B2", "#D55E00"  # Okabe and Ito's colour-blind safe palette
GREEN, PURPLE, SKY, YELLOW = "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG."""
    with replace_file(path) as new, mpl.rc_context({"savefig.dpi": 130}):
        figure.savefig(new)


def show_image(axes: Axes, image: Float[np.ndarray, "h w c"]) -> None:
    """An image in [-1, 1], grey or RGB, without ticks."""
    pixels = np.clip(image * 0.5 + 0.5, 0, 1)
    # "auto": pixels stay squares where each is three dots wide or more
    axes.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="auto")
    axes.set_xticks([])
    axes.set_yticks([])


def arrow(direction: float) -> str:
    """How a dimension moves: up for an increase, down for a decrease."""
    return "↑" if direction > 0 else "↓"
