"""Figures of units: their top images (Tousi 2021, fig. 4, 7), groups (fig. 8) and distances."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.analysis.gradcam import enlarge
from ganfail_jax.images import to_float
from ganfail_jax.plots.figure import BLUE, SKY, head, save, show_image

LINES = "blue lines: where the unit's map is at least half of its highest value in the row"


class Units(NamedTuple):
    """The c units of a layer; images are of 8 bits."""

    fid: Float[np.ndarray, " c"]
    cluster: Int[np.ndarray, " c"]
    shown: Int[np.ndarray, " s"]  # units
    images: UInt8[np.ndarray, "s n h w c"]  # the n highest of those shown
    maps: Float[np.ndarray, "s n _ _"]
    pictured: Int[np.ndarray, " p"]  # units
    representative: UInt8[np.ndarray, "p h w c"]  # of those pictured
    members: Int[np.ndarray, " m"]  # of clusters: units that are pictured too


def draw(
    folder: Path,
    layers: Mapping[str, Units],
    random: Float[np.ndarray, " r"],
    title: str,
    what: str,
) -> list[str]:
    """All figures, below `folder`; returns their names.

    Args:
        random: the distances of random sets of as many images.
        what: which distance it is, for a person.
    """
    names = []
    for layer, own in layers.items():
        for name, plot in (("units", _units), ("clusters", _clusters)):
            names.append(f"{name}-{layer.replace('/', '-')}.png")
            plot(folder / names[-1], own, f"{layer}, {title}; {what}")
    fids = {layer: own.fid for layer, own in layers.items()}
    _distribution(folder / "fid.png", fids, random, f"{title}; {what}")
    return [*names, "fid.png"]


def _representative(units: Units, unit: int | np.integer) -> Float32[np.ndarray, "h w c"]:
    return to_float(units.representative[units.pictured == unit][0])


def _units(path: Path, units: Units, title: str) -> None:
    """One row per unit: the representative image, then the top images."""
    columns = 1 + units.images.shape[1]
    size = (1.15 * columns + 1, 1.15 * len(units.shown) + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    head(figure, f"Units of {title}", LINES)
    grid = figure.subplots(len(units.shown), columns, squeeze=False)
    shown = zip(grid, units.shown, units.images, units.maps, strict=True)
    for row, unit, pictures, maps in shown:
        show_image(row[0], _representative(units, unit))
        text = f"unit {unit}\nFID {units.fid[unit]:.3g}\ncluster {units.cluster[unit] + 1}"
        row[0].set_ylabel(text, size=8, rotation=0, ha="right", va="center")
        for axes, picture, own in zip(row[1:], pictures, maps, strict=True):
            show_image(axes, to_float(picture))
            _outline(axes, own, float(maps.max()) / 2, picture.shape[:2])
    grid[0, 0].set_title("representative", size=8)
    grid[0, 1].set_title("highest activation", size=8)
    save(figure, path)


def _outline(axes: Axes, own: np.ndarray, level: float, shape: tuple[int, int]) -> None:
    large = np.asarray(enlarge(own[None], *shape)[0])
    if large.min() < level < large.max():
        axes.contour(large, levels=[level], colors=SKY, linewidths=0.9)


def _clusters(path: Path, units: Units, title: str) -> None:
    """One row per group: the representative images of the units nearest to its mean."""
    members, fid = units.members, units.fid
    of_member = units.cluster[members]
    number = units.cluster.max() + 1
    columns = np.bincount(of_member).max()
    size = (max(1.15 * columns + 1.3, 7), 1.35 * number + 1)
    figure = Figure(figsize=size, layout="constrained")
    head(
        figure,
        f"Groups of units whose top images are alike: {title}",
        "representative images of those nearest to the group's mean; above: unit, FID",
    )
    grid = figure.subplots(number, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for i, row in enumerate(grid):
        of_group = fid[units.cluster == i]
        text = f"cluster {i + 1}\nunits: {len(of_group)}\nmean FID\n{of_group.mean():.3g}"
        row[0].text(-0.12, 0.5, text, transform=row[0].transAxes, ha="right", va="center", size=8)
        for axes, unit in zip(row, members[of_member == i], strict=False):
            show_image(axes, _representative(units, unit))
            axes.set_title(f"{unit}, {fid[unit]:.3g}", size=7)
    save(figure, path)


def _distribution(
    path: Path, fids: Mapping[str, np.ndarray], random: np.ndarray, title: str
) -> None:
    """The distances of each layer's units, and of random sets of as many images."""
    figure = Figure(figsize=(8, 1.9 * len(fids) + 1.6), layout="constrained")
    head(figure, f"Units by FID: {title}")
    grid = figure.subplots(len(fids), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (layer, fid) in zip(grid, fids.items(), strict=True):
        bins = int(np.clip(4 * np.cbrt(len(fid)), 8, 40))
        axes.hist(fid, bins=bins, color=BLUE, label=f"{len(fid):,} units of {layer}")
        label = f"{len(random)} random sets of as many images"
        axes.axvspan(random.min(), random.max(), color=SKY, alpha=0.7, lw=1, label=label)
        axes.set_ylabel("units")
        axes.legend(loc="best", frameon=False, fontsize=8)
    grid[-1].set_xlabel("FID of the top images")
    save(figure, path)
