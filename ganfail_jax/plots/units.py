"""Figures of units: their top images (Tousi 2021, fig. 4, 7), groups (fig. 8) and distances."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.gradcam import enlarge
from ganfail_jax.plots.figure import BLUE, SKY, save, show_image

LINES = "blue lines: where the unit's map is at least half of its highest value in the row"


def draw(
    folder: Path, arrays: Mapping[str, np.ndarray], layers: Sequence[str], who: str, what: str
) -> list[str]:
    """All figures, below `folder`; returns their names.

    Args:
        arrays: of r random sets their distance, random [r], and of each layer of c units, of which
            s are shown with n images, p pictured and m members of clusters, under `<name>/<layer>`:
            fid, cluster [c], shown [s], images [s,n,h,w,c] of 8 bits, maps [s,n,.,.], pictured [p],
            representative [p,h,w,c] of 8 bits, members [m].
        what: which distance it is, for a person.
    """
    names = []
    for layer in layers:
        own = {n.removesuffix(f"/{layer}"): x for n, x in arrays.items() if n.endswith(f"/{layer}")}
        for name, plot in (("units", _units), ("clusters", _clusters)):
            names.append(f"{name}-{layer.replace('/', '-')}.png")
            plot(folder / names[-1], own, f"{layer}, {who}\n{what}")
    fids = {layer: arrays[f"fid/{layer}"] for layer in layers}
    _distribution(folder / "fid.png", fids, arrays["random"], f"{who}\n{what}")
    return [*names, "fid.png"]


def _representative(arrays: Mapping[str, np.ndarray], unit: int | np.integer) -> np.ndarray:
    return arrays["representative"][arrays["pictured"] == unit][0] / 127.5 - 1


def _units(path: Path, arrays: Mapping[str, np.ndarray], title: str) -> None:
    """One row per unit: the representative image, then the top images."""
    units, images = arrays["shown"], arrays["images"]
    columns = 1 + images.shape[1]
    size = (1.15 * columns + 1, 1.15 * len(units) + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"Units of {title}\n{LINES}", size=10)
    grid = figure.subplots(len(units), columns, squeeze=False)
    for row, unit, pictures, maps in zip(grid, units, images, arrays["maps"], strict=True):
        show_image(row[0], _representative(arrays, unit))
        text = f"unit {unit}\nFID {arrays['fid'][unit]:.3g}\ncluster {arrays['cluster'][unit] + 1}"
        row[0].set_ylabel(text, size=8, rotation=0, ha="right", va="center")
        for axes, picture, own in zip(row[1:], pictures, maps, strict=True):
            show_image(axes, picture / 127.5 - 1)
            _outline(axes, own, float(maps.max()) / 2, picture.shape[:2])
    grid[0, 0].set_title("representative", size=8)
    grid[0, 1].set_title("highest activation", size=8)
    save(figure, path)


def _outline(axes: Axes, own: np.ndarray, level: float, shape: tuple[int, int]) -> None:
    large = np.asarray(enlarge(own[None], *shape)[0])
    if large.min() < level < large.max():
        axes.contour(large, levels=[level], colors=SKY, linewidths=0.9)


def _clusters(path: Path, arrays: Mapping[str, np.ndarray], title: str) -> None:
    """One row per group: the representative images of the units nearest to its mean."""
    members, fid = arrays["members"], arrays["fid"]
    of_member = arrays["cluster"][members]
    number = arrays["cluster"].max() + 1
    columns = np.bincount(of_member).max()
    size = (max(1.15 * columns + 1.3, 7), 1.35 * number + 1)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(
        f"Groups of units whose top images are alike, {title}\n"
        "representative images of those nearest to the group's mean; above: unit, FID",
        size=10,
    )
    grid = figure.subplots(number, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for i, row in enumerate(grid):
        of_group = fid[arrays["cluster"] == i]
        text = f"cluster {i + 1}\nunits: {len(of_group)}\nmean FID\n{of_group.mean():.3g}"
        row[0].text(-0.12, 0.5, text, transform=row[0].transAxes, ha="right", va="center", size=8)
        for axes, unit in zip(row, members[of_member == i], strict=False):
            show_image(axes, _representative(arrays, unit))
            axes.set_title(f"{unit}, {fid[unit]:.3g}", size=7)
    save(figure, path)


def _distribution(
    path: Path, fids: Mapping[str, np.ndarray], random: np.ndarray, title: str
) -> None:
    """The distances of each layer's units, and of random sets of as many images."""
    figure = Figure(figsize=(8, 1.9 * len(fids) + 1.6), layout="constrained")
    figure.suptitle(f"Units by FID, {title}", size=10)
    grid = figure.subplots(len(fids), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (layer, fid) in zip(grid, fids.items(), strict=True):
        bins = int(np.clip(4 * np.cbrt(len(fid)), 8, 40))
        axes.hist(fid, bins=bins, color=BLUE, label=f"{len(fid):,} units of {layer}")
        label = f"{len(random)} random sets of as many images"
        axes.axvspan(random.min(), random.max(), color=SKY, alpha=0.7, lw=1, label=label)
        axes.set_ylabel("units")
        axes.legend(frameon=False, fontsize=8)
    grid[-1].set_xlabel("FID of the top images")
    save(figure, path)
