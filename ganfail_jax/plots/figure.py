"""What the figures share: colours that the colour-blind can tell apart, images, writing."""

import os
import re
import textwrap
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from ganfail_jax.results import replace_file

BLUE, ORANGE = "#0072B2", "#D55E00"  # Okabe and Ito's colour-blind safe palette
GREEN, PURPLE, SKY, YELLOW = "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)
WORDS = {"LR": "rarely activated", "HR": "often activated", "DS": "defective score"}
CHARACTER = 0.6 / 72  # width of a character in inches, for each point of its size


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a PNG, with all names as they are."""
    _take_literally(figure)
    with replace_file(path) as new, mpl.rc_context({"savefig.dpi": 130}):
        figure.savefig(new)


def _take_literally(figure: Figure) -> None:
    """Names may hold dollar signs: nothing is mathematics but numbers on logarithmic axes."""
    axes = [axis for each in figure.findobj(Axes) for axis in (each.xaxis, each.yaxis)]
    logarithmic = [axis for axis in axes if axis.get_scale() == "log"]
    numbers = [text for axis in logarithmic for text in axis.get_ticklabels(which="both")]
    for text in {*figure.findobj(Text)} - {*numbers}:
        text.set_parse_math(False)


def head(figure: Figure, title: str, line: str = "", note: str = "") -> None:
    """What a figure shows, how to read it in one line, and below the figure in small what else is
    needed; cut into lines that fit the figure."""
    width = float(figure.get_figwidth())
    texts = [_wrapped(title, width, 10.0), _wrapped(line, width, 10.0)]
    figure.suptitle("\n".join(filter(None, texts)), size=10)
    if note:
        figure.supxlabel(_wrapped(note, width, 8.0), size=8, color="0.3")


def _wrapped(text: str, inches: float, size: float) -> str:
    return textwrap.fill(text, max(int(inches / (CHARACTER * size)), 20))


def written_out(text: str) -> str:
    """A name with the words of the papers' abbreviations in it."""
    return re.sub(r"\b(LR|HR|DS)\b", lambda match: WORDS[match[0]], text)


def beyond(values: Float[np.ndarray, "..."], low: float, high: float) -> str:
    """The ends of a colour bar that get an arrow: where values lie beyond its scale."""
    under, over = np.nanmin(values) < low, np.nanmax(values) > high
    return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[under, over]


def show_image(axes: Axes, image: Float[np.ndarray, "h w c"]) -> None:
    """An image in [-1, 1], grey or RGB, without ticks."""
    pixels = np.clip(image * 0.5 + 0.5, 0, 1)
    # "auto": pixels stay squares where each is three dots wide or more
    axes.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="auto")
    axes.set_xticks([])
    axes.set_yticks([])


def show_grid(axes: Axes, images: Float[np.ndarray, "r q h w c"]) -> None:
    """Images in [-1, 1] in rows and columns, with room for a caption above each.

    One picture: axes for each image take a hundred times as long. Ticks are at rows and columns;
    `caption` writes above an image.
    """
    rows, columns, h, w, c = images.shape
    above, beside = _gaps(h, w)
    cells = np.ones((rows, columns, h + above, w + beside, c), np.float32)  # white
    cells[:, :, above:, :w] = np.clip(images * 0.5 + 0.5, 0, 1)
    sheet = cells.swapaxes(1, 2).reshape(rows * (h + above), columns * (w + beside), c)
    pixels = sheet[:, :-beside, 0] if c == 1 else sheet[:, :-beside]
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="auto")
    axes.set_xticks(np.arange(columns) * (w + beside) + (w - 1) / 2, [""] * columns)
    axes.set_yticks(np.arange(rows) * (h + above) + above + (h - 1) / 2, [""] * rows)
    axes.tick_params(length=0)
    axes.set_frame_on(False)


def caption(
    axes: Axes, shape: tuple[int, ...], row: int, column: int, text: str, **how: Any
) -> None:
    """Write above an image of a `show_grid` of images of this shape [r, q, h, w, c]."""
    h, w = shape[2:4]
    above, beside = _gaps(h, w)
    x, y = column * (w + beside) + (w - 1) / 2, row * (h + above) + above - 0.8
    axes.text(x, y, text, ha="center", va="bottom", size=8, **how)


def frame(
    axes: Axes, shape: tuple[int, ...], row: int, column: int, colour: str, lw: float = 1.5
) -> None:
    """Outline an image of a `show_grid` of images of this shape [r, q, h, w, c]."""
    h, w = shape[2:4]
    above, beside = _gaps(h, w)
    corner = column * (w + beside) - 0.5, row * (h + above) + above - 0.5
    axes.add_patch(Rectangle(corner, w, h, fill=False, ec=colour, lw=lw, clip_on=False))


def _gaps(h: int, w: int) -> tuple[int, int]:
    """Pixels above an image and beside it."""
    return -(-h // 5), -(-w // 6)


def arrow(direction: float) -> str:
    """How a dimension moves: up for an increase, down for a decrease."""
    return "↑" if direction > 0 else "↓"
