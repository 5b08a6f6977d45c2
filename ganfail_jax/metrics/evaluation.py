"""What do the metrics asked for say, such as `fid50k,kid,pr`, each of its own number of images?

pr: precision, recall, density and coverage.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Float64

from ganfail_jax.errors import InputError
from ganfail_jax.metrics.frechet import feature_set, frechet
from ganfail_jax.metrics.kernel import kid
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import PrecisionRecall, manifold, precision_recall

METRIC = re.compile(r"(fid|kid|pr|realism)(?:([1-9]\d{0,5})k)?", re.ASCII)


def requests(asked: Sequence[str], default: int) -> dict[str, int]:
    """Metric -> number of generated images.

    Args:
        default: where the name has none.

    Raises:
        InputError: there is no such metric.
    """
    found = {}
    for name in asked:
        match = METRIC.fullmatch(name)
        if match is None or match[1] in found:
            raise InputError(
                f"--metrics has {name!r}; give each of fid, kid, pr and realism at most once, "
                "with a number of thousands or without: fid50k"
            )
        found[match[1]] = 1000 * int(match[2]) if match[2] else default
    if not found:
        raise InputError("--metrics is empty; give some of fid, kid, pr and realism")
    return found


def measure(
    asked: Mapping[str, int],
    real: Float32[np.ndarray, "n d"],
    generated: Float32[np.ndarray, "m d"],
    *,
    features: str,
    neighbours: int = 3,
) -> tuple[list[Measurement], Float64[np.ndarray, " r"] | None]:
    """The metrics, and the realism of each generated image where it is one of them.

    Args:
        asked: metric -> number of generated images, of which the first serve.
        features: name of the extractor.
        neighbours: k of precision, recall and realism.
    """
    found: list[Measurement] = []
    if "fid" in asked:
        found.append(frechet(feature_set(real), generated[: asked["fid"]], features=features))
    if "kid" in asked:
        found.append(kid(real, generated[: asked["kid"]], features=features))
    sizes = {asked[name] for name in ("pr", "realism") if name in asked}
    near: dict[int, PrecisionRecall] = {}
    if sizes:
        balls = manifold(real, neighbours)
        for size in sizes:
            some = manifold(generated[:size], neighbours)
            near[size] = precision_recall(balls, some, features=features)
    if "pr" in asked:
        pr = near[asked["pr"]]
        found += [pr.precision, pr.recall, pr.density, pr.coverage]
    if "realism" not in asked:
        return found, None
    realism = near[asked["realism"]]
    return [*found, realism.realism], realism.scores
