"""What do images look like without their rarely activated neurons? (Choi 2022, algorithm 1)

    python -m analyze.ablate --dataset=mnist_c --sets=LR:0.3,HR:0.7,random:0.3

Of fresh samples, those that activate the most LR neurons (Top) and the fewest (Bottom) are drawn
again with the activated neurons of each set at zero. Several --layers are ablated in sequence, one
alone is single ablation.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from analyze import activation_rates, entry
from analyze import flags as common
from ganfail_jax import plots, runtime
from ganfail_jax.analysis.ablation import (
    Choice,
    ablation,
    ablation_keys,
    parse_choice,
    renderer,
)
from ganfail_jax.analysis.detection import check_ends, detect, ends
from ganfail_jax.analysis.rates import Rates, low_rate
from ganfail_jax.analysis.views import in_batches
from ganfail_jax.types import Generator, Params

FLAGS = flags.FLAGS
common.define_dataset()
common.define_generator()
common.define_noise("const", common.CHOI)
common.define_layers()
common.define_threshold()
activation_rates.define_rates()
common.define_num_samples(10_000)
common.define_batch_size(480)
common.define_run()
common.define_resume()
SETS = ["LR:0.1", "LR:0.3", "LR:0.5", "LR:0.7", "HR:0.7", "random:0.3"]
flags.DEFINE_list("sets", SETS, "Sets of neurons to ablate: LR:R, HR:R and random:SHARE.")
common.define_indices()
flags.DEFINE_integer("shown", 6, "How many of Top and how many of Bottom are drawn.", 1)
SIZE = 16  # images rendered at a time
Sample = tuple[int, str]  # index and what is written above it


def extremes(
    generator: Generator, params: Params, rates: Rates, folder: Path, identity: dict[str, Any]
) -> list[Sample]:
    """Samples of --num_samples fresh ones with the most and the fewest activated LR neurons."""
    first = rates.num_samples
    found = detect(
        generator,
        params,
        low_rate(rates, FLAGS.threshold),
        num_samples=FLAGS.num_samples,
        first_index=first,
        seed=FLAGS.seed,
        mesh=runtime.data_mesh(),
        checkpoint=folder / "unfinished-scores.npz",
        identity=identity,
        progress="scoring samples",
    )
    top, bottom = ends(found.score, FLAGS.shown)
    named = [("Top", top), ("Bottom", bottom[::-1])]
    return [
        (first + int(i), f"{name}: {found.score[i]:,} LR\nsample {first + int(i)}")
        for name, places in named
        for i in places
    ]


def render_sets(
    generator: Generator,
    params: Params,
    rates: Rates,
    choices: list[Choice],
    layers: list[str],
    indices: list[int],
) -> np.ndarray:
    """Images [set, sample, h, w, c] of every set."""
    render = renderer(generator, FLAGS.seed)

    def one_set(choice: Choice, some: np.ndarray) -> jax.Array:
        edits = ablation(choice, rates, layers, ablation_keys(FLAGS.seed, jnp.asarray(some)))
        return render(params, some, edits)

    samples = np.asarray(indices, np.int32)
    return np.stack([in_batches(partial(one_set, choice), SIZE, samples) for choice in choices])


def main() -> None:
    print("ablating neurons", flush=True)
    choices = [Choice("none", 0.0), *map(parse_choice, FLAGS.sets)]
    given = common.given_indices()
    if given is None:
        check_ends(FLAGS.num_samples, FLAGS.shown)
    generator, params, identity = common.load_generator()
    layers = common.chosen_layers(generator)
    source = activation_rates.choose_rates(generator, params, layers, identity)

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        rates = source.rates(folder)
        if given is None:
            shown = extremes(generator, params, rates, folder, identity)
        else:
            shown = [(index, f"sample {index}") for index in given]
        indices = [index for index, _ in shown]
        images = render_sets(generator, params, rates, choices, layers, indices)
        changes = 127.5 * np.abs(images - images[0]).mean(axis=(2, 3, 4))
        summary = {
            "layers": layers,
            "indices": indices,
            "pixel_changes": {
                str(choice): row.tolist() for choice, row in zip(choices, changes, strict=True)
            },
        }
        return summary, {
            "images": images,
            "changes": changes,
            "rows": [choice.text for choice in choices],
            "heads": [head for _, head in shown],
        }

    def draw(folder: Path, arrays: entry.Arrays, title: str) -> list[str]:
        plots.ablation.draw_ablated(folder / "ablated.png", arrays, title)
        return ["ablated.png"]

    who = f"generator {identity['generator']}"
    what = f"Without activated neurons of {', '.join(layers)}, {who}"
    settings = {name: FLAGS[name].value for name in ("sets", "indices", "threshold", "shown")}
    settings |= {"layers": layers, "num_samples": FLAGS.num_samples, "rates": source.identity}
    entry.conclude(
        common.out_folder("ablate", identity["generator"], str(FLAGS.seed)),
        identity | settings,
        who,
        compute,
        partial(draw, title=what),
        describe,
    )


def describe(summary: entry.Summary) -> Iterator[str]:
    yield f"without activated neurons of {', '.join(summary['layers'])}; mean change of a pixel:"
    for name, changes in summary["pixel_changes"].items():
        if name != "none":
            yield f"  {name:<11} {np.mean(changes):.1f} of 255, {len(changes)} images"


if __name__ == "__main__":
    common.run(main)
