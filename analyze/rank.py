"""Which StyleSpace dimensions break this classifier? (Le Coz 2022, sec. 2.2)

python -m analyze.rank --dataset=mnist_c
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analyze import flags as common
from ganfail_jax import results, runtime
from ganfail_jax.analysis import push, ranking
from ganfail_jax.analysis.outputs import SCORES, Models
from ganfail_jax.errors import InputError
from ganfail_jax.plots import ranking as plots

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_sampling(num_samples=10_000, batch_size=250)
common.define_run()
flags.DEFINE_enum("score", "softmax", list(SCORES), "Output whose gradient ranks; softmax: paper.")
flags.DEFINE_enum("normalize", "none", ranking.NORMALIZATIONS, "std: per standard deviation.")
flags.DEFINE_integer("bootstrap", 100, "Replicates that measure rank stability.", lower_bound=2)
flags.DEFINE_integer("top", 10, "How many top dimensions are reported.", lower_bound=1)
flags.DEFINE_string("show_class", None, "Class of the image on the push sheet (default: any).")

FRESH = 1_000  # samples of the push test


def show_class(models: Models) -> int | None:
    """--show_class as a class index.

    Raises:
        InputError: there is no such class.
    """
    names = models.classifier.class_names
    if FLAGS.show_class is None:
        return None
    if FLAGS.show_class not in names:
        raise InputError(f"no class {FLAGS.show_class!r}; the classes are {', '.join(names)}")
    return names.index(FLAGS.show_class)


def number(value: float) -> float | None:
    """For JSON, which has no NaN: a class of one sample has no interval."""
    return float(value) if np.isfinite(value) else None


def top_dimensions(found: ranking.Ranking, group: int) -> list[dict[str, Any]]:
    """The top of one group, for result.json."""
    low, high = found.interval
    return [
        {
            "dimension": found.names[d],
            "index": int(d),
            "score": float(found.score[group, d]),
            "interval95": [number(low[group, d]), number(high[group, d])],
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
            "bootstrap_rank_correlation": number(found.stability[g]),
            "top": top_dimensions(found, g),
        }
        for g, name in enumerate(found.groups)
        if found.num_samples[g]
    }
    return {"groups": groups, "push_test": effect._asdict()}


def describe(folder: Path, content: dict[str, Any]) -> None:
    """Print the few numbers that matter."""
    everything, effect = content["groups"]["all"], content["push_test"]
    print(
        f"{everything['samples']:,} samples, accuracy {everything['accuracy']:.1%}; "
        f"{everything['bootstrap_overlap_of_top']:.0%} of the top recurs in a bootstrap replicate"
    )
    for entry in everything["top"]:
        sign = "+" if entry["degrading_direction"] > 0 else "-"
        low, high = entry["interval95"]
        print(
            f"  {entry['dimension']:<18} {sign}  score {entry['score']:+.4f} "
            f"[{low:+.4f}, {high:+.4f}]  in the top of {entry['bootstrap_share_in_top']:.0%}"
        )
    before, top, random = (ranking.Z95 * error for error in effect["standard_errors"])
    print(
        f"mean true-class softmax of {effect['num_samples']:,} fresh samples: "
        f"{effect['before']:.3f} ± {before:.3f}; with the top {effect['dimensions']} dimensions "
        f"pushed by one standard deviation {effect['top']:.3f} ± {top:.3f}; with as many random "
        f"ones {effect['random']:.3f} ± {random:.3f}"
    )
    for name in (results.SUMMARY, results.ARRAYS, *plots.FIGURES):
        print(f"  {folder / name}")


def main() -> None:
    print("ranking the StyleSpace dimensions that break a classifier", flush=True)
    started = time.time()
    models, identity = common.load_models()
    if FLAGS.num_samples < 2:
        raise InputError("a ranking needs num_samples of at least 2")
    chosen = show_class(models)
    identity |= {name: FLAGS[name].value for name in ("score", "normalize", "bootstrap", "top")}
    identity["show_class"] = FLAGS.show_class
    folder = common.out_folder(
        "rank", identity["generator"], identity["classifier"], str(FLAGS.seed)
    )
    results.writable_folder(folder)
    made_by = results.provenance(identity, common.all_flags())
    if (same := results.find_same(folder, made_by)) is not None:
        print(f"{folder} already holds this result")
        describe(folder, same.summary)
        return
    print(
        f"generator {identity['generator']}, classifier {identity['classifier']}, "
        f"{FLAGS.num_samples:,} samples on {made_by['device']}; compiling",
        flush=True,
    )
    unfinished = folder / "unfinished.npz"
    if not FLAGS.resume:
        unfinished.unlink(missing_ok=True)
    shared = {
        "batch_size": FLAGS.batch_size,
        "mesh": runtime.data_mesh(),
        "seed": FLAGS.seed,
        "truncation_psi": FLAGS.truncation_psi,
        "top": FLAGS.top,
    }
    found = ranking.rank(
        models,
        num_samples=FLAGS.num_samples,
        score=FLAGS.score,
        normalize=FLAGS.normalize,
        replicates=FLAGS.bootstrap,
        checkpoint=unfinished,
        identity=identity,
        progress="gradients",
        **shared,
    )
    effect = push.push_effect(
        models,
        found,
        num_samples=FRESH,
        first_index=FLAGS.num_samples,
        progress="push test",
        **shared,
    )
    grid = push.push_grid(
        models,
        found,
        seed=FLAGS.seed,
        truncation_psi=FLAGS.truncation_psi,
        top=FLAGS.top,
        true_class=chosen,
    )
    arrays = found._asdict() | {f"push_{name}": a for name, a in grid._asdict().items()}
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    content = summarize(found, effect) | {"seconds": round(time.time() - started, 1)}
    per = "standard deviation" if FLAGS.normalize == "std" else "unit"
    who = f"classifier {identity['classifier']} on generator {identity['generator']}"
    results.save(folder, content, made_by, arrays)
    plots.draw(folder, arrays, who, FLAGS.score, per)
    unfinished.unlink(missing_ok=True)
    describe(folder, content)


if __name__ == "__main__":
    common.run(main)
