"""Figures of where the LR neurons are (Choi 2022, fig. 1), and of sequential ablation (fig. 4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from ganfail_jax.analysis.gradcam import enlarge
from ganfail_jax.analysis.heatmaps import Heatmaps
from ganfail_jax.plots.figure import SKY, beyond, head, save, show_image

COLOURS = "inferno"
TITLE = "Where the rarely activated (LR) neurons are"
LINES = "blue lines: outlines of the image"
OVERVIEW = "overview.png"


def draw(folder: Path, maps: Heatmaps, kinds: Mapping[int, str], subject: str) -> list[str]:
    """All figures, below `folder`; returns their names.

    Args:
        kinds: index of each sample -> which kind it is of, such as Top.
        subject: whose samples they are, for a person.
    """
    highest = max(np.quantile(share, 0.99) for share in maps.shares.values())
    scale = Normalize(0, max(np.ceil(20 * highest), 1) / 20)
    _overview(folder / OVERVIEW, maps, kinds, subject, scale)
    files = [OVERVIEW]
    for i, (index, kind) in enumerate(kinds.items()):
        files.append(f"sample-{index}.png")
        title = f"{kind} sample {index}, {subject}"
        _sample(folder / files[-1], maps, i, title, scale)
    return files


def _overview(
    path: Path, maps: Heatmaps, kinds: Mapping[int, str], subject: str, scale: Normalize
) -> None:
    """One row per sample: the image and the heat map of every layer."""
    columns, images = 1 + len(maps.shares), maps.images[0]
    size = (1.45 * columns + 1, 1.6 * len(images) + 1.3)
    figure = Figure(figsize=size, layout="constrained")
    line = f"above each map: number of activated LR neurons; {LINES}"
    head(figure, f"{TITLE}: {subject}", line)
    grid = figure.subplots(len(images), columns, squeeze=False)
    for i, (row, (index, kind)) in enumerate(zip(grid, kinds.items(), strict=True)):
        show_image(row[0], images[i])
        row[0].set_title(f"{kind}\nsample {index}", size=8)
        pairs = zip(maps.shares.items(), maps.activated[i], strict=True)
        for axes, ((layer, share), number) in zip(row[1:], pairs, strict=True):
            _heat(axes, images[i], share[i], scale)
            axes.set_title(f"{layer}\n{number:,} LR", size=8)
    _colour_bar(figure, scale, [*maps.shares.values()])
    save(figure, path)


def _sample(path: Path, maps: Heatmaps, i: int, title: str, scale: Normalize) -> None:
    """Three rows as in the paper's figure 4, beside the image itself."""
    layers, images = [*maps.shares], maps.images[:, i]
    figure = Figure(figsize=(1.75 * (1 + len(layers)) + 1.2, 6.2), layout="constrained")
    head(figure, f"{TITLE}: {title}", LINES)
    grid = figure.subplots(3, 1 + len(layers), squeeze=False)
    for axes in grid[::2, 0]:
        axes.set_axis_off()
    show_image(grid[1, 0], images[0])
    grid[1, 0].set_title("the sample", size=8)
    for column, layer in enumerate(layers):
        plain, ablated, repaired = grid[:, 1 + column]
        plain.set_title(layer, size=8)
        _heat(plain, images[0], maps.shares[layer][i], scale)
        _heat(ablated, images[column], maps.ablated[layer][i], scale)
        show_image(repaired, images[column + 1])
    rows = ("as it is", "LR of the layers\nbefore it ablated", "image, LR ablated\nup to the layer")
    for axes, text in zip(grid[:, 1], rows, strict=True):
        axes.set_ylabel(text, size=8)
    shown = [each[layer][i] for each in (maps.shares, maps.ablated) for layer in layers]
    _colour_bar(figure, scale, shown)
    save(figure, path)


def _heat(
    axes: Axes, image: Float[np.ndarray, "h w c"], share: Float[np.ndarray, "_ _"], scale: Normalize
) -> None:
    """A heat map with outlines of the image: where its brightness is halfway."""
    height, width, _ = image.shape
    heat = np.asarray(enlarge(share[None], height, width)[0])
    axes.imshow(heat, cmap=COLOURS, norm=scale, interpolation="auto")
    grey = gaussian_filter(image.mean(axis=2), height / 128)
    level = (grey.min() + grey.max()) / 2
    if grey.max() > grey.min():
        axes.contour(grey, levels=[level], colors=SKY, linewidths=0.8, linestyles="solid")
    axes.set_xticks([])
    axes.set_yticks([])


def _colour_bar(figure: Figure, scale: Normalize, shares: Sequence[np.ndarray]) -> None:
    ends = beyond(np.concatenate([share.ravel() for share in shares]), 0.0, float(scale.vmax or 1))
    bar = figure.colorbar(
        ScalarMappable(scale, COLOURS), ax=figure.axes, extend=ends, shrink=0.6, aspect=30
    )
    bar.set_label("share of the activated neurons that are rarely activated (LR)", size=8)
    bar.ax.tick_params(labelsize=8)
