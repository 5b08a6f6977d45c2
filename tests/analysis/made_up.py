"""Rankings and samples that say what a test wants."""

import numpy as np

from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.analysis.samples import Samples


def make_ranking(score, groups=("all", "a", "b")):
    """A ranking of these scores [g s] alone."""
    score = np.asarray(score, np.float64)
    g, s = score.shape
    zeros = np.zeros((g, s))
    return Ranking(
        groups=tuple(groups[:g]),
        names=tuple(f"layer[{i}]" for i in range(s)),
        num_samples=np.full(g, 10),
        accuracy=np.zeros(g),
        softmax=np.zeros(g),
        score=score,
        standard_error=zeros,
        order=np.argsort(-np.abs(score), axis=1, kind="stable"),
        top_share=zeros,
        top_overlap=np.zeros(g),
        stability=np.ones(g),
        agreement=np.eye(g),
        style_mean=zeros,
        style_std=np.ones(s),
    )


def make_samples(styles, right, target=None, logits=None):
    """Samples with these styles [n s] and outcomes [m n]."""
    right = np.asarray(right, bool)
    n = right.shape[1]
    target = np.zeros(n, int) if target is None else np.asarray(target)
    logits = np.zeros((*right.shape, 2), np.float32) if logits is None else np.asarray(logits)
    return Samples(np.arange(n), np.asarray(styles, np.float32), logits, target, right)
