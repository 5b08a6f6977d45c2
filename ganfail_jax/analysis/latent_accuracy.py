"""How fast does accuracy fall with distance in StyleSpace? (Le Coz 2022, sec. 2.4, 3.3, fig. 6)

The centre is the mean of the well classified samples; for one of these, of the others, because a
sample pulls a mean towards itself: that alone would make accuracy fall with distance. A sample's
distance to it is Euclidean over the top dimensions of a ranking, each in units of its standard
deviation over all samples, so that every curve has the same unit. The slope of accuracy against
distance summarises robustness.

Beyond the paper: intervals, the area under the curve, and comparisons on shared axes. Curves whose
centre and dimensions are their own, as in the paper, have different x axes; two classifiers on the
same samples at the same distances can be tested as pairs.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ganfail_jax.analysis.ranking import Ranking, bootstrap_weights
from ganfail_jax.analysis.samples import Samples
from ganfail_jax.statistics.proportions import wilson

BINNINGS = ("width", "quantile")
REPLICATES = 1_000  # of the bootstrap
PERCENTILES = (2.5, 97.5)

COMPARISONS = {  # name -> what distance means there; a curve per classifier, or class of the first
    "own": "each classifier's own centre and own {top} (fig. 6a)",
    "own_all": "each classifier's own centre, {every}",
    "shared": "one centre, the {top} of every classifier together",
    "shared_class": "centre of the sample's class, its {top} of every classifier together",
    "classes": "centre and {top} of each class (fig. 6b)",
    "classes_all": "centre of each class, {every}",
}


def explain(comparison: str, top: int, dimensions: int) -> str:
    """What distance means in one of the COMPARISONS."""
    every = f"all {dimensions} dimensions"
    used = f"top {top} dimensions" if 0 < top < dimensions else every
    return COMPARISONS[comparison].format(top=used, every=every)


class Binning(NamedTuple):
    """How distances are cut into the points of a curve; see `bin_edges`."""

    kind: str = "width"  # one of BINNINGS
    bins: int = 12
    min_samples: int = 50


class Curves(NamedTuple):
    """c curves of up to p points, padded with NaN (0 samples); intervals are of 95 %.

    Slopes and areas leave out the samples beyond the last point's bin. Bootstrap intervals resample
    the samples, alike for all curves, and hold centre, dimensions and bins fixed.
    """

    distance: Float[np.ndarray, "c p"]  # mean of the bin's samples
    accuracy: Float[np.ndarray, "c p"]
    interval: Float[np.ndarray, "c p 2"]  # Wilson
    samples: Int[np.ndarray, "c p"]
    slope: Float[np.ndarray, " c"]  # least squares of right (1) or not (0) on distance
    slope_interval: Float[np.ndarray, "c 2"]
    slope_difference: Float[np.ndarray, " c"]  # to the first curve
    slope_difference_interval: Float[np.ndarray, "c 2"]
    area: Float[np.ndarray, " c"]  # mean height of the curve over the common range
    area_interval: Float[np.ndarray, "c 2"]
    area_difference: Float[np.ndarray, " c"]  # to the first curve
    area_difference_interval: Float[np.ndarray, "c 2"]
    common_range: Float[np.ndarray, " 2"]  # distances that all curves cover; NaN: none
    rises: Int[np.ndarray, " c"]  # points higher than the one before
    clear_rises: Int[np.ndarray, " c"]  # their lower limit is above the upper limit before

    def summary(self, names: Sequence[str]) -> dict[str, Any]:
        """For result.json; curves without points are left out."""
        found: dict[str, Any] = {}
        for c in np.flatnonzero(self.samples.any(axis=1)).tolist():
            one: dict[str, Any] = {
                "samples": int(self.samples[c].sum()),
                "points": int(np.count_nonzero(self.samples[c])),
                "rises": int(self.rises[c]),
                "rises_beyond_intervals": int(self.clear_rises[c]),
            }
            for key in ("slope", "slope_difference", "area", "area_difference"):
                one[key] = float(getattr(self, key)[c])
                one[f"{key}_interval95"] = getattr(self, f"{key}_interval")[c].tolist()
            found[names[c]] = one
        return {"common_range": self.common_range.tolist(), "curves": found}


class Setting(NamedTuple):
    """Whose curves they are and what they are made of."""

    classifiers: Sequence[str]
    classes: Sequence[str]
    class_known: bool  # else a sample's class is the first classifier's prediction
    right_means: str  # see `samples.outcome_names`
    num_samples: int
    top: int  # dimensions that make a distance; 0: all
    dimensions: int  # of StyleSpace

    def names(self, comparison: str) -> Sequence[str]:
        """Of the curves of one of the COMPARISONS."""
        return self.classes if comparison.startswith("classes") else self.classifiers


def by_area(curves: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The curves of a summary from the smallest area, the least robust, to none."""

    def area(name: str) -> float:
        value = curves[name]["area"]
        return np.inf if value is None or np.isnan(value) else value

    return sorted(curves, key=area)


def distances(
    styles: Float[np.ndarray, "n s"],
    right: Bool[np.ndarray, " n"],
    dims: Int[np.ndarray, " d"],
    unit: Float[np.ndarray, " s"],
) -> Float[np.ndarray, " n"]:
    """Distance of samples to the mean of the right ones but themselves.

    NaN where none is right and where there are no dimensions.

    Args:
        unit: standard deviation of every dimension; one that never varies adds nothing.
    """
    if not right.any() or not len(dims):
        return np.full(len(styles), np.nan)
    dims = dims[unit[dims] > 0]
    scaled = styles[:, dims].astype(np.float64) / unit[dims]
    distance = np.linalg.norm(scaled - scaled[right].mean(axis=0), axis=1)
    others = right.sum() - 1
    distance[right] *= (others + 1) / max(others, 1)  # exactly the distance to the others' mean
    return distance


def bin_edges(distance: Float[np.ndarray, " n"], binning: Binning) -> Float[np.ndarray, " e"]:
    """Edges of the kept bins, each lower <= distance < upper; one edge alone: no bin.

    The range is cut into bins of equal width or equal numbers. Coming from the far end, bins of
    fewer than `min_samples` are dropped until one has enough; going outwards through the others,
    sparse ones are pooled with the next.
    """
    if not len(distance):
        return np.zeros(1)
    shares = np.linspace(0, 1, binning.bins + 1)
    if binning.kind == "width":
        edges = distance.min() + shares * np.ptp(distance)
    else:
        edges = np.quantile(distance, shares)
    edges[-1] = np.nextafter(distance.max(), np.inf)
    edges = np.unique(edges)
    samples = np.histogram(distance, edges)[0]
    enough = np.flatnonzero(samples >= binning.min_samples)
    kept, pooled = [edges[0]], 0
    for b in range(enough[-1] + 1 if len(enough) else 0):
        pooled += samples[b]
        if pooled >= binning.min_samples:
            kept.append(edges[b + 1])
            pooled = 0
    return np.asarray(kept)


def resampling(indices: Int[np.ndarray, " n"], seed: int) -> UInt8[np.ndarray, "n r"]:
    """How often each sample counts: once, then in every replicate of the bootstrap."""
    draw = jax.jit(lambda i: bootstrap_weights(seed, i, REPLICATES).astype(jnp.uint8))
    return np.concatenate([np.ones((len(indices), 1), np.uint8), draw(indices)], axis=1)


class _Points(NamedTuple):
    """One curve of p points; r: the samples as they are, then the replicates (NaN: empty bin)."""

    distance: Float[np.ndarray, " p"]
    samples: Int[np.ndarray, " p"]
    right: Int[np.ndarray, " p"]
    heights: Float[np.ndarray, "r p"]
    slopes: Float[np.ndarray, " r"]


def _points(
    distance: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " n"],
    binning: Binning,
    counts: UInt8[np.ndarray, "n r"],
) -> _Points:
    edges = bin_edges(distance[np.isfinite(distance)], binning)
    inside = (distance >= edges[0]) & (distance < edges[-1])
    x, y = distance[inside] - edges[0], right[inside].astype(np.float64)
    members = (np.searchsorted(edges, distance[inside], side="right") - 1)[:, None] == np.arange(
        len(edges) - 1
    )
    terms = np.column_stack([np.ones_like(x), x, x * x, y, x * y, members, members * y[:, None]])
    blocks = np.array_split(counts[inside].T, 10)  # float64 takes eight times the memory
    sums = np.concatenate([block.astype(np.float64) @ terms for block in blocks])
    n, sx, sxx, sy, sxy = sums[:, :5].T
    size, hits = np.split(sums[:, 5:], 2, axis=1)
    spread = n * sxx - sx * sx
    return _Points(
        edges[0] + (x @ members) / size[0],
        np.rint(size[0]).astype(np.int64),
        np.rint(hits[0]).astype(np.int64),
        np.divide(hits, size, out=np.full_like(hits, np.nan), where=size > 0),
        np.divide(n * sxy - sx * sy, spread, out=np.full_like(n, np.nan), where=spread > 0),
    )


def area_weights(
    distance: Float[np.ndarray, " p"], low: float, high: float
) -> Float[np.ndarray, " p"]:
    """Weights whose product with heights is the mean height of the straight lines between them."""
    inner = distance[(distance > low) & (distance < high)]
    grid = np.concatenate([[low], inner, [high]])
    hats = [np.interp(grid, distance, one) for one in np.eye(len(distance))]
    return np.asarray(np.trapezoid(hats, grid, axis=1)) / (high - low)


def _padded(rows: list[np.ndarray], fill: float = np.nan) -> np.ndarray:
    out = np.full((len(rows), max(map(len, rows)), *rows[0].shape[1:]), fill)
    for c, row in enumerate(rows):
        out[c, : len(row)] = row
    return out


def _estimate(
    replicas: Float[np.ndarray, "c r"],
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, "c 2"]]:
    """The value of the samples as they are, and its interval over replicates that have one."""
    intervals = np.full((len(replicas), 2), np.nan)
    for c, row in enumerate(replicas[:, 1:]):
        if np.isfinite(row).any():
            intervals[c] = np.nanpercentile(row, PERCENTILES)
    return replicas[:, 0], intervals


def make_curves(
    distance: Float[np.ndarray, "c n"],
    right: Bool[np.ndarray, "c n"],
    binning: Binning,
    counts: UInt8[np.ndarray, "n r"],
) -> Curves:
    """Accuracy against distance, one curve per row, of samples that the rows share.

    Args:
        distance: NaN where a sample does not belong to a curve.
        counts: of `resampling`.
    """
    found = [_points(*row, binning, counts) for row in zip(distance, right, strict=True)]
    drawn = [points.distance for points in found if len(points.distance)]
    low = max((x[0] for x in drawn), default=np.nan)
    high = min((x[-1] for x in drawn), default=np.nan)
    slopes = np.stack([points.slopes for points in found])
    areas = np.full_like(slopes, np.nan)
    for c, points in enumerate(found):
        if low < high and len(points.distance):
            weights = area_weights(points.distance, low, high)
            areas[c] = points.heights[:, weights > 0] @ weights[weights > 0]
    heights = _padded([points.heights[0] for points in found])
    limits = _padded([wilson(points.right, points.samples) for points in found])
    return Curves(
        _padded([points.distance for points in found]),
        heights,
        limits,
        _padded([points.samples for points in found], 0.0).astype(np.int64),
        *_estimate(slopes),
        *_estimate(slopes - slopes[:1]),
        *_estimate(areas),
        *_estimate(areas - areas[:1]),
        np.asarray([low, high] if low < high else [np.nan, np.nan]),
        np.sum(heights[:, 1:] > heights[:, :-1], axis=1),
        np.sum(limits[:, 1:, 0] > limits[:, :-1, 1], axis=1),
    )


def accuracy_curves(
    samples: Samples, rankings: Sequence[Ranking], top: int, binning: Binning, seed: int = 0
) -> dict[str, Curves]:
    """The COMPARISONS of m classifiers and of the classes of the first one.

    Centres are of well classified samples; one that classifiers share, of those that all get right.
    A class without samples in a ranking has no top dimensions, and its samples no distance by them.

    Args:
        rankings: one per classifier.
        top: how many dimensions; 0: all.
    """
    styles, right = samples.styles, samples.right
    unit = styles.std(axis=0, dtype=np.float64)
    counts = resampling(samples.indices, seed)
    every = np.arange(styles.shape[1])
    top = top or len(every)
    agreed = np.all(right, axis=0)
    classes = len(rankings[0].groups) - 1

    def tops(group: int, of: Sequence[Ranking]) -> np.ndarray:
        """The top dimensions of a group in some rankings together."""
        if not all(found.num_samples[group] for found in of):
            return np.zeros(0, np.int64)
        return reduce(np.union1d, [found.order[group, :top] for found in of])

    def by_class(hit: np.ndarray, dims: list[np.ndarray]) -> np.ndarray:
        """[classes, n]: the samples of each class from its centre, NaN elsewhere."""
        out = np.full((classes, len(styles)), np.nan)
        for c in range(classes):
            own = samples.in_group(1 + c)
            out[c, own] = distances(styles[own], hit[own], dims[c], unit)
        return out

    def curves(distance: np.ndarray | list[np.ndarray], hits: np.ndarray) -> Curves:
        return make_curves(np.broadcast_to(distance, hits.shape), hits, binning, counts)

    own = [
        distances(styles, hit, found.order[0, :top], unit)
        for hit, found in zip(right, rankings, strict=True)
    ]
    own_class = by_class(agreed, [tops(1 + c, rankings) for c in range(classes)])
    first = np.broadcast_to(right[0], (classes, len(styles)))
    first_tops = [tops(1 + c, rankings[:1]) for c in range(classes)]
    made = {
        "own": curves(own, right),
        "own_all": curves([distances(styles, hit, every, unit) for hit in right], right),
        "shared": curves(distances(styles, agreed, tops(0, rankings), unit), right),
        "shared_class": curves(own_class[samples.target, np.arange(len(styles))], right),
        "classes": curves(by_class(right[0], first_tops), first),
        "classes_all": curves(by_class(right[0], [every] * classes), first),
    }
    if len(right) == 1:
        del made["shared"]
    return made
