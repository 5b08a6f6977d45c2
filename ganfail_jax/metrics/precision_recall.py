"""Are generated images realistic, and are they all there is? Neighbourhoods in feature space.

A set of images covers the balls around its features that reach to each one's k-th nearest other
feature (plain Euclidean distances, k = 3, edges included).

- precision: share of the generated images in a ball of a real one; recall: share of the real images
  in a ball of a generated one. Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric for
  Assessing Generative Models", sec. 2, eq. 1 and 2.
- density: mean number of real balls around a generated image, over k; coverage: share of the real
  balls that hold a generated image. Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for
  Generative Models", sec. 3.
- realism of a generated image g: the largest radius(r) / |g - r| over the half of the real images r
  with the smaller radii. Kynkaanniemi et al. 2019, sec. 5, eq. 3.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64

from ganfail_jax.metrics import neighbours
from ganfail_jax.metrics.measurement import Interval, Measurement
from ganfail_jax.statistics.intervals import Z95
from ganfail_jax.statistics.proportions import wilson

COPY = 1e3  # realism of the copy of a trusted real image, or more: features have rounding errors


class Manifold(NamedTuple):
    """A set of images as the balls that it covers."""

    features: Float32[np.ndarray, "n d"]
    radii: Float64[np.ndarray, " n"]
    k: int


def manifold(features: Float32[np.ndarray, "n d"], k: int = 3) -> Manifold:
    """The balls to each k-th nearest neighbour: 2 n^2 d operations.

    Raises:
        ValueError: not more than k images, or features that are not finite.
    """
    return Manifold(features, neighbours.radii(features, k), k)


def trusted(real: Manifold) -> Bool[np.ndarray, " n"]:
    """The half of the balls with the smaller radii: a sparsely sampled region looks too large."""
    return real.radii <= np.median(real.radii)


def realism(real: Manifold, generated: Float32[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
    """Realism of every generated image; above 1: within a trusted ball; infinite: at its centre."""
    no_radii = np.zeros(len(generated))
    return neighbours.balls(generated, no_radii, *real[:2], chosen=trusted(real)).ratio


class PrecisionRecall(NamedTuple):
    """The five numbers, and the realism of every generated image."""

    precision: Measurement
    recall: Measurement
    density: Measurement
    coverage: Measurement
    realism: Measurement  # mean over the generated images that are no copies of a trusted one
    scores: Float64[np.ndarray, " n"]


def precision_recall(real: Manifold, generated: Manifold, *, features: str) -> PrecisionRecall:
    """Compare two sets of images: 2 n m d operations.

    The 95 % intervals are Wilson's for shares, else normal. They take the balls as fixed, as well
    as the set over which no share or mean is taken.

    Args:
        features: name of the extractor.

    Raises:
        ValueError: the two sets have different k.
    """
    if real.k != generated.k:
        raise ValueError(f"balls of {real.k} and of {generated.k} neighbours do not compare")
    found = neighbours.balls(*generated[:2], *real[:2], chosen=trusted(real))
    samples = {"real": len(real.features), "generated": len(generated.features)}
    balls = f"k = {real.k}, self excluded, edges included"

    def measure(
        name: str, values: Bool[np.ndarray, " s"] | Float64[np.ndarray, " s"], over: str
    ) -> Measurement:
        shares = values.dtype == bool
        return Measurement(
            metric=name,
            features=features,
            value=float(values.mean()) if len(values) else float("nan"),
            samples=samples,
            convention=balls,
            interval=_share_interval(values) if shares else _mean_interval(values),
            interval_method=f"{'Wilson' if shares else 'normal'}, over the {over} images",
        )

    others = found.ratio[found.ratio < COPY]
    copies = len(found.ratio) - len(others)
    mean_realism = measure("realism", others, "generated")
    warning = (
        f"{copies:,} generated images equal one of the half of the real images with the smaller "
        f"radii: their realism, {COPY:g} or more, is not counted"
    )
    return PrecisionRecall(
        precision=measure("precision", found.around_x > 0, "generated"),
        recall=measure("recall", found.y_in_x, "real"),
        density=measure("density", found.around_x / real.k, "generated"),
        coverage=measure("coverage", found.y_holds_x, "real"),
        realism=mean_realism._replace(
            convention=f"{balls}, the half of the real images with the smaller radii",
            warnings=(warning,) if copies else (),
        ),
        scores=found.ratio,
    )


def _share_interval(hits: Bool[np.ndarray, " s"]) -> Interval:
    low, high = wilson(np.asarray([hits.sum()]), np.asarray([len(hits)]))[0]
    return float(low), float(high)


def _mean_interval(values: Float64[np.ndarray, " s"]) -> Interval | None:
    if len(values) < 2:
        return None
    middle, half = np.mean(values), Z95 * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(middle - half), float(middle + half)
