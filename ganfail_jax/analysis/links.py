"""Where do the papers meet? Moves along failing dimensions (Le Coz 2022) and a classifier's errors,
beside rarely activated (LR) neurons (Choi 2022).

Pairs are of the same samples with the same noise, and come from one compiled program each, in
chunks of `tally.CHUNK`, so that what does not change is the same to the bit.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.analysis.ablation import Choice, ablation, ablation_keys
from ganfail_jax.analysis.descriptions import within
from ganfail_jax.analysis.detection import Neurons, numbers_in
from ganfail_jax.analysis.outputs import Models, view
from ganfail_jax.analysis.rates import Rates, expected_activated, high_rate, low_rate
from ganfail_jax.analysis.starts import Starts
from ganfail_jax.analysis.views import target_softmax
from ganfail_jax.edits import zero_activated
from ganfail_jax.latents import generate, noise_keys
from ganfail_jax.runtime import Sweep, in_batches, progress_bar
from ganfail_jax.tally import CHUNK
from ganfail_jax.types import Edits

EditsOf = Callable[[Int[Array, " b"]], Edits]  # of samples by index


MOVES = ("degrading", "opposite", "random")  # random: other dimensions, their degrading direction


class Shown(NamedTuple):
    """What the figure shows: d dimensions, c classes, r ablations."""

    dimensions: tuple[str, ...]  # [d]
    random: tuple[str, ...]  # [d]
    change: Float[np.ndarray, "3 d"]  # mean change of the LR score, of each kind of MOVES
    error: Float[np.ndarray, "3 d"]  # standard error of it
    classes: tuple[str, ...]  # [c], the first is all of them
    area: Float[np.ndarray, " c"]
    area_interval: Float[np.ndarray, "c 2"]
    ablations: tuple[str, ...]  # [r]
    turned: Int[np.ndarray, "r 2"]  # samples: wrong to right, right to wrong


def reaching(
    models: Models, layers: Collection[str], start: Starts, std: Float[np.ndarray, " s"], seed: int
) -> Bool[np.ndarray, " s"]:
    """Dimensions that these layers depend on: not those of later layers, nor of branches.

    All dimensions of a style layer are moved together by a standard deviation; those that do not
    vary do not count.
    """
    start = start.take(slice(CHUNK))

    @jax.jit
    def see(given: Any, styles: Array, samples: Array) -> dict[str, Array]:
        params, seed = given
        here = models.with_params(params)
        _, taps = view(here, styles, noise_keys(here.generator, seed, samples))
        return {name: taps[name] for name in layers}

    batch = partial(see, (models.params, np.uint32(seed)))
    samples = start.noise.astype(np.int32)
    before = in_batches(batch, CHUNK, start.styles, samples)
    reaches, place = np.zeros(len(std), bool), 0
    for size in models.generator.style_dims.values():
        own = slice(place, place + size)
        styles, place = start.styles.copy(), place + size
        styles[:, own] += std[own]
        after = in_batches(batch, CHUNK, styles, samples)
        reaches[own] = any((after[name] != before[name]).any() for name in layers)
    return reaches & (std > 0)


class Moved(NamedTuple):
    """What n samples are after each of m moves."""

    score: Int[np.ndarray, "m n"]  # activated LR neurons
    softmax: Float[np.ndarray, "m n"]  # of the true class
    right: Bool[np.ndarray, "m n"]  # whether the true class wins


def moved(
    models: Models,
    low: Neurons,
    start: Starts,
    moves: Float[np.ndarray, "m s"],
    observed: tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]],
    *,
    seed: int,
    progress: str | None = None,
) -> Moved:
    """Draw samples again after each move.

    Args:
        low: masks of the LR neurons of each layer.
        start: samples, which keep their noise.
        moves: in units of s, cut at the observed range; zeros: the samples as they are.
    """
    layers = tuple(low)

    @jax.jit
    def see(given: Any, styles: Array, samples: Array) -> dict[str, Array]:
        params, masks, seed = given
        here = models.with_params(params)
        images, taps = view(here, styles, noise_keys(here.generator, seed, samples))
        numbers = numbers_in(taps, {name: masks[name] for name in layers})  # jit sorts them
        return {
            "score": numbers.sum(axis=1),
            "logits": here.classifier.logits(params[1], images),
        }

    batch = partial(see, (models.params, dict(low), np.uint32(seed)))
    samples, rows = start.noise.astype(np.int32), []
    with progress_bar(progress, len(moves) * len(samples), 0) as bar:
        for move in moves:
            styles = within(start.styles, move, observed).astype(np.float32)
            views = in_batches(batch, CHUNK, styles, samples)
            softmax = target_softmax(views["logits"].astype(np.float64), start.target)
            right = views["logits"].argmax(axis=1) == start.target
            rows.append(Moved(views["score"], softmax, right))
            bar.update(len(samples))
    return Moved(*(np.stack(fields) for fields in zip(*rows, strict=True)))


def unedited(rates: Rates) -> EditsOf:
    """Edits that change nothing, in the program of those that do."""
    none = {name: zero_activated(np.zeros(n.shape, bool)) for name, n in rates.counts.items()}
    return lambda _: none


def ablated(choice: Choice, rates: Rates) -> EditsOf:
    """LR or HR ablation of all layers of the rates; see `ablation.ablation`."""
    edits = ablation(choice, rates, [*rates.counts], jnp.zeros(0))  # keys are for random ones
    return lambda _: edits


def as_many_at_random(choice: Choice, rates: Rates, seed: int) -> EditsOf:
    """The control of `ablated`: in each layer as many of the activated neurons, at random.

    As many by the rates, in the mean over samples, of those activated before any edit.
    """
    masks = (low_rate if choice.kind == "LR" else high_rate)(rates, choice.share)
    shares = {}
    for name, mask in masks.items():
        activated = expected_activated(rates, {name: np.ones_like(mask)})
        shares[name] = expected_activated(rates, {name: mask}) / activated if activated else 0.0

    def edits(indices: Array) -> dict[str, Partial]:
        keys = ablation_keys(seed, indices)
        each = (ablation(Choice("random", s), rates, [name], keys) for name, s in shares.items())
        return {name: edit for one in each for name, edit in one.items()}

    return edits


def edited_logits(
    models: Models, num_samples: int, sweep: Sweep, *, seed: int, first_index: int
) -> Callable[[str, EditsOf], Float[np.ndarray, "n k"]]:
    """A function of a name and edits, which classifies all samples drawn with these edits.

    Args:
        first_index: of the samples.
    """
    batch = CHUNK * sweep.mesh.size
    params = runtime.replicate(sweep.mesh, models.params)

    @jax.jit
    def draw(params: Any, seed: Array, indices: Array, edits: Edits) -> Array:
        here = models.with_params(params)
        images, _ = generate(here.generator, params[0], seed, indices, edits)
        return here.classifier.logits(params[1], images)

    def logits(name: str, edits_of: EditsOf) -> np.ndarray:
        def step(indices: Array) -> Array:
            chosen = first_index + indices
            return draw(params, np.uint32(seed), chosen, edits_of(chosen))

        how = sweep.named(name)._replace(batch_size=batch)
        samples = -(-num_samples // batch) * batch  # whole chunks
        rows = runtime.gather(step, samples, how, {"seed": seed, "first_index": first_index})
        return np.asarray(rows)[:num_samples]

    return logits
