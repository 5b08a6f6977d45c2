"""How far apart are two sets of images? The Frechet distance of their features' Gaussians.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", sec. 3 (with Inception features:
FID). Population covariance (divided by N, as stylegan2-ada-pytorch), everything in float64.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64


class FeatureMoments(NamedTuple):
    """What the distance needs to know of a set of images."""

    samples: int
    mean: Float64[np.ndarray, " d"]
    covariance: Float64[np.ndarray, "d d"]  # of the population: divided by samples


def feature_moments(features: Float[np.ndarray, "n d"]) -> FeatureMoments:
    """Mean and population covariance, in two passes.

    Raises:
        ValueError: no features, or one that is not finite.
    """
    if not len(features) or not np.isfinite(features).all():
        raise ValueError("features must be finite and of at least one image")
    x = features.astype(np.float64)
    mean = x.mean(axis=0)
    return FeatureMoments(len(x), mean, (x - mean).T @ (x - mean) / len(x))


def frechet_distance(a: FeatureMoments, b: FeatureMoments) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), never negative but by rounding.

    The last trace is the sum of the singular values of A^1/2 B^1/2, whose roots come from
    symmetric eigenvalues. It stays exact for singular covariances (fewer images than features),
    where roots of the eigenvalues of a product are wrong by the root of the machine precision.
    """
    cross = np.linalg.svd(_root(a.covariance) @ _root(b.covariance), compute_uv=False).sum()
    gap = np.square(a.mean - b.mean).sum()
    return float(gap + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross)


def _root(covariance: Float64[np.ndarray, "d d"]) -> Float64[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
