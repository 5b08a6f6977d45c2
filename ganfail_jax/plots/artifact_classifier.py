"""Figures of an artifact classifier: what it confuses, from how many labels, where it looks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganfail_jax.plots.figure import BLUE, ORANGE, head, save
from ganfail_jax.plots.sheets import Block, draw_blocks

MATRIX, CURVE, SHEET = "confusion.png", "label_efficiency.png", "held_out.png"
GREYED, GREY = 0.7, 128  # how much of what is outside a mask is grey, and that grey


def draw(folder: Path, arrays: Mapping[str, np.ndarray], subject: str) -> list[str]:
    """All figures, below `folder`; returns their names.

    Args:
        arrays: confusion [k,k], class_names [k]; of the curve, if there is one: num_labels [s],
            accuracy and auc [s,r]; of the sheet, for each of TITLES: <kind>_images [m,h,w,c] of
            8 bits, <kind>_masks [m,h,w], <kind>_indices [m], <kind>_scores [m].
    """
    _matrix(folder / MATRIX, arrays["confusion"], arrays["class_names"].tolist(), subject)
    names = [MATRIX]
    if "num_labels" in arrays:
        _curve(folder / CURVE, arrays, subject)
        names.append(CURVE)
    _sheet(folder / SHEET, arrays, subject)
    return [*names, SHEET]


def _matrix(path: Path, matrix: np.ndarray, names: Sequence[str], subject: str) -> None:
    figure = Figure(figsize=(5.4, 4.6), layout="constrained")
    head(figure, f"Held-out images: {subject}")
    axes = figure.subplots()
    rows = matrix / matrix.sum(axis=1, keepdims=True)
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=1)
    for (i, j), number in np.ndenumerate(matrix):
        shade = "white" if rows[i, j] > 0.6 else "black"
        axes.text(j, i, f"{number}\n{rows[i, j]:.0%}", ha="center", va="center", color=shade)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("called")
    axes.set_ylabel("labelled; per cent of the row")
    save(figure, path)


def _curve(path: Path, arrays: Mapping[str, np.ndarray], subject: str) -> None:
    sizes, draws = arrays["num_labels"], arrays["accuracy"].shape[1]
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    title = f"How many labels are needed? {subject}"
    head(figure, title, f"mean of {draws} random splits, bars: standard deviation over them")
    panels = (
        ("accuracy", f"accuracy, {len(arrays['class_names'])} classes", BLUE),
        ("auc", "AUC, artifact against normal", ORANGE),
    )
    for axes, (name, text, colour) in zip(figure.subplots(1, 2), panels, strict=True):
        _spread(axes, sizes, arrays[name], colour)
        axes.set_title(text, size=9)
    rows = arrays["confusion"].sum(axis=1)
    figure.axes[0].axhline(rows.max() / rows.sum(), color="0.5", ls="--", lw=1)
    figure.axes[0].annotate(
        "always the most frequent class",
        (sizes[-1], rows.max() / rows.sum()),
        (0, 3),
        textcoords="offset points",
        ha="right",
        size=8,
        color="0.4",
    )
    save(figure, path)


def _spread(axes: Axes, sizes: np.ndarray, values: Float[np.ndarray, "s r"], colour: str) -> None:
    axes.plot(sizes, values, ".", color=colour, alpha=0.25, ms=5)
    deviation = values.std(axis=1, ddof=1) if values.shape[1] > 1 else None
    axes.errorbar(sizes, values.mean(axis=1), deviation, marker="o", color=colour, capsize=3)
    axes.set_xscale("log")
    alone = np.append(sizes[1:] >= 1.5 * sizes[:-1], True)  # else names would stand in each other
    axes.set_xticks(sizes, [f"{n:,}" if s else "" for n, s in zip(sizes, alone, strict=True)])
    axes.minorticks_off()
    axes.set_xlabel("training labels (artifact and normal)")
    axes.grid(alpha=0.3)


TITLES = {
    "found": "artifacts that are found, the highest softmax first",
    "missed": "artifacts that are missed, the lowest softmax first",
    "false": "normal ones that are called artifacts, the highest softmax first",
}


def _masked(
    images: UInt8[np.ndarray, "m h w c"], masks: np.ndarray
) -> UInt8[np.ndarray, "m h w c"]:
    grey = GREYED * GREY + (1 - GREYED) * images
    return np.where(masks[..., None], images, grey).astype(np.uint8)


def _sheet(path: Path, arrays: Mapping[str, Any], subject: str) -> None:
    """Of each kind the images, and below them the same with all but the masks greyed."""
    blocks = []
    for kind, title in TITLES.items():
        images, masks = arrays[f"{kind}_images"], arrays[f"{kind}_masks"]
        if not len(images):
            continue
        captions = [
            f"{index}: {score:.0%}"
            for index, score in zip(
                arrays[f"{kind}_indices"], arrays[f"{kind}_scores"], strict=True
            )
        ]
        blocks.append(Block(f"Held-out {title}", images, captions))
        blocks.append(
            Block(
                "the same; not greyed: the mask, where Grad-CAM of the artifact class is high",
                _masked(images, masks),
                [""] * len(images),
            )
        )
    title = f"Where the artifact class comes from, {subject}"
    draw_blocks(path, blocks, title, "above each image: sample and softmax of the artifact class")
