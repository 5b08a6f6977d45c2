"""How far apart are two sets of images? The Frechet distance of their features' Gaussians.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", sec. 3 (with Inception features:
FID). Covariances are divided by N - 1 ("sample", the default) or by N ("population", as
stylegan2-ada-pytorch); everything is float64.

The error of the value comes from the influence of every generated image on it, to first order
(Rippl, Munk and Sturm 2016, "Limit laws of the empirical Wasserstein distance: Gaussian
distributions"). It costs one eigen-decomposition where a bootstrap costs two per replicate, and
tells nothing of the bias of a finite N, which `frechet_infinity` removes.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from ganfail_jax.analysis.estimates import Z95
from ganfail_jax.metrics.measurement import Measurement

Convention = Literal["sample", "population"]
DIVISORS: dict[Convention, str] = {
    "sample": "covariance divided by N - 1",
    "population": "covariance divided by N",
}
BLOCK = 4096  # features in float64 at a time: 67 MB at 2,048 dimensions


class FeatureMoments(NamedTuple):
    """What the distance needs to know of a set of images; `merge_moments` adds sets up."""

    samples: int
    mean: Float64[np.ndarray, " d"]
    scatter: Float64[np.ndarray, "d d"]  # sum of (x - mean)(x - mean)^T

    def covariance(self, convention: Convention = "sample") -> Float64[np.ndarray, "d d"]:
        """Zero for a single image."""
        return self.scatter / max(self.samples - (convention == "sample"), 1)


def feature_moments(features: Float[np.ndarray, "n d"]) -> FeatureMoments:
    """Moments of a set or of a part of one, in two passes.

    Raises:
        ValueError: no features, or one that is not finite.
    """
    if not len(features) or not np.isfinite(features).all():
        raise ValueError("features must be finite and of at least one image")
    mean = features.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), BLOCK):
        x = features[start : start + BLOCK] - mean
        scatter += x.T @ x
    return FeatureMoments(len(features), mean, scatter)


def merge_moments(a: FeatureMoments, b: FeatureMoments) -> FeatureMoments:
    """Moments of the union (Chan, Golub and LeVeque 1983)."""
    samples = a.samples + b.samples
    delta = b.mean - a.mean
    between = np.outer(delta, delta) * (a.samples * b.samples / samples)
    mean = a.mean + delta * (b.samples / samples)
    return FeatureMoments(samples, mean, a.scatter + b.scatter + between)


def frechet_distance(
    a: FeatureMoments, b: FeatureMoments, convention: Convention = "sample"
) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), never negative but by rounding.

    The last trace is the sum of the singular values of A^1/2 B^1/2, whose roots come from
    symmetric eigenvalues. It stays exact for singular covariances (fewer images than features),
    where roots of the eigenvalues of a product are wrong by the root of the machine precision.
    """
    return _distance(_root(a.covariance(convention)), a.mean, b, convention)


def frechet(
    real: FeatureMoments,
    generated: Float[np.ndarray, "n d"],
    *,
    features: str,
    convention: Convention = "sample",
    replicates: int = 0,
    seed: int = 0,
) -> Measurement:
    """FID with its 95 % interval over generated images, the real ones taken as fixed.

    Args:
        features: name of the extractor.
        replicates: 0: the interval is by influences; else by the standard deviation of so many
            bootstrap resamples, each costing as much as the distance. Both are centred at the
            value: a resample has duplicates and so a larger distance than the sample itself.
    """
    moments = feature_moments(generated)
    root = _root(real.covariance(convention))
    value = _distance(root, real.mean, moments, convention)
    if replicates:
        rng = np.random.default_rng(seed)
        draws = (rng.integers(len(generated), size=len(generated)) for _ in range(replicates))
        again = [feature_moments(generated[rows]) for rows in draws]
        distances = [_distance(root, real.mean, each, convention) for each in again]
        error, method = np.std(distances, ddof=1), f"{replicates} bootstrap replicates"
    else:
        influence = _influence(root, real.mean, moments, generated, convention)
        error, method = np.sqrt(np.sum(influence**2)), "influences of the generated images"
    return Measurement(
        metric="FID",
        features=features,
        value=value,
        samples={"real": real.samples, "generated": moments.samples},
        convention=DIVISORS[convention],
        interval=(max(value - Z95 * float(error), 0.0), value + Z95 * float(error)),
        interval_method=f"normal, {method}; the real images are fixed",
        warnings=singular(real, moments),
    )


def frechet_infinity(
    real: FeatureMoments,
    generated: Float[np.ndarray, "n d"],
    *,
    features: str,
    convention: Convention = "sample",
    points: int = 15,
    smallest: int = 5000,
    seed: int = 0,
) -> Measurement:
    """FID extrapolated to infinitely many generated images, linearly in 1 / N.

    Chong and Forsyth 2020, "Effectively Unbiased FID and Inception Score and where to find them",
    sec. 4: subsets of `points` equally spaced sizes from `smallest` to all. The bias left is that
    of the finite number of real images.

    Raises:
        ValueError: not more than `smallest` generated images.
    """
    if len(generated) <= smallest or points < 2:
        raise ValueError(
            f"{len(generated)} generated images and {points} subsets, but the extrapolation needs "
            f"more than {smallest} and at least 2"
        )
    rng = np.random.default_rng(seed)
    sizes = np.linspace(smallest, len(generated), points).astype(int)
    subsets = [rng.choice(len(generated), size, replace=False) for size in sizes]
    root = _root(real.covariance(convention))
    distances = [
        _distance(root, real.mean, feature_moments(generated[rows]), convention) for rows in subsets
    ]
    _, intercept = np.polyfit(1 / sizes, distances, 1)
    return Measurement(
        metric="FID_infinity",
        features=features,
        value=float(intercept),
        samples={"real": real.samples, "generated": len(generated)},
        convention=f"{DIVISORS[convention]}; {points} subsets of {smallest:,} to all generated",
    )


def singular(real: FeatureMoments, generated: FeatureMoments) -> tuple[str, ...]:
    """A warning for each set of too few images to span the features' dimensions."""
    dim = len(real.mean)
    return tuple(
        f"the covariance of {each.samples:,} {name} images in {dim:,} dimensions is singular: "
        "the value is biased upwards, compare it only at equal N"
        for name, each in (("real", real), ("generated", generated))
        if each.samples <= dim
    )


def _root(covariance: Float64[np.ndarray, "d d"]) -> Float64[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _distance(
    root: Float64[np.ndarray, "d d"],
    mean: Float64[np.ndarray, " d"],
    b: FeatureMoments,
    convention: Convention,
) -> float:
    """The distance from a Gaussian given by the root of its covariance."""
    covariance = b.covariance(convention)
    cross = np.linalg.svd(root @ _root(covariance), compute_uv=False).sum()
    gap = np.square(mean - b.mean).sum()
    return float(gap + np.sum(root**2) + np.trace(covariance) - 2 * cross)


def _influence(
    root: Float64[np.ndarray, "d d"],
    mean: Float64[np.ndarray, " d"],
    b: FeatureMoments,
    features: Float[np.ndarray, "n d"],
    convention: Convention,
) -> Float64[np.ndarray, " n"]:
    """First-order effect of every image of b on the distance, over N; sums to 0.

    The gradient by the mean is 2 (mean_b - mean_a), by the covariance 1 - T with the optimal map
    T = A^1/2 (A^1/2 B A^1/2)^-1/2 A^1/2 from b to a; the inverse is taken where B is not singular.
    """
    values, vectors = np.linalg.eigh(root @ b.covariance(convention) @ root)
    rank = values > values[-1] * len(values) * np.finfo(np.float64).eps
    half_map = (root @ vectors[:, rank]) * values[rank] ** -0.25  # T = half_map half_map^T
    effects = []
    for start in range(0, len(features), BLOCK):
        x = features[start : start + BLOCK] - b.mean
        moved = np.square(x @ half_map).sum(axis=1)
        effects.append(2 * x @ (b.mean - mean) + np.square(x).sum(axis=1) - moved)
    effect = np.concatenate(effects)
    return (effect - effect.mean()) / len(features)
