"""Do the top dimensions tell misclassified samples from others? (Le Coz 2022, fig. 4, sec. 3.2)

python -m analyze.histograms --dataset=mnist_c
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax.analysis import separation
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.samples import collect, outcome_names
from ganfail_jax.errors import InputError
from ganfail_jax.plots import histograms as plots

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_num_samples(10_000, least=10)
common.define_batch_size(250)
common.define_ranking()
common.define_run()
common.define_resume()
flags.DEFINE_integer("top", 10, "Top dimensions that are compared with all the others.", 1)
flags.DEFINE_integer("panels", 6, "Top and random dimensions in the figure; 3: paper.", 1)
flags.DEFINE_string("show_class", None, "Class in the figure of histograms (default: all).")


def summarize_group(
    found: separation.Separation, names: tuple[str, ...], g: int
) -> dict[str, Any] | None:
    """One group of result.json; None: it lacks one of the outcomes."""
    if not np.isfinite(found.medians[g, 0, 0]):
        return None
    top, rest = found.order[g, : FLAGS.top], found.order[g, FLAGS.top :]
    bounds = found.auc_low[g], found.auc_high[g]
    return {
        "median_auc": {
            name: {"value": float(value), "interval95": [float(low), float(high)]}
            for name, (value, low, high) in zip(
                ("top", "rest", "top_minus_rest"), found.medians[g], strict=True
            )
        },
        "random_sets_as_high_as_top": float(found.random_as_high[g]),
        "significant": {
            name: {
                "of": len(dims),
                "significant": int(found.significant[g, dims].sum()),
                "in_degrading_direction": int(
                    (found.significant[g, dims] & (found.auc[g, dims] > 0.5)).sum()
                ),
                "median_kolmogorov_smirnov": float(np.median(found.ks[g, dims])),
            }
            for name, dims in (("top", top), ("rest", rest))
        },
        "top": [
            {
                "dimension": names[d],
                "degrading_direction": int(found.direction[g, d]),
                "auc": float(found.auc[g, d]),
                "interval95": [float(bound[d]) for bound in bounds],
                "kolmogorov_smirnov": float(found.ks[g, d]),
                "p_value": float(found.p_value[g, d]),
                "p_value_corrected": float(found.q_value[g, d]),
            }
            for d in top
        ],
    }


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    (ranking,) = run.rankings
    samples = collect(
        run.models,
        num_samples=FLAGS.num_samples,
        batch_size=FLAGS.batch_size,
        first_index=int(ranking.num_samples[0]),
        seed=FLAGS.seed,
        truncation_psi=FLAGS.truncation_psi,
        **run.sweep("samples"),
    )
    counts = [int(samples.right.sum()), int((~samples.right).sum())]
    outcomes = outcome_names(run.models[0].generator)
    if min(counts) < 2:
        told = " and ".join(f"{n:,} {name}" for n, name in zip(counts, outcomes, strict=True))
        raise InputError(f"nothing to separate: {told}; give another classifier or --num_samples")
    found = separation.separate(ranking, samples, top=FLAGS.top, seed=FLAGS.seed)
    group = 0
    if FLAGS.show_class is not None:
        group = 1 + common.class_index(FLAGS.show_class, run.models[0])
    shown = separation.histograms(
        ranking, samples, group=group, panels=FLAGS.panels, top=FLAGS.top, seed=FLAGS.seed
    )
    groups = {
        name: {
            "samples": dict(zip(outcomes, map(int, found.num_samples[g]), strict=True)),
            "separation": summarize_group(found, ranking.names, g),
        }
        for g, name in enumerate(found.groups)
    }
    arrays = found._asdict() | {f"shown_{name}": a for name, a in shown._asdict().items()}
    return (
        {"groups": groups, "dimensions_compared": FLAGS.top},
        arrays | {"names": ranking.names, "outcomes": outcomes, "top": FLAGS.top},
    )


def describe(content: entry.Summary) -> Iterator[str]:
    top = content["dimensions_compared"]
    told = content["groups"]["all"]["samples"]
    yield " and ".join(f"{n:,} {name}" for name, n in told.items())
    yield (
        f"median AUC of the top {top} dimensions and of all others: that a {tuple(told)[1]} sample "
        "lies further in the degrading direction than another (0.5: nothing)"
    )
    for name, group in content["groups"].items():
        found = group["separation"]
        if found is None:
            none = ", ".join(f"{n:,} {outcome}" for outcome, n in group["samples"].items())
            yield f"  {name:<15} none: {none}"
            continue
        medians = {
            key: f"{median['value']:.3f} [{median['interval95'][0]:.3f}, "
            f"{median['interval95'][1]:.3f}]"
            for key, median in found["median_auc"].items()
        }
        share = {key: f"{n['significant']} of {n['of']}" for key, n in found["significant"].items()}
        yield (
            f"  {name:<15} top {medians['top']}, others {medians['rest']}; "
            f"significant: {share['top']} and {share['rest']}"
        )
    everything = content["groups"]["all"]["separation"]
    ks = [n["median_kolmogorov_smirnov"] for n in everything["significant"].values()]
    random = everything["random_sets_as_high_as_top"]
    yield (
        f"in any direction, median Kolmogorov-Smirnov distance: top {ks[0]:.3f}, others {ks[1]:.3f}"
    )
    yield f"random sets of as many other dimensions with a median as high: {random:.1%}"


def check(models: tuple[Models, ...]) -> None:
    size = sum(models[0].generator.style_dims.values())
    if FLAGS.top >= size:
        raise InputError(f"--top={FLAGS.top} leaves no other dimension: S has {size}")
    if FLAGS.show_class is not None:
        common.class_index(FLAGS.show_class, models[0])


def draw(folder: Path, arrays: entry.Arrays, who: str) -> tuple[str, ...]:
    plots.draw(folder, arrays, who)
    return plots.FIGURES


def main() -> None:
    entry.analyse(
        entry.Analysis(
            name="histograms",
            question="comparing misclassified samples with others along every dimension",
            settings=("num_samples", "top", "panels", "show_class"),
            compute=compute,
            draw=draw,
            describe=describe,
            check=check,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
