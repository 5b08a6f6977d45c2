"""Which latent space separates classes and outcomes? (Le Coz 2022, fig. 3, sec. 3.1)

The paper shows t-SNE maps of Z, W and S. Beyond the paper, the claim that S separates best as
numbers, measured in the spaces themselves on all samples and compared in pairs:

- how often the k nearest neighbours of a sample give its class;
- the AUC of misclassification by the share of misclassified neighbours, and by a logistic
  regression; both over all pairs of samples and over pairs of the same class, because classes
  differ in how often they fail.

Neighbours, and what a regression learns from, are a number of reference samples from the other
folds: what a space tells grows with it, but not with the number of samples, so that results of
different numbers of samples compare. Intervals are over the samples judged, references held fixed.

Distances are those of raw coordinates, as in the paper. The styles of a StyleGAN are affine in w,
so a linear probe finds in S what it finds in W; what S adds is its metric.

scikit-learn is imported where it is used: it takes longer than JAX, and --help needs none of it.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.analysis.outputs import Models, sampling
from ganfail_jax.analysis.samples import Samples
from ganfail_jax.latents import latents
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.estimates import Estimate, auc, mean

MEASURES = (
    "class accuracy, k-NN",
    "outcome AUC, k-NN",
    "outcome AUC within classes, k-NN",
    "outcome AUC, linear",
    "outcome AUC within classes, linear",
)
FOLDS = 5
REFERENCE = 4_000  # samples that neighbours are sought among and a regression learns from
HELD = "over the samples judged; the reference samples are held"
PENALTY = 0.01  # C of the logistic regression: weak enough for W, strong enough for S

Space = Float[np.ndarray, "n _"]
Folds = Sequence[tuple[Int[np.ndarray, " r"], Int[np.ndarray, " j"]]]  # references, judged


class Embedding(NamedTuple):
    """p spaces in the order Z, W, S; each later one is compared with the one before it."""

    spaces: tuple[str, ...]
    dimensions: Int[np.ndarray, " p"]
    points: Float[np.ndarray, "p m 2"]  # t-SNE of the first m samples
    measures: tuple[str, ...]
    numbers: Float[np.ndarray, "p 5 3"]  # (value, low, high), 95 %; NaN: too few of an outcome
    gains: Float[np.ndarray, "q 5 3"]  # of spaces 1.. over the one before, paired


class Mapped(NamedTuple):
    """The m samples of the maps, and what is known of all."""

    target: Int[np.ndarray, " m"]  # class
    right: Bool[np.ndarray, " m"]  # see `samples.outcomes`
    class_names: tuple[str, ...]
    outcomes: tuple[str, str]  # what the two populations are called
    labelled: bool  # whether the classes are true ones
    num_samples: tuple[int, int]  # of the two populations, on the maps or not


def latent_spaces(
    models: Models,
    samples: Samples,
    sweep: Sweep,
    *,
    seed: int = 0,
    truncation_psi: float = 1.0,
) -> dict[str, Space]:
    """Z, W where the generator has it, and S of the samples."""
    generator = models.generator
    mapping = generator.mapping

    @jax.jit
    def step(given: Any, positions: Array) -> dict[str, Array]:
        params, (seed, truncation_psi), first_index = given
        drawn = latents(generator, seed, positions + first_index)
        if mapping is None:
            return {"Z": drawn.z}
        return {"Z": drawn.z, "W": mapping(params, drawn.z, drawn.one_hot, truncation_psi)}

    chosen = sampling(generator, seed, truncation_psi)
    given = models.generator_params, chosen, np.int32(samples.indices[0])
    given = runtime.replicate(sweep.mesh, given)
    rows = runtime.gather(partial(step, given), len(samples.indices), sweep)
    return {**{name: rows[name] for name in sorted(rows, reverse=True)}, "S": samples.styles}


def reference_size(reference: int, num_samples: int) -> int:
    """How many reference samples there are: as many as wanted, or all of the other folds."""
    return min(reference, num_samples - -(-num_samples // FOLDS))


def split(wrong: Bool[np.ndarray, " n"], reference: int, seed: int) -> Folds:
    """Every sample is judged once; both outcomes have their shares in all parts, where they can."""
    from sklearn.model_selection import KFold, StratifiedKFold

    enough = min(wrong.sum(), (~wrong).sum()) >= FOLDS
    kind = StratifiedKFold if enough else KFold
    rng, size = np.random.default_rng(seed), reference_size(reference, len(wrong))
    folds = []
    for others, judged in kind(FOLDS, shuffle=True, random_state=seed).split(wrong, wrong):
        order = rng.permutation(others)
        order = order[np.argsort(wrong[order], kind="stable")]
        evenly = np.linspace(0, len(order) - 1, min(size, len(order))).round().astype(int)
        folds.append((order[evenly], judged))
    return folds


def neighbours(space: Space, k: int, folds: Folds) -> Int[np.ndarray, "n k"]:
    """The k nearest references of every sample."""
    from sklearn.neighbors import NearestNeighbors

    near = np.empty((len(space), k), np.int64)
    for references, judged in folds:
        search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(space[references])
        near[judged] = references[search.kneighbors(space[judged], return_distance=False)]
    return near


def majority(labels: Int[np.ndarray, "n k"]) -> Int[np.ndarray, " n"]:
    """The most frequent label of every row; the smallest of several."""
    votes = np.stack([(labels == c).sum(axis=1) for c in range(labels.max() + 1)], axis=1)
    return votes.argmax(axis=1)


def probe(space: Space, wrong: Bool[np.ndarray, " n"], folds: Folds) -> Float[np.ndarray, " n"]:
    """How a logistic regression of the references judges each sample."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores = np.empty(len(space))
    for references, judged in folds:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=1_000))
        model.fit(space[references], wrong[references])
        scores[judged] = model.decision_function(space[judged])
    return scores


def measure(
    space: Space, samples: Samples, *, k: int, seed: int, reference: int = REFERENCE
) -> Estimate:
    """MEASURES of one space; outcomes are NaN with less than FOLDS samples of either."""
    wrong, classes = ~samples.right[0], samples.target
    folds = split(wrong, reference, seed)
    near = neighbours(space, k, folds)
    known = mean(majority(classes[near]) == classes)
    if min(wrong.sum(), (~wrong).sum()) < FOLDS:
        missing = (len(MEASURES) - 1,)
        return Estimate(
            np.append(known.value, np.full(missing, np.nan)),
            np.append(known.influence, np.full((len(wrong), *missing), np.nan), axis=1),
        )
    scores = [wrong[near].mean(axis=1), probe(space, wrong, folds)]
    found = [known]
    for score in scores:
        found += [auc(score[:, None], wrong), auc(score[:, None], wrong, classes)]
    return Estimate(
        np.concatenate([each.value for each in found]),
        np.concatenate([each.influence for each in found], axis=1),
    )


def embed(
    spaces: dict[str, Space],
    samples: Samples,
    *,
    embedded: int,
    k: int = 10,
    perplexity: float = 30.0,
    seed: int = 0,
    reference: int = REFERENCE,
) -> Embedding:
    """Maps of the first `embedded` samples, and what each space says of all samples.

    Args:
        perplexity: of t-SNE; less than the samples it maps.
        reference: samples that neighbours are sought among and a regression learns from.
    """
    from sklearn.manifold import TSNE

    mapper = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    found = [
        measure(space, samples, k=k, seed=seed, reference=reference) for space in spaces.values()
    ]
    gains = [later.minus(earlier) for earlier, later in pairwise(found)]
    return Embedding(
        tuple(spaces),
        np.asarray([space.shape[1] for space in spaces.values()]),
        np.stack([mapper.fit_transform(space[:embedded]) for space in spaces.values()]),
        MEASURES,
        np.stack([np.stack([each.value, *each.share_interval], axis=1) for each in found]),
        np.stack([np.stack([each.value, *each.interval], axis=1) for each in gains]),
    )
