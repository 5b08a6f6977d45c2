"""How fast does accuracy fall with distance in StyleSpace? (Le Coz 2022, sec. 2.4, 3.3, fig. 6)

The centre is the mean of the well classified samples; for one of these, of the others, because a
sample pulls a mean towards itself: that alone would make accuracy fall with distance. A sample's
distance to it is Euclidean over the top dimensions of a ranking, each in units of its standard
deviation over all samples, so that every curve has the same unit. The slope of accuracy against
distance summarises robustness.

Beyond the paper: intervals, the area under the curve, and comparisons on shared axes. Curves whose
centre and dimensions are their own, as in the paper, have different x axes; two classifiers on the
same samples at the same distances can be tested as pairs.

More samples reach further out, and bins of too few samples are not drawn. So that numbers of other
numbers of samples compare, the slope is of all samples, and the area is over a range between
quantiles of the distance. (Over the bins drawn, a slope of -0.14 was -0.06 of 500 samples.)
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ganfail_jax.analysis.distance import Axis, axis, join
from ganfail_jax.analysis.ranking import Ranking, bootstrap_weights
from ganfail_jax.analysis.samples import Samples
from ganfail_jax.statistics.proportions import wilson

BINNINGS = ("width", "quantile")
REPLICATES = 1_000  # of the bootstrap
PERCENTILES = (2.5, 97.5)
RANGE, RANGE_BINS = (0.05, 0.95), 10  # of the area: quantiles of the distance, equal widths
AT_ONCE = 2**21  # samples times replicates
HELD = "centre fitted anew in every bootstrap replicate; dimensions, units and bins held"

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

    Slopes and areas are of all samples. Their intervals are by a bootstrap that resamples the
    samples, alike for all curves, and fits the centre anew; dimensions (which other samples
    ranked), units and bins are held fixed.
    """

    distance: Float[np.ndarray, "c p"]  # mean of the bin's samples
    accuracy: Float[np.ndarray, "c p"]
    interval: Float[np.ndarray, "c p 2"]  # Wilson
    samples: Int[np.ndarray, "c p"]
    slope: Float[np.ndarray, " c"]  # least squares of right (1) or not (0) on distance
    slope_interval: Float[np.ndarray, "c 2"]
    slope_difference: Float[np.ndarray, " c"]  # to the first curve
    slope_difference_interval: Float[np.ndarray, "c 2"]
    area: Float[np.ndarray, " c"]  # mean accuracy over bins of one width in the common range
    area_interval: Float[np.ndarray, "c 2"]
    area_difference: Float[np.ndarray, " c"]  # to the first curve
    area_difference_interval: Float[np.ndarray, "c 2"]
    common_range: Float[np.ndarray, " 2"]  # that 5 to 95 % of every curve have; NaN: none
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
    """One curve of p points."""

    distance: Float[np.ndarray, " p"]
    samples: Int[np.ndarray, " p"]
    right: Int[np.ndarray, " p"]


def _points(
    distance: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], binning: Binning
) -> _Points:
    edges = bin_edges(distance[np.isfinite(distance)], binning)
    inside = (distance >= edges[0]) & (distance < edges[-1])
    bins = len(edges) - 1
    place = np.searchsorted(edges, distance[inside], side="right") - 1
    size = np.bincount(place, minlength=bins)
    hits = np.bincount(place[right[inside]], minlength=bins)
    return _Points(np.bincount(place, distance[inside], bins) / size, size, hits)


def _slope(
    x: Float[np.ndarray, "own r"], y: Bool[np.ndarray, " own"], counts: Float[np.ndarray, "own r"]
) -> Float[np.ndarray, " r"]:
    """Least squares; NaN of samples at one distance."""
    x = x - x.mean()
    weighted = counts * x
    n, sx, sy = counts.sum(axis=0), weighted.sum(axis=0), y @ counts
    sxx, sxy = np.einsum("nr,nr->r", weighted, x), y @ weighted
    spread = n * sxx - sx * sx
    return np.divide(n * sxy - sx * sy, spread, out=np.full_like(n, np.nan), where=spread > 0)


def _area(
    x: Float[np.ndarray, "own r"],
    y: Bool[np.ndarray, " own"],
    counts: Float[np.ndarray, "own r"],
    low: float,
    high: float,
) -> Float[np.ndarray, " r"]:
    """Mean share of y over the bins that have samples."""
    place = np.floor((x - low) / (high - low) * RANGE_BINS).astype(np.int32)
    inside = (place >= 0) & (place < RANGE_BINS)
    place += RANGE_BINS * np.arange(x.shape[1], dtype=np.int32)
    cells = RANGE_BINS * x.shape[1]
    size, hits = (
        np.bincount(place[inside], each[inside], cells).reshape(-1, RANGE_BINS)
        for each in (counts, counts * y[:, None])
    )
    filled = size > 0
    shares = np.divide(hits, size, out=np.zeros_like(hits), where=filled)
    with np.errstate(invalid="ignore"):
        return shares.sum(axis=1) / filled.sum(axis=1)


def _replicas(
    axis: Axis,
    right: Bool[np.ndarray, " n"],
    counts: UInt8[np.ndarray, "n r"],
    common: tuple[float, float],
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
    """Slopes and areas: first of the samples as they are, then of the replicates."""
    own = np.flatnonzero(np.isfinite(axis.distance))
    y, (low, high), replicates = right[own], common, counts.shape[1]
    parts = []
    for start in range(0, replicates, step := max(1, AT_ONCE // len(counts))):
        here = counts[:, start : start + step].astype(np.float32)
        weights = here[own].astype(np.float64)
        x = np.repeat(axis.distance[own][:, None], here.shape[1], axis=1)
        if axis.refit is not None:
            first = int(start == 0)  # as they are: exact
            x[:, first:] = axis.refit(here[:, first:])
        areas = np.full(len(weights[0]), np.nan)
        if low < high:
            areas = _area(x, y, weights, low, high)
        parts.append((_slope(x, y, weights), areas))
    slopes, areas = zip(*parts, strict=True)
    return np.concatenate(slopes), np.concatenate(areas)


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
    axes: Sequence[Axis],
    right: Bool[np.ndarray, "c n"],
    binning: Binning,
    counts: UInt8[np.ndarray, "n r"],
) -> Curves:
    """Accuracy against distance, one curve per axis, of samples that they share.

    Args:
        counts: of `resampling`.
    """
    pairs = list(zip(axes, right, strict=True))
    points = [_points(own.distance, hit, binning) for own, hit in pairs]
    drawn = [own.distance for own, each in zip(axes, points, strict=True) if len(each.distance)]
    ends = np.reshape([np.nanquantile(x, RANGE) for x in drawn], (-1, 2))
    low, high = (ends[:, 0].max(), ends[:, 1].min()) if len(ends) else (np.nan, np.nan)
    slopes, areas = np.full((2, len(pairs), counts.shape[1]), np.nan)
    for c, (own, hit) in enumerate(pairs):
        if len(points[c].distance):
            slopes[c], areas[c] = _replicas(own, hit, counts, (low, high))
    with np.errstate(invalid="ignore"):
        heights = _padded([each.right / each.samples for each in points])
    limits = _padded([wilson(each.right, each.samples) for each in points])
    return Curves(
        _padded([each.distance for each in points]),
        heights,
        limits,
        _padded([each.samples for each in points], 0.0).astype(np.int64),
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

    members = [samples.in_group(1 + c) for c in range(classes)]

    def of_class(c: int, hit: np.ndarray, dims: np.ndarray) -> Axis:
        """The samples of a class from its centre."""
        own = members[c]
        return join([axis(styles[own], hit[own], dims, unit)], [own])

    def curves(axes: Sequence[Axis], hits: np.ndarray) -> Curves:
        return make_curves(axes, hits, binning, counts)

    own = [
        axis(styles, hit, found.order[0, :top], unit)
        for hit, found in zip(right, rankings, strict=True)
    ]
    own_class = join(
        [
            axis(styles[each], agreed[each], tops(1 + c, rankings), unit)
            for c, each in enumerate(members)
        ],
        members,
    )
    first = np.broadcast_to(right[0], (classes, len(styles)))
    first_tops = [tops(1 + c, rankings[:1]) for c in range(classes)]
    shared = axis(styles, agreed, tops(0, rankings), unit)
    made = {
        "own": curves(own, right),
        "own_all": curves([axis(styles, hit, every, unit) for hit in right], right),
        "shared": curves([shared] * len(right), right),
        "shared_class": curves([own_class] * len(right), right),
        "classes": curves([of_class(c, right[0], d) for c, d in enumerate(first_tops)], first),
        "classes_all": curves([of_class(c, right[0], every) for c in range(classes)], first),
    }
    if len(right) == 1:
        del made["shared"]
    return made
