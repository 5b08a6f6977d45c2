"""What does moving along a dimension do to the picture, in words? Measured on pairs of images.

Samples that are classified well are drawn again, moved along a dimension in the direction that
breaks the classifier, with their noise, and no further than the population goes. What changes
between the two images is measured (`analysis.attributes`) in standard deviations over the
population, so that attributes can be compared. Dimensions whose changes are alike form a failure
mode, whose dimensions are then moved together.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

import jax
import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

from ganfail_jax.analysis import attributes
from ganfail_jax.analysis.attributes import FIGURE, PLAIN, Attribute
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.samples import outcomes
from ganfail_jax.analysis.starts import Starts, starts_of
from ganfail_jax.analysis.views import Views
from ganfail_jax.latents import sample_labels
from ganfail_jax.runtime import in_batches, progress_bar

OBSERVED = (0.005, 0.995)  # quantiles of a dimension over the population, the limits of moves
WORDS = 3  # attributes that a phrase names at most


class Population(NamedTuple):
    """What moves and changes are measured against. n samples, s dimensions, a attributes."""

    samples: Starts
    right: Bool[np.ndarray, " n"]  # see `samples.outcomes`
    low: Float[np.ndarray, " s"]  # limits of the observed range
    high: Float[np.ndarray, " s"]
    attributes: tuple[Attribute, ...]
    columns: Int[np.ndarray, " a"]  # their places in what `attributes.measure` gives
    values: Float[np.ndarray, "n a"]
    spread: Float[np.ndarray, " a"]  # standard deviations of the values


def population(
    views: Views, num_samples: int, *, first_index: int, truncation_psi: float = 1.0
) -> Population:
    """Samples as they are drawn.

    Attributes of the figure are left out where most images have no plain border, and those that
    never vary.
    """
    indices = first_index + np.arange(num_samples)
    generator, styles = views.models.generator, views.styles(indices, truncation_psi)
    images, logits = itemgetter("images", "logits")(views.both(styles, indices))
    samples = starts_of(styles, logits, sample_labels(generator, indices), indices)
    right = outcomes(generator, logits[None], samples.target)[0]
    plain = np.median(_in_batches(views, attributes.border_spread, images)) <= PLAIN
    values = _in_batches(views, attributes.measure, images)
    spread = values.std(axis=0, ddof=1)
    listed = attributes.attributes_of(images.shape[-1])
    columns = [a for a in np.flatnonzero(spread) if plain or listed[a] not in FIGURE]
    low, high = observed_range(samples.styles)
    return Population(
        samples,
        right,
        low,
        high,
        tuple(listed[a] for a in columns),
        np.asarray(columns, int),
        values[:, columns],
        spread[columns],
    )


def _in_batches(views: Views, function: Callable, images: np.ndarray) -> np.ndarray:
    return in_batches(jax.jit(function), views.batch_size, images).astype(np.float64)


class Contrast(NamedTuple):
    """How misclassified samples differ from well classified ones of the same class."""

    num_samples: tuple[int, int]  # well classified, misclassified
    change: Float[np.ndarray, "1 a"]  # standard deviations over the population
    error: Float[np.ndarray, "1 a"]  # standard error of it


def contrast(population: Population) -> Contrast:
    """Differences within classes, each class by the share that it has in the misclassified.

    Classes without two samples of each outcome are left out; without any, differences are NaN.
    """
    parts, values = [], population.values / population.spread
    for target in np.unique(population.samples.target):
        here = population.samples.target == target
        right, wrong = (values[here & (population.right == outcome)] for outcome in (True, False))
        if min(len(right), len(wrong)) >= 2:
            difference = wrong.mean(axis=0) - right.mean(axis=0)
            parts.append((len(wrong), difference, _error(right) ** 2 + _error(wrong) ** 2))
    counts = int(population.right.sum()), int((~population.right).sum())
    if not parts:
        none = np.full((1, values.shape[1]), np.nan)
        return Contrast(counts, none, none)
    weight, change, variance = (np.asarray(each) for each in zip(*parts, strict=True))
    share = (weight / weight.sum())[:, None]
    error = np.sqrt((share**2 * variance).sum(axis=0))
    return Contrast(counts, (share * change).sum(axis=0)[None], error[None])


def _error(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.std(axis=0, ddof=1) / np.sqrt(len(values)))


class Described(NamedTuple):
    """The d dimensions described, and the m failure modes that they form."""

    dimensions: tuple[str, ...]
    direction: Int[np.ndarray, " d"]  # -1 or +1: the degrading one
    mode: Int[np.ndarray, " d"]  # to which a dimension belongs
    phrases: tuple[str, ...]  # [m]
    attributes: tuple[str, ...]
    more: tuple[str, ...]  # word for more of each attribute, and for less
    less: tuple[str, ...]
    classes: tuple[str, ...]


class Effects(NamedTuple):
    """What each of m moves does to n samples. a: attributes, k: classes."""

    moved: Float[np.ndarray, " m"]  # mean move made, standard deviations of the dimensions
    change: Float[np.ndarray, "m a"]  # mean change, standard deviations over the population
    error: Float[np.ndarray, "m a"]  # standard error of it
    classes: Float[np.ndarray, "m k"]  # mean change of each class's softmax
    softmax: Float[np.ndarray, "m 2"]  # mean change of the true class's, and standard error
    broken: Float[np.ndarray, " m"]  # share of the samples that another class wins afterwards
    maps: Float[np.ndarray, "m h w"]  # mean absolute change of a pixel, of the range 0..1


class Pairs(NamedTuple):
    """Of each of m moves, the p samples whose true class loses most softmax, of several classes."""

    before: Float[np.ndarray, "m p h w c"]
    after: Float[np.ndarray, "m p h w c"]
    target: Int[np.ndarray, "m p"]
    softmax: Float[np.ndarray, "m p 2"]  # of the true class, before and after
    predicted: Int[np.ndarray, "m p"]  # afterwards


def effects(
    views: Views,
    population: Population,
    start: Starts,
    moves: Float[np.ndarray, "m s"],
    std: Float[np.ndarray, " s"],
    *,
    shown: int = 0,
    progress: str | None = None,
) -> tuple[Effects, Pairs]:
    """Draw the starts again, moved, and measure what has changed.

    Args:
        start: of the population, at least two, classified well.
        moves: in units of s; cut where they would leave the observed range.
        std: of each dimension.
        shown: how many pairs of images are kept.
    """
    first, softmax = _seen(views, start)
    measured = _in_batches(views, attributes.measure, first)
    rows = np.arange(len(start.target))
    measures, pairs = [], []
    with progress_bar(progress, len(moves) * len(rows), 0) as bar:
        for move in moves:
            moved = start._replace(
                styles=within(start.styles, move, (population.low, population.high))
            )
            images, after = _seen(views, moved)
            values = _in_batches(views, attributes.measure, images)
            change = (values - measured)[:, population.columns] / population.spread
            own, gained = (after - softmax)[rows, start.target], (after - softmax).mean(axis=0)
            wrong = after.argmax(axis=1) != start.target
            dims = np.flatnonzero(move)
            measures.append(
                Effects(
                    (np.abs(moved.styles - start.styles)[:, dims] / std[dims]).mean(),
                    change.mean(axis=0),
                    _error(change),
                    gained,
                    np.asarray([own.mean(), _error(own)]),
                    wrong.mean(),
                    np.abs(images - first).mean(axis=(0, 3)) / 2,
                )
            )
            chosen = _of_several_classes(own, start.target, shown)
            both = np.stack([softmax, after], axis=-1)[rows, start.target]
            pairs.append(
                Pairs(
                    first[chosen],
                    images[chosen],
                    start.target[chosen],
                    both[chosen],
                    after[chosen].argmax(axis=1),
                )
            )
            bar.update(len(rows))
    return Effects(*_stacked(measures)), Pairs(*_stacked(pairs))


def _stacked(records: Sequence[tuple]) -> list[np.ndarray]:
    return [np.stack(fields) for fields in zip(*records, strict=True)]


def within(
    styles: Float[np.ndarray, "n s"],
    move: Float[np.ndarray, " s"],
    observed: tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]],
) -> Float[np.ndarray, "n s"]:
    """Moved styles; what is outside the observed range already does not move further out.

    Args:
        observed: lower and upper limits of that range; see `observed_range`.
    """
    low, high = np.minimum(observed[0], styles), np.maximum(observed[1], styles)
    return np.where(move == 0, styles, np.clip(styles + move, low, high))


def observed_range(
    styles: Float[np.ndarray, "n s"],
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """The limits of moves: OBSERVED quantiles of every dimension over a population."""
    low, high = np.quantile(styles, OBSERVED, axis=0)
    return low, high


def _seen(
    views: Views, at: Starts
) -> tuple[Float[np.ndarray, "n h w c"], Float[np.ndarray, "n k"]]:
    """Images and the softmax outputs of all classes."""
    images, logits = itemgetter("images", "logits")(views.both(at.styles, at.noise))
    return images, scipy.special.softmax(logits.astype(np.float64), axis=1)


def _of_several_classes(
    loss: Float[np.ndarray, " n"], target: Int[np.ndarray, " n"], count: int
) -> Int[np.ndarray, " p"]:
    """The largest losses (most negative), one class after the other, then the largest of all."""
    order = np.argsort(loss, kind="stable")
    _, firsts = np.unique(target[order], return_index=True)
    leading = order[np.sort(firsts)]
    rest = order[~np.isin(order, leading)]
    return np.concatenate([leading, rest])[:count]


def single_moves(
    ranking: Ranking, dims: Int[np.ndarray, " d"], deviations: float
) -> Float[np.ndarray, "d s"]:
    """One dimension at a time, in the direction that breaks the classifier."""
    moves = np.zeros((len(dims), len(ranking.style_std)), np.float32)
    steps = deviations * ranking.direction[0] * ranking.style_std
    moves[np.arange(len(dims)), dims] = steps[dims]
    return moves


def standing_out(measured: Effects | Contrast, least: float) -> list[list[int]]:
    """The attributes that stand out of each move, by falling magnitude, at most WORDS of them.

    Their mean change is at least `least` standard deviations, and not by chance: its 95 % interval,
    widened for the number of attributes and moves (Bonferroni), does not hold 0.
    """
    z = scipy.special.ndtri(1 - 0.025 / max(measured.change.size, 1))
    size = np.abs(measured.change)
    size = np.where(size > z * measured.error, size, 0)
    order = np.argsort(-size, axis=1, kind="stable")[:, :WORDS]
    return [
        [int(a) for a in row if sizes[a] >= least] for row, sizes in zip(order, size, strict=True)
    ]


def failure_modes(
    effects: Effects, named: Sequence[Sequence[int]], similarity: float
) -> list[list[int]]:
    """Moves whose changes are alike, the largest loss of softmax first; last those without a word.

    Average linkage by the cosine between mean changes of the attributes, up to this similarity.

    Args:
        named: attributes that stand out of each move.
    """
    worded = [i for i, attributes in enumerate(named) if attributes]
    groups = [[i] for i in worded]
    if len(worded) > 1:
        tree = scipy.cluster.hierarchy.linkage(effects.change[worded], "average", "cosine")
        number = scipy.cluster.hierarchy.fcluster(tree, 1 - similarity, "distance")
        groups = [[worded[j] for j in np.flatnonzero(number == n)] for n in np.unique(number)]
    groups.sort(key=lambda group: float(effects.softmax[group, 0].sum()))
    rest = [i for i, attributes in enumerate(named) if not attributes]
    return [*groups, *([rest] if rest else [])]


def phrase(
    attributes: Sequence[Attribute], change: Float[np.ndarray, " a"], named: Sequence[int]
) -> str:
    """Such as "noisier by 1.90 sd, thinner by 0.70 sd"; "no simple word" where none is named."""
    words = [f"{attributes[a].word(change[a])} by {abs(change[a]):.2f} sd" for a in named]
    return ", ".join(words) or "no simple word"
