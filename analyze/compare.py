"""Where do classifiers fail differently? The same samples, their rankings, their disagreements.

python -m analyze.compare --dataset=mnist_c
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax.analysis import comparison, samples
from ganfail_jax.analysis.comparison import SharedDimensions
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.proportions import Paired
from ganfail_jax.analysis.ranking import Ranking
from ganfail_jax.errors import InputError
from ganfail_jax.plots import comparison as plots

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models(several=True)
common.define_num_samples(10_000)
common.define_batch_size(250)
common.define_ranking()
common.define_run()
common.define_resume()
flags.DEFINE_integer("top", 20, "How many top dimensions of each are compared.", 1)
flags.DEFINE_integer("shown", 32, "Most images of each sheet of disagreements.", 1)


def paired_summary(found: Paired) -> dict[str, Any]:
    (both, only_a), (only_b, neither) = found.table.tolist()
    return {
        "both_right": both,
        "only_a_right": only_a,
        "only_b_right": only_b,
        "both_wrong": neither,
        "difference": found.difference,
        "interval95": list(found.interval),
        "mcnemar_p": found.p,
    }


def ranking_summary(found: SharedDimensions, a: Ranking, b: Ranking, group: int) -> dict[str, Any]:
    def named(dims: np.ndarray) -> list[str]:
        return [a.names[d] for d in dims]

    return {
        "correlation_of_magnitudes": float(found.correlation),
        "correlation_of_scores": float(found.signed_correlation),
        "bootstrap_rank_correlation": [float(each.stability[group]) for each in (a, b)],
        "shared": named(found.shared),
        "opposite": named(found.opposite),
        "only_a": named(found.only_a),
        "only_b": named(found.only_b),
        "dimensions_with_effect": found.candidates,
        "shared_expected_by_chance": found.expected,
        "shared_p": found.p,
    }


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    names, rankings, generator = run.identity["classifiers"], run.rankings, run.models[0].generator
    groups = rankings[0].groups
    drawn = samples.collect(
        run.models,
        num_samples=FLAGS.num_samples,
        batch_size=FLAGS.batch_size,
        first_index=int(rankings[0].num_samples[0]),
        seed=FLAGS.seed,
        truncation_psi=FLAGS.truncation_psi,
        **run.sweep("samples"),
    )
    accuracy = comparison.accuracies(drawn, len(groups) - 1)
    arrays: dict[str, Any] = {f"group_{field}": a for field, a in accuracy._asdict().items()} | {
        "classifiers": names,
        "groups": groups,
        "dimensions": rankings[0].names,
        "scores": np.stack([found.score[0] for found in rankings]),
        "tops": np.stack([found.order[0, : FLAGS.top] for found in rankings]),
        "unit": common_unit(),
        "class_known": generator.num_classes > 0,
        "right_means": samples.outcome_names(generator)[0],
    }
    for other in range(1, len(names)):
        for key, pair in (("first", (0, other)), ("other", (other, 0))):
            shown = comparison.sheet(run.models[0], drawn, *pair, FLAGS.shown)
            arrays |= {f"sheet{other}_{key}_{field}": a for field, a in shown._asdict().items()}
    summary = {
        "samples": len(drawn.indices),
        "right_means": samples.outcome_names(generator)[0],
        "accuracy": {
            name: {
                group: {
                    "samples": int(accuracy.samples[g]),
                    "accuracy": float(accuracy.accuracy[m, g]),
                    "interval95": [float(end) for end in accuracy.interval[m, g]],
                }
                for g, group in enumerate(groups)
            }
            for m, name in enumerate(names)
        },
        "pairs": [
            pair_summary(drawn, rankings, names, a, b)
            for a, b in combinations(range(len(names)), 2)
        ],
    }
    return summary, arrays


def common_unit() -> str:
    per = "standard deviation" if FLAGS.normalize == "std" else "unit"
    return f"mean gradient of the true class's {FLAGS.score} per {per}"


def pair_summary(
    drawn: samples.Samples, rankings: Sequence[Ranking], names: Sequence[str], a: int, b: int
) -> dict[str, Any]:
    """Two classifiers, overall and by class."""
    groups = rankings[0].groups
    paired = comparison.compare_samples(drawn, a, b, len(groups) - 1)
    both = rankings[a], rankings[b]
    return {
        "a": names[a],
        "b": names[b],
        "samples": {
            group: paired_summary(found)
            for group, found in zip(groups, paired, strict=True)
            if found is not None
        },
        "rankings": {
            group: ranking_summary(comparison.compare_rankings(*both, g, FLAGS.top), *both, g)
            for g, group in enumerate(groups)
            if all(found.num_samples[g] for found in both)
        },
    }


def describe(content: entry.Summary) -> Iterator[str]:
    yield f"{content['samples']:,} samples; right means {content['right_means']}"
    for name, groups in content["accuracy"].items():
        found = groups["all"]
        low, high = found["interval95"]
        yield f"  {name}: {found['accuracy']:.2%} right [{low:.2%}, {high:.2%}]"
    for pair in content["pairs"]:
        found, ranked = pair["samples"]["all"], pair["rankings"]["all"]
        low, high = (100 * end for end in found["interval95"])
        yield f"A {pair['a']} against B {pair['b']}"
        yield (
            f"  both right {found['both_right']:,}, only A {found['only_a_right']:,}, "
            f"only B {found['only_b_right']:,}, both wrong {found['both_wrong']:,}; A minus B "
            f"{100 * found['difference']:+.2f} points [{low:+.2f}, {high:+.2f}], "
            f"McNemar p = {found['mcnemar_p']:.2g}"
        )
        correlations = [
            "undefined" if ranked[key] is None else f"{ranked[key]:.3f}"
            for key in ("correlation_of_magnitudes", "correlation_of_scores")
        ]
        yield (
            f"  rank correlation of magnitudes {correlations[0]}, of signed scores "
            f"{correlations[1]}; top dimensions: {len(ranked['shared'])} shared, "
            f"{len(ranked['opposite'])} shared with opposite direction, {len(ranked['only_a'])} "
            f"only of A, {len(ranked['only_b'])} only of B; by chance "
            f"{ranked['shared_expected_by_chance']:.1f} in both, p = {ranked['shared_p']:.2g}"
        )


def check(models: tuple[Models, ...]) -> None:
    if len(models) < 2:
        raise InputError("a comparison needs two classifiers: --classifiers=one,another")


def draw(folder: Path, arrays: entry.Arrays, who: str) -> tuple[str, ...]:
    return plots.draw(folder, arrays, who)


def main() -> None:
    entry.analyse(
        entry.Analysis(
            name="compare",
            question="comparing classifiers on the same samples",
            settings=("num_samples", "top", "shown"),
            compute=compute,
            draw=draw,
            describe=describe,
            check=check,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
