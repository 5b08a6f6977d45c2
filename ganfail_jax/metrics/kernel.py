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

    The 95 % interval is over both sets, by the influence of every image. Where the sets are alike
    the first order vanishes: the variance is at least what Gretton et al. 2012 ("A Kernel
    Two-Sample Test", sec. 4.2 with unequal sizes) give for two sets of one distribution. Coverage
    in simulations (300 repetitions, error 0.013; Gaussians of 8 to 64 dimensions, 200 to 1,000
    images): 1.00 for equal sets, 0.93 to 1.00 for others; of 2 dimensions 0.85.

    Raises:
        ValueError: fewer than two images, or features that are not finite.
    """
    _check(real, generated)
    n, m = len(real), len(generated)
    to_generated, to_real, squares = _cross_sums(real, generated)
    far = to_generated / m, to_real / n  # of each image: its mean kernel with the other set's
    near = _sums(real) / (n - 1), _sums(generated) / (m - 1)
    value = float(near[0].mean() + near[1].mean() - 2 * far[0].mean())
    effects = [2 * (own - other) / len(own) for own, other in zip(near, far, strict=True)]
    first_order = sum(np.square(effect - effect.mean()).sum() for effect in effects)
    centred = squares / (n * m) - np.square(far[0]).mean() - np.square(far[1]).mean()
    alike = max(centred + far[0].mean() ** 2, 0) * 2 * (1 / n + 1 / m) ** 2
    half = Z95 * float(np.sqrt(max(first_order, alike)))
    return Measurement(
        metric="KID",
        features=features,
        value=value,
        samples={"real": n, "generated": m},
        convention=f"{KERNEL}, all pairs",
        interval=(value - half, value + half),
        interval_method="over both sets: normal, influences",
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
        values.append(within - 2 * _cross_sums(x, y)[0].sum() / size**2)
    value, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(subsets))
    return Measurement(
        metric="KID",
        features=features,
        value=value,
        samples={"real": len(real), "generated": len(generated)},
        convention=f"{KERNEL}, mean over {subsets} subsets of {size:,}",
        interval=(value - Z95 * error, value + Z95 * error),
        interval_method="over subsets, all images fixed: normal",
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
) -> tuple[Float64[np.ndarray, " a"], Float64[np.ndarray, " b"], float]:
    """Of each row of either: the sum of the kernel with all rows of the other; and of squares."""
    of_x, of_y, squares = np.zeros(len(x)), np.zeros(len(y)), 0.0
    for rows, a in _blocks(x):
        for others, b in _blocks(y):
            kernel = polynomial_kernel(a, b)
            of_x[rows] += kernel.sum(axis=1)
            of_y[others] += kernel.sum(axis=0)
            squares += float(np.vdot(kernel, kernel))
    return of_x, of_y, squares
