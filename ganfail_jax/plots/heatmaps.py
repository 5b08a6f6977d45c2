"""Figures of where the LR neurons are (Choi 2022, fig. 1), and of sequential ablation (fig. 4)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from ganfail_jax.analysis.gradcam import enlarge
from ganfail_jax.analysis.heatmaps import ABLATED, PLAIN
from ganfail_jax.plots.figure import SKY, save, show_image

COLOURS = "inferno"
TITLE = "Where the rarely activated (LR) neurons are"
LINES = "blue lines: outlines of the image"
OVERVIEW = "overview.png"


def draw(folder: Path, arrays: Mapping[str, np.ndarray], who: str) -> list[str]:
    """All figures, below `folder`; returns their names.

    Args:
        arrays: of n samples and l layers: layers [l], images [1+l,n,h,w,c] of 8 bits, kinds [n],
            indices [n], activated [n,l], and shares `plain/<layer>`, `ablated/<layer>` [n,.,.].
    """
    highest = max(np.quantile(arrays[PLAIN + layer], 0.99) for layer in arrays["layers"])
    scale = Normalize(0, max(np.ceil(20 * highest), 1) / 20)
    _overview(folder / OVERVIEW, arrays, who, scale)
    names = [OVERVIEW]
    for i, index in enumerate(arrays["indices"]):
        names.append(f"sample-{index}.png")
        _sample(folder / names[-1], arrays, i, who, scale)
    return names


def _overview(path: Path, arrays: Mapping[str, np.ndarray], who: str, scale: Normalize) -> None:
    """One row per sample: the image and the heat map of every layer."""
    layers, images = arrays["layers"], arrays["images"][0]
    size = (1.45 * (1 + len(layers)) + 1, 1.6 * len(images) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"{TITLE}, {who}\nabove: the number of activated LR neurons; {LINES}", size=10)
    grid = figure.subplots(len(images), 1 + len(layers), squeeze=False)
    for i, row in enumerate(grid):
        show_image(row[0], images[i] / 127.5 - 1)
        row[0].set_title(_name(arrays, i), size=8)
        for axes, layer, number in zip(row[1:], layers, arrays["activated"][i], strict=True):
            _heat(axes, images[i], arrays[PLAIN + layer][i], scale)
            axes.set_title(f"{layer}\n{number:,} LR", size=8)
    _colour_bar(figure, scale)
    save(figure, path)


def _sample(
    path: Path, arrays: Mapping[str, np.ndarray], i: int, who: str, scale: Normalize
) -> None:
    """Three rows as in the paper's figure 4, beside the image itself."""
    layers, images = arrays["layers"], arrays["images"][:, i]
    figure = Figure(figsize=(1.75 * (1 + len(layers)) + 1.2, 6.2), layout="constrained")
    name = _name(arrays, i).replace("\n", ", ")
    figure.suptitle(f"{TITLE}, {who}\n{name}; {LINES}", size=10)
    grid = figure.subplots(3, 1 + len(layers), squeeze=False)
    for axes in grid[::2, 0]:
        axes.set_axis_off()
    show_image(grid[1, 0], images[0] / 127.5 - 1)
    grid[1, 0].set_title("the sample", size=8)
    for column, layer in enumerate(layers):
        plain, ablated, repaired = grid[:, 1 + column]
        plain.set_title(layer, size=8)
        _heat(plain, images[0], arrays[PLAIN + layer][i], scale)
        _heat(ablated, images[column], arrays[ABLATED + layer][i], scale)
        show_image(repaired, images[column + 1] / 127.5 - 1)
    rows = ("as it is", "LR of the layers\nbefore it ablated", "image, LR ablated\nup to the layer")
    for axes, text in zip(grid[:, 1], rows, strict=True):
        axes.set_ylabel(text, size=8)
    _colour_bar(figure, scale)
    save(figure, path)


def _name(arrays: Mapping[str, np.ndarray], i: int) -> str:
    return f"{arrays['kinds'][i]}\nsample {arrays['indices'][i]}"


def _heat(
    axes: Axes, image: UInt8[np.ndarray, "h w c"], share: Float[np.ndarray, "_ _"], scale: Normalize
) -> None:
    """A heat map with outlines of the image: where its brightness is halfway."""
    height, width, _ = image.shape
    heat = np.asarray(enlarge(share[None], height, width)[0])
    axes.imshow(heat, cmap=COLOURS, norm=scale, interpolation="auto")
    grey = gaussian_filter(image.mean(axis=2), height / 128)
    level = (grey.min() + grey.max()) / 2
    if grey.max() > grey.min():
        axes.contour(grey, levels=[level], colors=SKY, linewidths=0.8)
    axes.set_xticks([])
    axes.set_yticks([])


def _colour_bar(figure: Figure, scale: Normalize) -> None:
    bar = figure.colorbar(
        ScalarMappable(scale, COLOURS), ax=figure.axes, extend="max", shrink=0.6, aspect=30
    )
    bar.set_label("LR share of the activated neurons", size=8)
    bar.ax.tick_params(labelsize=8)
