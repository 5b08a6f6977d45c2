"""Which corrections of which units? What `analyze.correct` and the tables of Tousi 2021 share."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ganfail_jax.analysis.correction import STRENGTH, layers_to
from ganfail_jax.analysis.correction_effect import Inspect
from ganfail_jax.analysis.correction_methods import METHODS, Method, Setting, inspector
from ganfail_jax.analysis.defects import normalize
from ganfail_jax.errors import InputError
from ganfail_jax.studies.artifact_case import ArtifactCase
from ganfail_jax.studies.defective_scores import ScoreSource, UnitScores
from ganfail_jax.studies.unit_fid import UnitFid

AUTOMATIC = [name for name in METHODS if name != "manual"]


class Settings(NamedTuple):
    """How units are corrected."""

    strength: float = STRENGTH  # lambda
    seed: int = 0  # of random units


class Corrections(NamedTuple):
    """The units and their scores that corrections go by."""

    case: ArtifactCase
    scores: ScoreSource
    per_sample: bool  # whether the scores are each sample's own; see `scores_differ`
    unit_fid: UnitFid | None = None  # of the last layer
    settings: Settings = Settings()

    @property
    def layers(self) -> list[str]:
        """All that may be corrected, in forward order; the last may be corrected alone."""
        return self.scores.layers

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies the corrections in a result, but for the methods and their settings."""
        return {
            **self.case.identity,
            "defects": dict(self.scores.identity),
            "per_sample": self.per_sample,
            "unit_fid": None if self.unit_fid is None else self.unit_fid.identity,
            "strength": self.settings.strength,
            "seed_of_random_units": self.settings.seed,
        }

    def setting(
        self, units: UnitScores, stop: str, number: Callable[[int], int], manual: Sequence[int] = ()
    ) -> Setting:
        """What the methods need to know.

        Args:
            stop: the stopping layer, in full.
            number: how many units of so many are corrected.
        """
        all_layers = self.case.models.generator.layers
        layers = {name: all_layers[name] for name in layers_to(all_layers, stop)}
        scores = {} if self.per_sample else {k: normalize(units.scores[k]) for k in layers}
        return Setting(
            layers=layers,
            numbers={name: number(info.channels) for name, info in layers.items()},
            scores=scores,
            unit_fid={} if self.unit_fid is None else self.unit_fid.fid,
            manual=manual,
            strength=self.settings.strength,
            seed=self.settings.seed,
        )

    def inspector(self, units: UnitScores) -> Inspect:
        """Sample indices -> Inspection."""
        case, made = self.case, self.scores.identity
        inspect = inspector(
            case.models, case.artifact, case.seed, made["mask_threshold"], made["order"]
        )
        return partial(inspect, case.models.params, units.thresholds if self.per_sample else {})


def scores_differ(case: ArtifactCase) -> bool:
    """Whether each sample is better corrected by scores of its own: StyleGAN2 (sec. 5.4)."""
    return case.models.generator.mapping is not None


def methods_of(names: Sequence[str] | None, *, has_fid: bool) -> dict[str, Method]:
    """Methods by their names; None: all that can be had.

    Args:
        has_fid: whether the FID of units is known.

    Raises:
        InputError: one is unknown or lacks what it needs, or there is none.
    """
    if names is None:
        names = [name for name in AUTOMATIC if name != "fid" or has_fid]
    if not names:
        raise InputError("--methods is empty; give some, or leave it out for all")
    for name in names:
        if name not in AUTOMATIC:
            raise InputError(f"no correction {name!r}; they are {', '.join(AUTOMATIC)}")
    if "fid" in names and not has_fid:
        raise InputError("the method fid needs --unit_fid=FOLDER of analyze.units")
    return {name: METHODS[name] for name in names}
