"""How fast does accuracy fall with distance in StyleSpace? (Le Coz 2022, sec. 2.4, 3.3, fig. 6)

python -m analyze.accuracy --dataset=mnist_c
"""

from collections.abc import Iterator
from typing import Any

from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.analysis.latent_accuracy import (
    BINNINGS,
    Binning,
    accuracy_curves,
    by_area,
    explain,
)
from ganfail_jax.analysis.samples import outcome_names

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models(several=True)
common.define_noise("random", common.POPULATION)
common.define_num_samples(10_000)
common.define_batch_size(250)
common.define_ranking(several=True)
common.define_run()
common.define_resume()
flags.DEFINE_integer("dims", 100, "How many top dimensions make a distance; 0: all.", 0)
flags.DEFINE_integer("bins", 12, "Bins of distance, before sparse ones go.", 1)
flags.DEFINE_enum("binning", "width", BINNINGS, "Bins of equal width or of equal numbers.")
flags.DEFINE_integer("min_samples", 50, "Samples that a point of a curve needs.", 1)
MOST_LINES, WORST = 20, 10  # of more curves, only the worst are printed


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    first_index = int(run.rankings[0].num_samples[0])
    drawn = run.collect(first_index)
    binning = Binning(FLAGS.binning, FLAGS.bins, FLAGS.min_samples)
    made = accuracy_curves(drawn, run.rankings, FLAGS.dims, binning, FLAGS.seed)
    classifiers, classes = run.identity["classifiers"], run.rankings[0].groups[1:]
    dimensions = drawn.styles.shape[1]
    generator = run.models[0].generator
    summary = {
        "samples": len(drawn.indices),
        "first_index": first_index,
        "right_means": outcome_names(generator)[0],
        "comparisons": {
            name: {"distance": explain(name, FLAGS.dims, dimensions)}
            | curves.summary(classes if name.startswith("classes") else classifiers)
            for name, curves in made.items()
        },
    }
    arrays = {
        f"{name}_{field}": values
        for name, curves in made.items()
        for field, values in curves._asdict().items()
    }
    about = {
        "classifiers": classifiers,
        "classes": classes,
        "class_known": generator.num_classes > 0,
        "right_means": summary["right_means"],
        "num_samples": len(drawn.indices),
        "top": FLAGS.dims,
        "dimensions": dimensions,
    }
    return summary, arrays | about


def per_cent(curve: dict[str, Any], key: str) -> str:
    """A slope or an area with its interval."""
    if curve[key] is None:
        return "undefined"
    low, high = (100 * end for end in curve[f"{key}_interval95"])
    sign = "" if key == "area" else "+"
    return f"{100 * curve[key]:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def describe(content: entry.Summary) -> Iterator[str]:
    yield (
        f"{content['samples']:,} samples; right means {content['right_means']}. Slope: percentage "
        "points per unit of distance; area: mean height of the curve in per cent"
    )
    for comparison, found in content["comparisons"].items():
        low, high = found["common_range"]
        reach = "nowhere in common" if low is None else f"area from {low:.1f} to {high:.1f}"
        curves = found["curves"]
        rising = [name for name, curve in curves.items() if curve["rises_beyond_intervals"]]
        yield (
            f"{found['distance']}; {reach}; rises beyond the intervals: "
            f"{', '.join(rising) or 'none'}"
        )
        if comparison == "classes_all":
            continue  # as many lines again, in result.json
        shown = list(curves)
        if len(shown) > MOST_LINES:
            shown = by_area(curves)[:WORST]
            yield f"  the {WORST} of {len(curves)} with the smallest area:"
        for name in shown:
            curve = curves[name]
            yield f"  {name}: slope {per_cent(curve, 'slope')}, area {per_cent(curve, 'area')}"
        for name in list(curves)[1:] if comparison.startswith("shared") else ():
            yield (
                f"  {name} minus the first: slope {per_cent(curves[name], 'slope_difference')}, "
                f"area {per_cent(curves[name], 'area_difference')}"
            )


def main() -> None:
    entry.analyse(
        entry.Analysis(
            name="accuracy",
            question="accuracy against distance from the well classified centre",
            settings=("num_samples", "dims", "bins", "binning", "min_samples"),
            compute=compute,
            draw=plots.latent_accuracy.draw,
            describe=describe,
            ranked=True,
        )
    )


if __name__ == "__main__":
    common.run(main)
