"""The defective scores of units that a study starts from: made, or of an `analyze.defects`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ganfail_jax import results
from ganfail_jax.analysis import quantiles
from ganfail_jax.analysis.defects import ORDERS, Defects, Order, defective_scores
from ganfail_jax.analysis.gradcam import THRESHOLD
from ganfail_jax.analysis.quantiles import TAU, Thresholds
from ganfail_jax.errors import InputError
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import earlier
from ganfail_jax.studies.artifact_case import ArtifactCase


class Settings(NamedTuple):
    """How units are scored."""

    tau: float = TAU  # a unit is active where it exceeds its 1 - tau quantile
    threshold_samples: int = 5_000  # that make the quantiles
    mask_threshold: float = THRESHOLD  # of `gradcam.pseudo_mask`
    order: Order = ORDERS[0]

    def check(self) -> None:
        """
        Raises:
            InputError: a share that leaves nothing, or no such order, before the sweeps that would
                end in it.
        """
        for name in ("tau", "mask_threshold"):
            if not 0 <= getattr(self, name) < 1:
                share = f"{getattr(self, name):g}"
                raise InputError(f"--{name} is at least 0 and less than 1, not {share}")
        if self.order not in ORDERS:
            raise InputError(f"--order is {' or '.join(ORDERS)}, not {self.order!r}")


class UnitScores(NamedTuple):
    """What is known of the units of layers."""

    scores: Mapping[str, Float[np.ndarray, " c"]]  # DS over X_a; empty: not needed
    thresholds: Mapping[str, Float[np.ndarray, " c"]]  # T_u


class ScoreSource(NamedTuple):
    """The scores of the units of layers."""

    identity: Mapping[str, Any]  # distinguishes them from others, for the identity of a result
    units: Callable[[Sweep], UnitScores]  # computes them where need be

    @property
    def layers(self) -> list[str]:
        """In forward order."""
        return self.identity["layers"]


def make(
    case: ArtifactCase, layers: list[str], settings: Settings = Settings(), *, scored: bool = True
) -> ScoreSource:
    """Score the units of these layers.

    Args:
        scored: whether DS over X_a are needed, or T_u alone.

    Raises:
        InputError: as `Settings.check`.
    """
    settings.check()

    def units(sweep: Sweep) -> UnitScores:
        limits = thresholds(case, layers, settings, sweep)
        values = {name: each.value for name, each in limits.items()}
        return UnitScores(score(case, values, settings, sweep).scores if scored else {}, values)

    return ScoreSource({"layers": layers, **settings._asdict()}, units)


def read(folder: str, case: ArtifactCase, layers: list[str]) -> ScoreSource:
    """The scores in the result of `analyze.defects`.

    Raises:
        InputError: there are none, they are of other models or other layers, or not of finite
            numbers.
    """
    models = ("generator", "artifact_classifier")
    with results.of_this_version(folder):
        result = earlier.read(folder, "scores", case.identity, models)
        arrays, kinds = result.arrays, UnitScores._fields
        if missing := [
            name for name in layers if any(f"{kind}/{name}" not in arrays for kind in kinds)
        ]:
            raise InputError(
                f"the scores in {folder} lack {', '.join(missing)}; give analyze.defects these "
                "--layers, or leave --defects out"
            )
        all_layers, what = case.models.generator.layers, f"the scores in {folder}"
        shapes = {f"{k}/{name}": (all_layers[name].channels,) for k in kinds for name in layers}
        earlier.check_arrays(what, arrays, shapes)
        known = UnitScores(*({name: arrays[f"{kind}/{name}"] for name in layers} for kind in kinds))
        settings = earlier.settings(what, result.provenance["identity"], Settings)
        settings.check()
        identity = {"layers": layers, **settings._asdict()}
        return ScoreSource(identity, lambda _: known)


def thresholds(
    case: ArtifactCase, layers: Sequence[str], settings: Settings, sweep: Sweep
) -> dict[str, Thresholds]:
    """T_u of the units of these layers."""
    counts = quantiles.count_activations(
        case.models.generator,
        case.models.generator_params,
        layers,
        settings.threshold_samples,
        sweep.named("quantiles"),
        seed=case.seed,
    )
    return {name: quantiles.thresholds(each, settings.tau) for name, each in counts.items()}


def score(
    case: ArtifactCase,
    limits: Mapping[str, Float[np.ndarray, " _"]],
    settings: Settings,
    sweep: Sweep,
) -> Defects:
    """DS over the artifacts of the training labels.

    Args:
        limits: T_u.
    """
    return defective_scores(
        case.models,
        limits,
        case.train.artifacts,
        sweep.named("defective scores"),
        artifact=case.artifact,
        seed=case.seed,
        mask_threshold=settings.mask_threshold,
        order=settings.order,
    )
