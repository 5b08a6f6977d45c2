"""Which dimensions of StyleSpace break a classifier that has no gradient?

Beyond Le Coz 2022: a dimension's score is the AUC by which its values separate right from wrong
samples, less 1/2. Like a mean gradient it is positive where a higher value helps. Only samples of
the same class are compared, so that a dimension does not score because classes lie apart in S and
differ in how often they fail (as `separation`, within classes).
"""

import numpy as np

from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import Ranking, bootstrap_stability, rank_correlation
from ganfail_jax.analysis.samples import Samples, collect, outcome_names
from ganfail_jax.errors import InputError
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.estimates import Estimate, auc
from ganfail_jax.types import dimension_names


def rank_by_auc(
    models: Models,
    num_samples: int,
    sweep: Sweep,
    *,
    seed: int = 0,
    truncation_psi: float = 1.0,
    replicates: int = 100,
    top: int = 10,
) -> Ranking:
    """Rank the dimensions by samples 0 .. num_samples-1, globally and per class.

    A class without two samples of each outcome has scores of 0, without an error.

    Args:
        replicates: of the bootstrap, to first order.
        top: how many dimensions `top_share` and `top_overlap` look at.

    Raises:
        InputError: too few samples of an outcome.
    """
    drawn = collect([models], num_samples, sweep, seed=seed, truncation_psi=truncation_psi)
    right, generator = drawn.right[0], models.generator
    counts = int(right.sum()), int((~right).sum())
    groups = ("all", *models.classifier.class_names)
    found = [_separation(drawn, g) for g in range(len(groups))]
    if not np.isfinite(found[0].value).all():
        kinds = zip(counts, outcome_names(generator), strict=True)
        listed = " and ".join(f"{n:,} {name}" for n, name in kinds)
        raise InputError(f"nothing to rank by: {listed} samples; give more --num_samples")
    score = np.stack([np.nan_to_num(each.value) for each in found])
    order = np.argsort(-np.abs(score), axis=1, kind="stable")
    rng, replicas = np.random.default_rng(seed), []
    for each in found:
        # of an all-NaN estimate the replicates are 0, as its scores
        replicas.append(np.nan_to_num(each.resample(replicates, rng)))
    shares = bootstrap_stability(score, order, np.stack(replicas, 1), top)
    here = [drawn.in_group(g) for g in range(len(groups))]
    softmax = np.take_along_axis(drawn.softmax[0], drawn.target[:, None], axis=1)[:, 0]
    return Ranking(
        groups=groups,
        names=tuple(dimension_names(generator.style_dims)),
        num_samples=np.asarray([each.sum() for each in here]),
        accuracy=np.asarray([_mean(right[each]) for each in here]),
        softmax=np.asarray([_mean(softmax[each]) for each in here]),
        score=score,
        standard_error=np.stack([each.standard_error for each in found]),
        order=order,
        **shares._asdict(),
        agreement=rank_correlation(score, score),
        style_mean=np.stack([_mean(drawn.styles[each]) for each in here]),
        style_std=drawn.styles.std(axis=0, ddof=1, dtype=np.float64),
    )


def _separation(drawn: Samples, group: int) -> Estimate:
    """AUC less 1/2 of right over wrong samples, in pairs of one class."""
    here = drawn.in_group(group)
    found = auc(drawn.styles[here], drawn.right[0, here], drawn.target[here])
    return Estimate(found.value - 0.5, found.influence)


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the samples; of none 0, as `accumulate` has it."""
    return np.asarray(values.sum(axis=0, dtype=np.float64) / max(len(values), 1))
