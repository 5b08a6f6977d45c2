"""Which dimensions of StyleSpace break this classifier? (Le Coz 2022, sec. 2.2)

For a sample s generated for class i, the gradient of the classifier's output C_i(G(s)) by every
s_j; its mean over a population scores dimension j. Dimensions rank by magnitude; the degrading
direction is minus the sign. The population is everything, or one class: both in one pass.

Beyond the paper: other outputs than the softmax, scores per standard deviation of s_j, standard
errors, and a bootstrap that says how stable the ranking is at this number of samples.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.accumulate import (
    Moments,
    Sums,
    batch_moments,
    batch_sums,
    merge_moments,
    merge_sums,
    pool_groups,
    standard_error,
    variance,
)
from ganfail_jax.analysis.outputs import (
    SCORES,
    Models,
    logits_of,
    sample_styles,
    sampling,
    softmax_score,
    target_classes,
)
from ganfail_jax.latents import Seed, sample_keys
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.intervals import Z95
from ganfail_jax.types import dimension_names

AUC = "auc"  # the score of `auc_ranking`, which needs no gradient
BOOTSTRAP_STREAM = 1  # folded into a sample's key for its bootstrap weights
POISSON_CDF = np.cumsum([1 / math.e / math.factorial(k) for k in range(9)]).astype(np.float32)


NORMALIZATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": np.ones_like,  # per unit of s_j: the paper
    "std": np.asarray,  # per standard deviation of s_j
}


class Statistics(NamedTuple):
    """What one pass over the samples adds up, by class."""

    gradients: Moments  # of d score / d s_j
    styles: Moments  # of s_j
    outcomes: Moments  # of (softmax of the true class, correct)
    bootstrap: Sums  # gradients in (replicate, class) groups


class Ranking(NamedTuple):
    """The result; group 0 is everything, group 1 + i is class i. s: dimensions of StyleSpace.

    Scores are mean gradients, or AUCs less 1/2 (`auc_ranking`), which have no unit.
    """

    groups: tuple[str, ...]
    names: tuple[str, ...]
    num_samples: Int[np.ndarray, " g"]
    accuracy: Float[np.ndarray, " g"]
    softmax: Float[np.ndarray, " g"]  # mean output of the true class
    score: Float[np.ndarray, "g s"]  # mean gradient, per unit or per standard deviation of s_j
    standard_error: Float[np.ndarray, "g s"]
    order: Int[np.ndarray, "g s"]  # dimensions by falling magnitude of the score
    top_share: Float[np.ndarray, "g s"]  # share of bootstrap replicates with j among the top
    top_overlap: Float[np.ndarray, " g"]  # mean share of the top that a replicate has too
    stability: Float[np.ndarray, " g"]  # mean Spearman correlation of a replicate's magnitudes
    agreement: Float[np.ndarray, "g g"]  # Spearman correlation of magnitudes between groups
    style_mean: Float[np.ndarray, "g s"]
    style_std: Float[np.ndarray, " s"]

    @property
    def direction(self) -> Float[np.ndarray, "g s"]:
        """-1 or +1: where a move along s_j lowers the score (0: it has no effect)."""
        return -np.sign(self.score)

    @property
    def interval(self) -> tuple[Float[np.ndarray, "g s"], Float[np.ndarray, "g s"]]:
        """95 % confidence interval of every score."""
        return self.score - Z95 * self.standard_error, self.score + Z95 * self.standard_error


class Stability(NamedTuple):
    """Fields of a `Ranking` that bootstrap replicates give."""

    top_share: Float[np.ndarray, "g s"]
    top_overlap: Float[np.ndarray, " g"]
    stability: Float[np.ndarray, " g"]


def describe_score(score: str, normalize: str, of: str = "true") -> str:
    """What the numbers of a ranking are, for a person.

    Args:
        of: which class's output.
    """
    if score == AUC:
        return "AUC of right over wrong samples of a class, less 1/2"
    per = "standard deviation" if normalize == "std" else "unit"
    return f"mean gradient of the {of} class's {score} per {per}"


def style_gradients(
    models: Models,
    styles: Float[Array, "b s"],
    labels: Int[Array, " b"] | None,
    score: str = "softmax",
    noise_keys: Array | None = None,
) -> tuple[Float[Array, "b s"], tuple[Float[Array, "b k"], Int[Array, " b"]]]:
    """d score(C(G(s))) / d s for every sample, and (logits, true classes)."""

    def total(styles: Array) -> tuple[Array, Any]:
        logits = logits_of(models, styles, noise_keys)
        target = target_classes(labels, logits)
        return jnp.sum(SCORES[score](logits, target)), (logits, target)

    return jax.grad(total, has_aux=True)(styles)


def bootstrap_weights(
    seed: Seed, indices: Int[Array, " b"], replicates: int
) -> Float[Array, "b r"]:
    """Poisson(1) weights of each sample in each replicate (the online bootstrap of Oza 2001)."""
    keys = jax.vmap(jax.random.fold_in, (0, None))(sample_keys(seed, indices), BOOTSTRAP_STREAM)
    uniform = jax.vmap(lambda key: jax.random.uniform(key, (replicates,), jnp.float32))(keys)
    return jnp.sum(uniform[..., None] > POISSON_CDF, axis=-1).astype(jnp.float32)


def batch_statistics(
    models: Models,
    indices: Int[Array, " b"],
    mask: Bool[Array, " b"],
    *,
    seed: Seed,
    truncation_psi: float | Array | None,
    score: str,
    replicates: int,
) -> Statistics:
    """The sums of one batch of samples."""
    styles, labels, noise_keys = sample_styles(models, seed, indices, truncation_psi)
    gradients, (logits, target) = style_gradients(models, styles, labels, score, noise_keys)
    classes = jax.nn.one_hot(target, models.classifier.num_classes) * mask[:, None]
    correct = (jnp.argmax(logits, axis=1) == target).astype(jnp.float32)
    outcomes = jnp.stack([softmax_score(logits, target), correct], axis=1)
    weights = bootstrap_weights(seed, indices, replicates)
    groups = (weights[:, :, None] * classes[:, None, :]).reshape(len(indices), -1)
    return Statistics(
        batch_moments(gradients, classes),
        batch_moments(styles, classes),
        batch_moments(outcomes, classes),
        batch_sums(gradients, groups),
    )


def merge_statistics(a: Statistics, b: Statistics) -> Statistics:
    """The sums of two disjoint sets of samples."""
    return Statistics(
        merge_moments(a.gradients, b.gradients),
        merge_moments(a.styles, b.styles),
        merge_moments(a.outcomes, b.outcomes),
        merge_sums(a.bootstrap, b.bootstrap),
    )


def rank(
    models: Models,
    num_samples: int,
    sweep: Sweep,
    *,
    seed: int = 0,
    truncation_psi: float = 1.0,
    score: str = "softmax",
    normalize: str = "none",
    replicates: int = 100,
    top: int = 10,
) -> Ranking:
    """Rank the dimensions of StyleSpace, globally and per class (Le Coz 2022, sec. 2.2).

    Args:
        score: a key of SCORES.
        normalize: a key of NORMALIZATIONS.
        replicates: of the bootstrap; needs replicates * classes * s float64 on the host.
        top: how many dimensions `top_share` and `top_overlap` look at.
    """
    settings = {"score": score, "replicates": replicates}
    samples = sampling(models.generator, seed, truncation_psi)

    @jax.jit
    def step(given: Any, indices: Array, mask: Array) -> Statistics:
        params, samples = given
        here, own = models.with_params(params), samples._asdict() | settings
        with jax.default_matmul_precision("highest"):
            return batch_statistics(here, indices, mask, **own)

    total = runtime.sweep(
        partial(step, runtime.replicate(sweep.mesh, (models.params, samples))),
        merge_statistics,
        num_samples,
        sweep,
        {"seed": seed, "truncation_psi": truncation_psi, **settings},
    )
    return summarize(models, total, normalize=normalize, top=top)


def _with_all(moments: Moments) -> Moments:
    everything = pool_groups(moments)
    return Moments(*(np.concatenate(pair) for pair in zip(everything, moments, strict=True)))


def average_ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Ranks from 1, equal values sharing theirs; all NaN where one value is.

    As `scipy.stats.rankdata`, but importing `scipy.stats` takes as long as importing JAX.
    """
    ordered = np.sort(values)
    below, upto = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return np.where(np.isnan(ordered[-1:]), np.nan, (below + upto + 1) / 2)  # NaN is sorted last


def rank_correlation(
    a: Float[np.ndarray, "r s"], b: Float[np.ndarray, "q s"]
) -> Float[np.ndarray, "r q"]:
    """Spearman correlation of the magnitudes of score vectors; NaN where all are equal."""

    def standardized_ranks(scores: Float[np.ndarray, "r s"]) -> Float[np.ndarray, "r s"]:
        ranks = np.stack([average_ranks(row) for row in np.abs(scores)])
        ranks -= ranks.mean(axis=1, keepdims=True)
        norms = np.linalg.norm(ranks, axis=1, keepdims=True)
        return np.divide(ranks, norms, out=np.full_like(ranks, np.nan), where=norms > 0)

    return standardized_ranks(a) @ standardized_ranks(b).T


def bootstrap_stability(
    score: Float[np.ndarray, "g s"],
    order: Int[np.ndarray, "g s"],
    replicas: Float[np.ndarray, "r g s"],
    top: int,
) -> Stability:
    """How far the ranking recurs in bootstrap replicates of the scores."""
    top = min(top, score.shape[1])
    top_share, overlap, stability = np.zeros_like(score), [], []
    for g in range(len(score)):
        tops = np.argsort(-np.abs(replicas[:, g]), axis=1, kind="stable")[:, :top]
        np.add.at(top_share[g], tops.ravel(), 1 / max(len(tops), 1))
        overlap.append(top_share[g, order[g, :top]].mean())
        stability.append(rank_correlation(score[g : g + 1], replicas[:, g]).mean())
    return Stability(top_share, np.asarray(overlap), np.asarray(stability))


def summarize(models: Models, total: Statistics, *, normalize: str, top: int) -> Ranking:
    """Scores, errors and stability from the sums of a whole pass."""
    gradients, styles = _with_all(total.gradients), _with_all(total.styles)
    outcomes = _with_all(total.outcomes)
    style_std = np.sqrt(variance(styles)[0])
    unit = NORMALIZATIONS[normalize](style_std)
    score = np.asarray(gradients.mean) * unit
    order = np.argsort(-np.abs(score), axis=1, kind="stable")

    classes = len(total.gradients.weight)
    sums = total.bootstrap.total.reshape(-1, classes, score.shape[1])
    weights = total.bootstrap.weight.reshape(-1, classes, 1)
    sums = np.concatenate([sums.sum(1, keepdims=True), sums], axis=1)
    weights = np.concatenate([weights.sum(1, keepdims=True), weights], axis=1)
    replicas = sums / np.maximum(weights, 1) * unit

    return Ranking(
        groups=("all", *models.classifier.class_names),
        names=tuple(dimension_names(models.generator.style_dims)),
        num_samples=np.rint(gradients.weight).astype(np.int64),
        accuracy=np.asarray(outcomes.mean[:, 1]),
        softmax=np.asarray(outcomes.mean[:, 0]),
        score=score,
        standard_error=standard_error(gradients) * unit,
        order=order,
        **bootstrap_stability(score, order, replicas, top)._asdict(),
        agreement=rank_correlation(score, score),
        style_mean=np.asarray(styles.mean),
        style_std=style_std,
    )
