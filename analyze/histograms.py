"""Do the top dimensions tell misclassified samples from others? (Le Coz 2022, fig. 4, sec. 3.2)

python -m analyze.histograms --dataset=mnist_c
"""

from collections.abc import Iterator

from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.analysis import separation
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.samples import outcome_names
from ganfail_jax.errors import InputError

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_noise("random", common.POPULATION)
common.define_num_samples(10_000, least=10)
common.define_batch_size(250)
common.define_ranking()
common.define_run()
common.define_resume()
flags.DEFINE_integer("top", 10, "Top dimensions that are compared with all the others.", 1)
flags.DEFINE_integer("panels", 6, "Top and random dimensions in the figure; 3: paper.", 1)
flags.DEFINE_string("show_class", None, "Class in the figure of histograms (default: all).")


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    (ranking,) = run.rankings
    first_index = int(ranking.num_samples[0])
    samples = run.collect(first_index)
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
    if not shown.right.size:
        raise InputError(f"none of the samples is a {FLAGS.show_class}; give more --num_samples")
    groups = {
        name: {
            "samples": dict(zip(outcomes, map(int, found.num_samples[g]), strict=True)),
            "separation": found.summary(g, ranking.names, FLAGS.top),
        }
        for g, name in enumerate(found.groups)
    }
    arrays = found._asdict() | {f"shown_{name}": a for name, a in shown._asdict().items()}
    return (
        {"groups": groups, "dimensions_compared": FLAGS.top, "first_index": first_index},
        arrays | {"names": ranking.names, "outcomes": outcomes, "top": FLAGS.top},
    )


def describe(content: entry.Summary) -> Iterator[str]:
    top = content["dimensions_compared"]
    told = content["groups"]["all"]["samples"]
    yield " and ".join(f"{n:,} {name}" for name, n in told.items())
    yield (
        f"median AUC of the top {top} dimensions and of all others: the chance that a "
        f"{tuple(told)[1]} sample lies further in the degrading direction than another (0.5: no "
        "difference)"
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
        share = {
            key: f"{n['in_degrading_direction']} along and "
            f"{n['significant'] - n['in_degrading_direction']} against it of {n['of']}"
            for key, n in found["significant"].items()
        }
        yield (
            f"  {name:<15} top {medians['top']}, others {medians['rest']}; "
            f"significant: {share['top']}; {share['rest']}"
        )
    everything = content["groups"]["all"]["separation"]
    ks = [n["median_kolmogorov_smirnov"] for n in everything["significant"].values()]
    random = everything["p_of_a_random_set_as_high"]
    yield (
        f"in any direction, median Kolmogorov-Smirnov distance: top {ks[0]:.3f}, others {ks[1]:.3f}"
    )
    yield f"p that as many random other dimensions have a median as high: {random:.4f}"


def check(models: tuple[Models, ...]) -> None:
    size = sum(models[0].generator.style_dims.values())
    if FLAGS.top >= size:
        raise InputError(f"--top={FLAGS.top} leaves no other dimension: S has {size}")
    if FLAGS.show_class is not None:
        common.class_index(FLAGS.show_class, models[0])


def main() -> None:
    entry.analyse(
        entry.Analysis(
            name="histograms",
            question="comparing misclassified samples with others along every dimension",
            settings=("num_samples", "top", "panels", "show_class"),
            compute=compute,
            draw=plots.histograms.draw,
            describe=describe,
            check=check,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
