"""Flags that say which ranking a study starts from, and the source that they name."""

from absl.flags import DEFINE_enum, DEFINE_integer, FlagValues

from ganfail_jax.analysis.outputs import SCORES
from ganfail_jax.analysis.ranking import AUC, NORMALIZATIONS
from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.flags import settings_from
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.studies import rankings
from ganfail_jax.studies.rankings import RankingSource
from ganfail_jax.studies.subject import Subject


def define_score(flags: FlagValues) -> None:
    text = (
        "Output whose gradient ranks (softmax: paper); auc: how well a dimension separates right "
    )
    text += "from wrong samples, which needs no gradient, the default of classifiers without one."
    DEFINE_enum("score", "softmax", [*SCORES, AUC], text, flag_values=flags)
    text = "Gradient per unit of a dimension (none) or per standard deviation of it (std)."
    DEFINE_enum("normalize", "none", list(NORMALIZATIONS), text, flag_values=flags)


def define_rankings(flags: FlagValues) -> None:
    """Of several classifiers, each of which is ranked."""
    define_score(flags)
    text = "Samples that make the ranking."
    DEFINE_integer("ranking_samples", 10_000, text, 2, MOST_SAMPLES, flag_values=flags)


def define_ranking(flags: FlagValues) -> None:
    """Of one classifier, made or of an earlier result."""
    define_rankings(flags)
    text = "Folder of analyze.rank to use instead."
    DEFINE_path("ranking", None, text, flag_values=flags)


def score_from(flags: FlagValues, subject: Subject) -> str:
    """--score; where it is left out and a classifier has no gradient, AUCs rank all."""
    without = [
        name
        for name, models in zip(subject.classifiers, subject.models, strict=True)
        if not models.classifier.has_gradient
    ]
    if not without or flags["score"].present:
        return flags.score
    print(f"{', '.join(without)} without a gradient: dimensions are ranked by --score=auc")
    return AUC


def rankings_from(flags: FlagValues, subject: Subject) -> RankingSource:
    """Rankings to be made by the flags of `define_rankings`; without one, of no truncation."""
    others = {"num_samples": flags.ranking_samples, "score": score_from(flags, subject)}
    others |= {} if "truncation_psi" in flags else {"truncation_psi": 1.0}
    settings = settings_from(rankings.Settings, flags, **others)
    return rankings.make(subject, settings)


def ranking_from(flags: FlagValues, subject: Subject) -> RankingSource:
    """By the flags of `define_ranking`.

    Raises:
        InputError: --ranking is of other models, or given with what would make another.
    """
    if flags.ranking is None:
        return rankings_from(flags, subject)
    for name in ("score", "normalize", "ranking_samples"):
        if flags[name].present:
            raise InputError(f"--ranking has its own {name}: leave --{name} out")
    return rankings.read(flags.ranking, subject)
