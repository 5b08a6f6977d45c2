"""Which samples activate the most rarely activated neurons? (Choi 2022, sec. 4.1, fig. 2)

    python -m analyze.detect --dataset=mnist_c

Scores 50,000 samples by their number of activated LR neurons in the early layers and shows both
ends: the paper finds artifacts at the top. Beyond the paper it measures whether the score tells
labelled artifacts (--labels), or what a classifier gets wrong (--classifier).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags
from jaxtyping import Array

from analyze import activation_rates, entry, labelled
from analyze import flags as common
from ganfail_jax import plots, runtime
from ganfail_jax.analysis import detection
from ganfail_jax.analysis.detection_summary import (
    agreement,
    class_table,
    classes_of,
    format_area,
    layer_table,
    score_summary,
    tell,
)
from ganfail_jax.analysis.rates import low_rate
from ganfail_jax.analysis.samples import collect, outcome_names
from ganfail_jax.analysis.views import in_batches
from ganfail_jax.data.labels import Labels
from ganfail_jax.errors import InputError
from ganfail_jax.tally import CHUNK
from ganfail_jax.types import Generator, Params

FLAGS = flags.FLAGS
common.define_dataset()
common.define_generator()
common.define_noise("const", common.CHOI)
common.define_layers()
common.define_threshold()
common.define_exclude_dead()
common.define_num_samples(50_000, least=2)
common.define_batch_size(480)
activation_rates.define_rates()
common.define_run()
common.define_resume()
common.define_hosts()
flags.DEFINE_integer("ends", 2_000, "Samples in Top and in Bottom.", 1)
flags.DEFINE_enum("score", "sum", ["sum", "balanced"], "sum: paper; balanced: layers weigh alike.")
labelled.define_labels()
flags.DEFINE_string("classifier", None, "Bundled name or folder: does the score tell its errors?")
COUNTED = {
    "sum": "number of activated LR neurons",
    "balanced": "activated LR neurons of a layer over their mean, averaged over the layers",
}
SHOWN = 40  # images of each end


def told_of_labels(
    generator: Generator,
    params: Params,
    low: detection.Neurons,
    found: detection.Detected,
    labels: Labels,
) -> dict[str, Any]:
    """How well the scores tell labelled artifacts, wherever among the samples they are."""

    @jax.jit
    def count(args: Any, indices: Array) -> Array:
        params, chosen = args
        chosen = {name: chosen[name] for name in found.layers}  # jit sorts them
        return detection.activated_numbers(generator, params, chosen, indices, FLAGS.seed)

    numbers = in_batches(partial(count, (params, dict(low))), CHUNK, labels.indices)
    balanced = detection.balance(numbers, found.activated.mean(axis=0))
    scores = {"sum": numbers.sum(axis=1), "balanced": balanced}
    return tell(scores, labels.artifact, classes_of(generator, labels.indices))


def describe(summary: entry.Summary) -> Iterator[str]:
    yield (
        f"{summary['num_samples']:,} samples from index {summary['first_index']:,} on; LR: "
        f"activated by at most {summary['threshold']:g} of {summary['rates']['num_samples']:,} "
        "samples"
    )
    for name, layer in summary["layers"].items():
        yield (
            f"  {name}: {layer['low_rate']:,} of {layer['neurons']:,} neurons are LR "
            f"({layer['low_rate_without_never']:,} without those never activated); a sample "
            f"activates {layer['low_rate_activated_per_image']:,.1f} of them "
            f"({layer['by_the_rates']:,.1f} by the rates), {layer['share_of_sum']:.0%} of the sum"
        )
    score, both = summary["score"], summary["sum_and_balanced"]
    decimals = 1 if score["kind"] == "sum" else 3
    mean, deviation, top, bottom = (
        f"{score[name]:,.{decimals}f}"
        for name in ("mean", "standard_deviation", "top_from", "bottom_to")
    )
    yield f"score ({COUNTED[score['kind']]}): mean {mean}, standard deviation {deviation}"
    yield f"Top {summary['ends']:,}: from {top} on; Bottom {summary['ends']:,}: up to {bottom}"
    yield (
        f"sum and balanced score: rank correlation {both['rank_correlation']:.3f}; "
        f"{both['top_in_common']:.0%} of Top and {both['bottom_in_common']:.0%} of Bottom in common"
    )
    for end in ("top", "bottom") if "classes" in summary else ():
        largest = sorted(summary["classes"], key=lambda row: -row[f"share_of_{end}"])[:3]
        shares = (f"{row['class']} ({row[f'share_of_{end}']:.0%})" for row in largest)
        yield f"classes most frequent in {end.capitalize()}: {', '.join(shares)}"
    for name, table in summary["told"].items():
        yield (
            f"does the score tell {name} samples ({table['positive']:,}) from the others "
            f"({table['negative']:,})? Area under the ROC curve (0.5: no), 95 % interval:"
        )
        for part in ("auc", "auc_within_classes"):
            for kind, area in table.get(part, {}).items():
                where = "" if part == "auc" else ", within classes"
                yield f"  {kind}{where}: {format_area(area)}"


def main() -> None:
    print("scoring samples by their rarely activated neurons", flush=True)
    detection.check_ends(FLAGS.num_samples, FLAGS.ends)
    generator, params, identity = common.load_generator()
    layers = common.chosen_layers(generator)
    choice = activation_rates.choose_rates(generator, params, layers, identity)
    labels = None
    if FLAGS.labels is not None:
        common.check_labelled_noise(generator)
        labels = labelled.read_labelled(identity["generator_sha256"])
    scanned = identity | {
        "layers": layers,
        "threshold": FLAGS.threshold,
        "exclude_dead": FLAGS.exclude_dead,
        "rates": choice.identity,
        "num_samples": FLAGS.num_samples,
    }
    settings = {"ends": FLAGS.ends, "score": FLAGS.score, "labels": labels and labels.sha256}
    models = ()
    if FLAGS.classifier is not None:
        models, seen_by = common.with_classifiers(generator, params, [FLAGS.classifier])
        settings |= seen_by

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        sweep = {
            "num_samples": FLAGS.num_samples,
            "mesh": runtime.data_mesh(),
            "seed": FLAGS.seed,
            "first_index": choice.num_samples,
            "identity": scanned | settings,
        }
        rates = choice.rates(folder)
        low = low_rate(rates, FLAGS.threshold, dead=not FLAGS.exclude_dead)
        checkpoint = folder / "unfinished-scores.npz"
        found = detection.detect(
            generator, params, low, **sweep, checkpoint=checkpoint, progress="samples"
        )
        if not np.ptp(found.score):
            raise InputError(
                f"every sample activates {found.score[0]:,} LR neurons; give another --threshold"
            )
        indices = choice.num_samples + np.arange(FLAGS.num_samples)
        classes = classes_of(generator, indices)
        scores = {"sum": found.score, "balanced": found.balanced_score}
        score = scores[FLAGS.score]
        top, bottom = detection.ends(score, FLAGS.ends)
        told = {}
        if labels is not None:
            told["labelled artifact"] = told_of_labels(generator, params, low, found, labels)
        if models:
            samples = collect(
                models,
                **sweep,
                batch_size=FLAGS.batch_size,
                checkpoint=folder / "unfinished-classified.npz",
                progress="classifier",
            )
            name = f"{outcome_names(generator)[1]} ({settings['classifiers'][0]})"
            told[name] = tell(scores, ~samples.right[0], classes)
        shown = {"top": top[:SHOWN], "bottom": bottom[:SHOWN]}
        images = {
            f"{end}_images": labelled.pictures(generator, params, indices[rows])
            for end, rows in shown.items()
        }
        summary = {
            "num_samples": FLAGS.num_samples,
            "first_index": choice.num_samples,
            "threshold": FLAGS.threshold,
            "rates": choice.identity,
            "ends": FLAGS.ends,
            "layers": layer_table(found, rates, FLAGS.threshold, dead=not FLAGS.exclude_dead),
            "score": {"kind": FLAGS.score, **score_summary(score, FLAGS.ends)},
            "sum_and_balanced": agreement(found, FLAGS.ends),
            "told": told,
        }
        if classes is not None:
            summary["classes"] = class_table(score, classes, FLAGS.ends)
        arrays = {"top": indices[top], "bottom": indices[bottom], "activated": found.activated}
        return summary, arrays | images | {"score": score, "first_index": choice.num_samples}

    who = f"generator {identity['generator']}"
    entry.conclude(
        common.out_folder("detect", identity["generator"], str(FLAGS.seed)),
        scanned | settings,
        who,
        compute,
        lambda folder, arrays: plots.detection.draw(folder, arrays, who, COUNTED[FLAGS.score]),
        describe,
    )


if __name__ == "__main__":
    common.run(main)
