"""The rankings that a study starts from: made for it, or those of an earlier `analyze.rank`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ganfail_jax import results
from ganfail_jax.analysis.auc_ranking import rank_by_auc
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.ranking import AUC, Ranking, rank
from ganfail_jax.errors import InputError
from ganfail_jax.results import restore
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import earlier
from ganfail_jax.studies.subject import Subject, check_gradient


class RankingSource(NamedTuple):
    """One ranking per classifier."""

    identity: Mapping[str, Any]  # distinguishes them from others, for the identity of a result
    rankings: Callable[[Sweep], tuple[Ranking, ...]]  # computes them where need be

    @property
    def num_samples(self) -> int:
        """The samples that make them: 0 to so many."""
        return self.identity["num_samples"]


class Settings(NamedTuple):
    """How rankings are made; see `analysis.ranking.rank`."""

    num_samples: int = 10_000
    seed: int = 0
    truncation_psi: float = 1.0
    score: str = "softmax"
    normalize: str = "none"


def check(subject: Subject, score: str, normalize: str) -> None:
    """
    Raises:
        InputError: a gradient is asked for, but a classifier has none; or AUCs per standard
            deviation.
    """
    if score == AUC and normalize != "none":
        raise InputError(f"AUCs have no unit: --normalize={normalize} does not go with --score=auc")
    if score != AUC:
        check_gradient(subject, "--score=auc ranks without one")


def rank_one(
    models: Models, num_samples: int, sweep: Sweep, *, score: str, normalize: str, **settings: Any
) -> Ranking:
    """By gradients or by AUCs; see `ranking.rank`."""
    if score == AUC:
        return rank_by_auc(models, num_samples, sweep, **settings)
    return rank(models, num_samples, sweep, score=score, normalize=normalize, **settings)


def make(subject: Subject, settings: Settings = Settings()) -> RankingSource:
    """Rank every classifier.

    Raises:
        InputError: as `check`.
    """
    check(subject, settings.score, settings.normalize)

    def rankings(sweep: Sweep) -> tuple[Ranking, ...]:
        pairs = zip(subject.models, subject.classifiers, strict=True)
        return tuple(
            rank_one(models, sweep=sweep.named(f"ranking {name}"), **settings._asdict())
            for models, name in pairs
        )

    return RankingSource(settings._asdict() | {"noise": subject.identity["noise"]}, rankings)


def read(folder: str, subject: Subject) -> RankingSource:
    """The ranking in the result of `analyze.rank`, which may be of other noise.

    Raises:
        InputError: there is none, it is of another generator or classifier, or not of finite
            numbers.
    """
    result = earlier.read(folder, "rankings", subject.identity, ("generator", "classifier"))
    ranking, made = restore(Ranking, result.arrays), result.provenance["identity"]
    what, dims = f"the ranking in {folder}", sum(subject.models[0].generator.style_dims.values())
    groups = 1 + subject.models[0].classifier.num_classes
    with results.of_this_version(folder):
        by_group = {name: (groups, dims) for name in ("score", "order", "style_mean")}
        shapes = {**by_group, "num_samples": (groups,), "style_std": (dims,)}
        earlier.check_arrays(what, result.arrays, shapes)
        if (np.sort(ranking.order, axis=1) != np.arange(dims)).any():
            raise InputError(f"{what}: order is not one of the dimensions; make the result anew")
        identity = earlier.settings(what, made, Settings)._asdict()
    return RankingSource(identity | {"noise": earlier.noise(made)}, lambda _: (ranking,))
