"""Where do classifiers fail differently? The same samples, their rankings, their disagreements.

python -m analyze.compare --dataset=mnist_c
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.analysis import comparison
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.samples import outcome_names
from ganfail_jax.errors import InputError

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models(several=True)
common.define_noise("random", common.POPULATION)
common.define_num_samples(10_000)
common.define_batch_size(250)
common.define_ranking(several=True)
common.define_run()
common.define_resume()
flags.DEFINE_integer("top", 20, "How many top dimensions of each are compared.", 1)
flags.DEFINE_integer("shown", 32, "Most images of each sheet of disagreements.", 1)


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    names, rankings, generator = run.identity["classifiers"], run.rankings, run.models[0].generator
    first_index = int(rankings[0].num_samples[0])
    drawn = run.collect(first_index)
    known = generator.num_classes > 0
    groups = rankings[0].groups
    compared = len(groups) if known else 1  # classifiers share no classes where none is true
    found = comparison.shares(drawn, compared)
    of = "true" if known else "predicted"
    per = "standard deviation" if FLAGS.normalize == "std" else "unit"
    right_means = outcome_names(generator)[0]
    arrays: dict[str, Any] = {f"group_{field}": a for field, a in found._asdict().items()} | {
        "classifiers": names,
        "groups": groups,
        "dimensions": rankings[0].names,
        "scores": np.stack([ranking.score[0] for ranking in rankings]),
        "tops": np.stack([ranking.order[0, : FLAGS.top] for ranking in rankings]),
        "unit": f"mean gradient of the {of} class's {FLAGS.score} per {per}",
        "class_known": known,
        "right_means": right_means,
        "right": drawn.right,
    }
    for other in range(1, len(names)):
        for key, pair in (("first", (0, other)), ("other", (other, 0))):
            shown = comparison.sheet(run.models[0], drawn, *pair, FLAGS.shown, FLAGS.seed)
            arrays |= {f"sheet{other}_{key}_{field}": a for field, a in shown._asdict().items()}
    summary = {
        "samples": len(drawn.indices),
        "first_index": first_index,
        "outcome": right_means,
        "shares": found.summary(names, groups[:compared]),
        "pairs": comparison.pair_summaries(drawn, rankings, names, compared, FLAGS.top),
    }
    return summary, arrays


def describe(content: entry.Summary) -> Iterator[str]:
    yield f"{content['samples']:,} samples; share of those {content['outcome']}:"
    for name, groups in content["shares"].items():
        found = groups["all"]
        low, high = found["interval95"]
        yield f"  {name}: {found['share']:.2%} [{low:.2%}, {high:.2%}]"
    for pair in content["pairs"]:
        found, ranked = pair["samples"]["all"], pair["rankings"]["all"]
        low, high = (100 * end for end in found["interval95"])
        yield f"A {pair['a']} against B {pair['b']}"
        yield (
            f"  {content['outcome']} by both {found['both']:,}, only A {found['only_a']:,}, "
            f"only B {found['only_b']:,}, neither {found['neither']:,}; A minus B "
            f"{100 * found['difference']:+.2f} points [{low:+.2f}, {high:+.2f}], "
            f"McNemar p = {found['mcnemar_p']:.2g}"
        )
        correlations = [
            "undefined" if ranked[key] is None else f"{ranked[key]:.3f}"
            for key in ("correlation_of_magnitudes", "correlation_of_scores")
        ]
        yield (
            f"  rank correlation of magnitudes {correlations[0]}, of signed scores "
            f"{correlations[1]}; top dimensions: {ranked['in_both']} in both, "
            f"{len(ranked['opposite'])} of these with opposite direction, "
            f"{len(ranked['only_a'])} only of A, {len(ranked['only_b'])} only of B; by chance "
            f"{ranked['in_both_expected_by_chance']:.1f} in both, p = {ranked['in_both_p']:.2g}"
        )


def check(models: tuple[Models, ...]) -> None:
    if len(models) < 2:
        raise InputError("a comparison needs two classifiers: --classifiers=one,another")


def main() -> None:
    entry.analyse(
        entry.Analysis(
            name="compare",
            question="comparing classifiers on the same samples",
            settings=("num_samples", "top", "shown"),
            compute=compute,
            draw=plots.comparison.draw,
            describe=describe,
            check=check,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
