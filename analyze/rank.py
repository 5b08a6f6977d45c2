"""Which StyleSpace dimensions break this classifier? (Le Coz 2022, sec. 2.2)

python -m analyze.rank --dataset=mnist_c
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.analysis import push, ranking
from ganfail_jax.analysis.estimates import Z95
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.views import views_of

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_noise("random", common.POPULATION)
common.define_num_samples(10_000, least=2)
common.define_batch_size(250)
common.define_score()
common.define_run()
common.define_resume()
flags.DEFINE_integer("bootstrap", 100, "Replicates that measure rank stability.", lower_bound=2)
flags.DEFINE_integer("top", 10, "How many top dimensions are reported.", lower_bound=1)
flags.DEFINE_string("show_class", None, "Class of the image on the push sheet (default: any).")

FRESH = 1_000  # samples of the push test


def top_dimensions(found: ranking.Ranking, group: int) -> list[dict[str, Any]]:
    """The top of one group, for result.json."""
    low, high = found.interval
    return [
        {
            "dimension": found.names[d],
            "index": int(d),
            "score": float(found.score[group, d]),
            "interval95": [float(low[group, d]), float(high[group, d])],
            "degrading_direction": int(found.direction[group, d]),
            "std": float(found.style_std[d]),
            "bootstrap_share_in_top": float(found.top_share[group, d]),
        }
        for d in found.order[group, : FLAGS.top]
    ]


def summarize(found: ranking.Ranking, effect: push.PushEffect) -> dict[str, Any]:
    """The content of result.json."""
    groups = {
        name: {
            "samples": int(found.num_samples[g]),
            "accuracy": float(found.accuracy[g]),
            "mean_softmax_of_true_class": float(found.softmax[g]),
            "bootstrap_overlap_of_top": float(found.top_overlap[g]),
            "bootstrap_rank_correlation": float(found.stability[g]),
            "top": top_dimensions(found, g),
        }
        for g, name in enumerate(found.groups)
        if found.num_samples[g]
    }
    return {"groups": groups, "push_test": effect._asdict()}


def describe(content: entry.Summary) -> Iterator[str]:
    everything, effect = content["groups"]["all"], content["push_test"]
    yield (
        f"{everything['samples']:,} samples, accuracy {everything['accuracy']:.1%}; "
        f"{everything['bootstrap_overlap_of_top']:.0%} of the top recurs in a bootstrap replicate"
    )
    yield "dimension, + or - the direction that breaks the classifier, mean gradient [95 %]:"
    for found in everything["top"]:
        sign = "+" if found["degrading_direction"] > 0 else "-"
        low, high = found["interval95"]
        yield (
            f"  {found['dimension']:<18} {sign}  score {found['score']:+.4f} "
            f"[{low:+.4f}, {high:+.4f}]  in the top of {found['bootstrap_share_in_top']:.0%}"
        )
    before, top, random = (Z95 * error for error in effect["standard_errors"])
    yield (
        f"mean true-class softmax of {effect['num_samples']:,} fresh samples: "
        f"{effect['before']:.3f} ± {before:.3f}; with the top {effect['dimensions']} dimensions "
        f"pushed by one standard deviation {effect['top']:.3f} ± {top:.3f}; with as many random "
        f"ones {effect['random']:.3f} ± {random:.3f}"
    )


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    (models,) = run.models
    shared = {"truncation_psi": FLAGS.truncation_psi, "top": FLAGS.top}
    found = ranking.rank(
        models,
        num_samples=FLAGS.num_samples,
        batch_size=FLAGS.batch_size,
        seed=FLAGS.seed,
        score=FLAGS.score,
        normalize=FLAGS.normalize,
        replicates=FLAGS.bootstrap,
        **shared,
        **run.sweep("gradients"),
    )
    views = views_of(models, FLAGS.batch_size, FLAGS.seed)
    effect = push.push_effect(
        views,
        found,
        num_samples=FRESH,
        first_index=FLAGS.num_samples,
        progress="push test",
        **shared,
    )
    chosen = None if FLAGS.show_class is None else common.class_index(FLAGS.show_class, models)
    grid = push.push_grid(views, found, true_class=chosen, **shared)
    arrays = found._asdict() | {f"push_{name}": a for name, a in grid._asdict().items()}
    return summarize(found, effect), arrays


def check(models: tuple[Models, ...]) -> None:
    if FLAGS.show_class is not None:
        common.class_index(FLAGS.show_class, models[0])


def draw(folder: Path, arrays: entry.Arrays, who: str) -> tuple[str, ...]:
    per = "standard deviation" if FLAGS.normalize == "std" else "unit"
    plots.ranking.draw(folder, arrays, who, FLAGS.score, per)
    return plots.ranking.FIGURES


def main() -> None:
    entry.analyse(
        entry.Analysis(
            name="rank",
            question="ranking the StyleSpace dimensions that break a classifier",
            settings=("num_samples", "score", "normalize", "bootstrap", "top", "show_class"),
            compute=compute,
            draw=draw,
            describe=describe,
            check=check,
        )
    )


if __name__ == "__main__":
    common.run(main)
