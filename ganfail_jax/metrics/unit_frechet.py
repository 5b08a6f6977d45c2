"""Which units are those of bad images? The Frechet distance of each unit's top images.

GAN Dissection (Bau et al. 2019), as in Tousi 2021, sec. 3.1: a unit is an artifact unit where the
10,000 of 200,000 images that activate it most are far from the real ones.
"""

import hashlib
import json
import time

import jax
import numpy as np
from jaxtyping import Float, Float64, Int

from ganfail_jax import runtime
from ganfail_jax.metrics.frechet import FeatureMoments, scaled_vectors, sum_of_roots
from ganfail_jax.runtime import Sweep

NOISE = 1e-8  # of the distance's traces


def subset_distances(
    reference: FeatureMoments,
    features: Float[np.ndarray, "n d"],
    subsets: Int[np.ndarray, "k c"],
    sweep: Sweep | None = None,
    seconds: float = 30.0,
) -> Float64[np.ndarray, " c"]:
    """The Frechet distance from a reference of each of c sets of k rows, k > 1.

    `frechet_distance` with what is the same for all done once: R with reference covariance R R^T.
    For the centred rows X of a set over the root of k - 1, the trace of the root is the sum of the
    singular values of X R. Their squares are the eigenvalues of its smaller product with itself,
    unless too many are lost in noise.

    Args:
        subsets: numbers of rows.
        sweep: where the distances so far are kept, and for what; its identity is what reference and
            features depend on.
    """
    root, spread = scaled_vectors(reference, "sample"), np.trace(reference.covariance())

    def distance(rows: Int[np.ndarray, " k"]) -> float:
        x = features[rows].astype(np.float64)
        mean = x.mean(axis=0)
        x = (x - mean) / np.sqrt(len(x) - 1)
        traces, mapped = spread + np.square(x).sum(), x @ root
        smaller = mapped.T @ mapped if len(x) > root.shape[1] else mapped @ mapped.T
        cross, lost = sum_of_roots(np.linalg.eigvalsh(smaller))
        if lost >= NOISE * traces:
            cross = np.linalg.svd(mapped, compute_uv=False).sum()
        return np.square(mean - reference.mean).sum() + traces - 2 * cross

    sets = np.ascontiguousarray(subsets.T)
    which = hashlib.sha256(repr(sets.shape).encode() + sets.tobytes()).hexdigest()
    checkpoint, name = (None, None) if sweep is None else (sweep.checkpoint, sweep.name)
    identity = {} if sweep is None else sweep.identity
    mark = json.dumps({"subsets": which, **identity}, sort_keys=True)
    found, done = runtime.read_partial(checkpoint, mark, lambda: jax.tree.structure(np.empty(0)))
    found = np.zeros(len(sets)) if found is None else found
    saved = time.monotonic()
    with runtime.progress_bar(name, len(sets), done, unit="set") as bar:
        for i in range(done, len(sets)):
            found[i] = distance(sets[i])
            bar.update()
            if checkpoint is not None and time.monotonic() - saved >= seconds:
                runtime.write_partial(checkpoint, mark, found, i + 1)
                saved = time.monotonic()
    return found
