"""Where in an image are the rarely activated neurons? (Choi 2022, figs. 1 and 4)

    python -m analyze.heatmaps --dataset=mnist_c

For a few of the samples with the most and with the fewest activated LR neurons, or for --indices:
each layer's share of LR among the activated neurons at every position, as it is and under
sequential ablation of the layers before, and the images after the ablation.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from analyze import activation_rates, entry
from analyze import flags as common
from ganfail_jax import plots, runtime
from ganfail_jax.analysis import detection
from ganfail_jax.analysis.heatmaps import heatmaps
from ganfail_jax.analysis.rates import early_layers, low_rate
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8

FLAGS = flags.FLAGS
common.define_dataset()
common.define_generator()
common.define_noise("const", common.CHOI)
common.define_layers()
common.define_threshold()
common.define_exclude_dead()
common.define_num_samples(2_000, least=2)
common.define_batch_size(480)
activation_rates.define_rates()
common.define_run()
common.define_resume()
common.define_hosts()
flags.DEFINE_integer("shown", 3, "Samples shown of either end of --num_samples.", 1)
common.define_indices()
RESOLUTIONS = 5  # from 4x4 on: as in figure 4
MOST = 24  # samples: each has a figure


def given_indices() -> list[int] | None:
    """--indices.

    Raises:
        InputError: they are no indices, too many, or given with what would choose others.
    """
    indices = common.given_indices()
    if indices is None:
        return None
    for name in ("num_samples", "shown"):
        if FLAGS[name].present:
            raise InputError(f"--indices are the samples shown: leave --{name} out")
    if len({*indices}) < len(indices) or len(indices) > MOST:
        raise InputError(f"--indices has {len(indices)} samples; give at most {MOST}, each once")
    return indices


def describe(summary: entry.Summary) -> Iterator[str]:
    yield (
        f"LR: activated by at most {summary['threshold']:g} of "
        f"{summary['rates']['num_samples']:,} samples"
    )
    if "num_samples" in summary:
        yield (
            f"Top and Bottom of {summary['num_samples']:,} samples by their LR neurons in "
            f"{', '.join(summary['scored_layers'])}"
        )
    for sample in summary["samples"]:
        numbers = ", ".join(f"{n:,} in {layer}" for layer, n in sample["activated"].items())
        yield f"  {sample['kind']} sample {sample['index']}: LR neurons activated: {numbers}"


def main() -> None:
    print("locating the rarely activated neurons of samples", flush=True)
    given = given_indices()
    if given is None:
        detection.check_ends(FLAGS.num_samples, FLAGS.shown)
        if FLAGS.shown > MOST // 2:
            raise InputError(f"--shown={FLAGS.shown}: at most {MOST // 2} of either end")
    generator, params, identity = common.load_generator()
    layers = common.chosen_layers(generator, RESOLUTIONS)
    choice = activation_rates.choose_rates(generator, params, layers, identity)
    identity |= {
        "layers": layers,
        "threshold": FLAGS.threshold,
        "exclude_dead": FLAGS.exclude_dead,
        "rates": choice.identity,
    }
    asked = {"num_samples": FLAGS.num_samples, "shown": FLAGS.shown}
    identity |= asked if given is None else {"indices": given}

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        rates = choice.rates(folder)
        low = low_rate(rates, FLAGS.threshold, dead=not FLAGS.exclude_dead)
        summary: dict[str, Any] = {"threshold": FLAGS.threshold, "rates": choice.identity}
        indices, kinds = given, ["Chosen"] * len(given or ())
        if indices is None:
            early = early_layers(generator.layers)
            scored = {layer: own for layer, own in low.items() if layer in early} or low
            score = detection.detect(
                generator,
                params,
                scored,
                num_samples=FLAGS.num_samples,
                mesh=runtime.data_mesh(),
                seed=FLAGS.seed,
                first_index=choice.num_samples,
                checkpoint=folder / "unfinished-scores.npz",
                identity=identity,
                progress="samples",
            ).score
            ends = np.concatenate(detection.ends(score, FLAGS.shown))
            indices = (choice.num_samples + ends).tolist()
            kinds = ["Top"] * FLAGS.shown + ["Bottom"] * FLAGS.shown
            summary |= {"num_samples": FLAGS.num_samples, "scored_layers": [*scored]}
        found = heatmaps(generator, params, low, np.asarray(indices, np.int32), seed=FLAGS.seed)
        summary["samples"] = [
            {"index": index, "kind": kind, "activated": dict(zip(layers, row, strict=True))}
            for index, kind, row in zip(indices, kinds, found.activated.tolist(), strict=True)
        ]
        arrays = {"indices": indices, "kinds": kinds, "images": to_uint8(found.images)}
        return summary, arrays | found.arrays()

    who = f"generator {identity['generator']}"
    entry.conclude(
        common.out_folder("heatmaps", identity["generator"], str(FLAGS.seed)),
        identity,
        who,
        compute,
        lambda folder, arrays: plots.heatmaps.draw(folder, arrays, who),
        describe,
    )


if __name__ == "__main__":
    common.run(main)
