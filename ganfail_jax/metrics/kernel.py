"""How far apart are two sets of images? The kernel distance of their features (KID).

Binkowski et al. 2018, "Demystifying MMD GANs", sec. 4: the unbiased estimate of the squared maximum
mean discrepancy with the kernel (x.y / d + 1)^3, in float64. `kid` takes all pairs of images;
`kid_subsets` is the usual mean over random subsets. Both estimate the same, at any N without bias.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float64

from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.statistics.intervals import Z95

KERNEL = "unbiased MMD^2, kernel (x.y / d + 1)^3"
BLOCK = 2048  # images at a time: 34 MB of kernel values, 34 MB of features at 2,048 dimensions


def polynomial_kernel(
    x: Float64[np.ndarray, "a d"], y: Float64[np.ndarray, "b d"]
) -> Float64[np.ndarray, "a b"]:
    return (x @ y.T / x.shape[1] + 1) ** 3


def kid(
    real: Float[np.ndarray, "n d"], generated: Float[np.ndarray, "m d"], *, features: str
) -> Measurement:
    """KID over all pairs of images: (n + m)^2 d operations, d (n + m) float32 in memory.

    The 95 % interval is by the influences of the generated images, the real ones taken as fixed; it
    is of first order, and too narrow where the two sets are alike.

    Raises:
        ValueError: fewer than two images, or features that are not finite.
    """
    _check(real, generated)
    within_real, within, across = _sums(real), _sums(generated), _cross_sums(generated, real)
    n, m = len(real), len(generated)
    near, far = within / (m - 1), across / n  # of each generated image: mean kernel
    value = within_real.sum() / (n * (n - 1)) + near.mean() - 2 * far.mean()
    effect = 2 * (near - far) / m
    half = Z95 * float(np.sqrt(np.square(effect - effect.mean()).sum()))
    return Measurement(
        metric="KID",
        features=features,
        value=float(value),
        samples={"real": n, "generated": m},
        convention=f"{KERNEL}, all pairs",
        interval=(float(value) - half, float(value) + half),
        interval_method="normal, influences of the generated images; the real images are fixed",
    )


def kid_subsets(
    real: Float[np.ndarray, "n d"],
    generated: Float[np.ndarray, "m d"],
    *,
    features: str,
    subsets: int = 100,
    size: int = 1000,
    seed: int = 0,
) -> Measurement:
    """Mean KID of random subsets, each without replacement, of at most `size` images of each set.

    The 95 % interval is the mean over subsets +- 1.96 standard errors. It tells how well so many
    subsets find the value of these images, not how it would change with other images.

    Raises:
        ValueError: as in `kid`.
    """
    _check(real, generated)
    size, rng = min(size, len(real), len(generated)), np.random.default_rng(seed)
    values = []
    for _ in range(subsets):
        x = real[rng.choice(len(real), size, replace=False)]
        y = generated[rng.choice(len(generated), size, replace=False)]
        within = (_sums(x).sum() + _sums(y).sum()) / (size * (size - 1))
        values.append(within - 2 * _cross_sums(y, x).sum() / size**2)
    value, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(subsets))
    return Measurement(
        metric="KID",
        features=features,
        value=value,
        samples={"real": len(real), "generated": len(generated)},
        convention=f"{KERNEL}, mean over {subsets} subsets of {size:,}",
        interval=(value - Z95 * error, value + Z95 * error),
        interval_method="normal, standard error over subsets; all images are fixed",
    )


def _check(real: Float[np.ndarray, "n d"], generated: Float[np.ndarray, "m d"]) -> None:
    if min(len(real), len(generated)) < 2:
        raise ValueError("KID needs at least two images of each set")
    if not (np.isfinite(real).all() and np.isfinite(generated).all()):
        raise ValueError("features must be finite")


def _blocks(x: Float[np.ndarray, "n d"]) -> Iterator[tuple[slice, Float64[np.ndarray, "b d"]]]:
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, x[rows].astype(np.float64)


def _sums(x: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
    """Of each row: the sum of the kernel with all other rows; each pair is computed once."""
    sums = np.zeros(len(x))
    for rows, a in _blocks(x):
        kernel = polynomial_kernel(a, a)
        np.fill_diagonal(kernel, 0)
        sums[rows] += kernel.sum(axis=1)
        for later, b in _blocks(x[rows.stop :]):
            kernel = polynomial_kernel(a, b)
            sums[rows] += kernel.sum(axis=1)
            sums[rows.stop :][later] += kernel.sum(axis=0)
    return sums


def _cross_sums(
    x: Float[np.ndarray, "a d"], y: Float[np.ndarray, "b d"]
) -> Float64[np.ndarray, " a"]:
    """Of each row of x: the sum of the kernel with all rows of y."""
    sums = np.zeros(len(x))
    for rows, a in _blocks(x):
        for _, b in _blocks(y):
            sums[rows] += polynomial_kernel(a, b).sum(axis=1)
    return sums
