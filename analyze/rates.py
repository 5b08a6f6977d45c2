"""How often is each neuron of a generator activated? (Choi 2022, sec. 3.1)

    python -m analyze.rates --dataset=mnist_c

Counts, for every neuron of the early layers, how many of 30,000 samples activate it: the same
counts on one device, on several, and on several hosts. --published reads the authors' own rates.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots, runtime
from ganfail_jax.analysis import rates
from ganfail_jax.analysis.convergence import Convergence, Sight, converge, look
from ganfail_jax.errors import InputError
from ganfail_jax.types import Generator, find_layer

FLAGS = flags.FLAGS
common.define_dataset()
common.define_generator()
common.define_noise("const", common.CHOI)
common.define_layers()
common.define_threshold()
common.define_num_samples(30_000)
common.define_batch_size(480)
common.define_run()
common.define_resume()
common.define_hosts()
flags.DEFINE_list("published", [], "The authors' .npy files instead, one for each of --layers.")
TABLE = (0.1, 0.3, 0.5, 0.7)  # thresholds of the paper's table 1


def summarize(found: rates.Rates, threshold: float) -> dict[str, Any]:
    """For result.json."""
    low, unsure = rates.low_rate(found, threshold), rates.uncertain(found, threshold)
    alive = rates.low_rate(found, threshold, dead=False)
    tables = {each: rates.low_rate(found, each) for each in TABLE}
    return {
        name: {
            "neurons": counts.size,
            "never_activated": int((counts == 0).sum()),
            "low_rate": int(low[name].sum()),
            "low_rate_without_never": int(alive[name].sum()),
            "low_rate_activated_per_image": rates.expected_activated(found, {name: low[name]}),
            "uncertain_share": float(unsure[name].mean()),
            "low_rate_shares": {str(t): float(masks[name].mean()) for t, masks in tables.items()},
        }
        for name, counts in found.counts.items()
    }


def describe(summary: entry.Summary) -> Iterator[str]:
    yield (
        f"{summary['num_samples']:,} samples; LR: activated by at most {summary['threshold']:g} "
        "of them"
    )
    for name, layer in summary["layers"].items():
        yield (
            f"  {name}: {layer['low_rate']:,} of {layer['neurons']:,} neurons are LR, "
            f"{layer['never_activated']:,} of them never activated; a sample activates "
            f"{layer['low_rate_activated_per_image']:,.1f} LR neurons; "
            f"{layer['uncertain_share']:.2%} of the neurons may be LR or HR"
        )


def draw(folder: Path, arrays: entry.Arrays, who: str) -> list[str]:
    found = rates.restore(arrays)
    plots.rates.draw_rates(folder / "rates.png", found, float(arrays["threshold"]), who)
    if "at" not in arrays:  # published
        return ["rates.png"]
    settled = Convergence(*(arrays[name] for name in Convergence._fields))
    plots.rates.draw_convergence(folder / "convergence.png", settled, list(found.counts), who)
    return ["rates.png", "convergence.png"]


def read_published(generator: Generator, layers: list[str]) -> rates.Rates | None:
    """The rates in --published, whose files are in the order of --layers.

    Raises:
        InputError: a file is unreadable or misfitting, or there is not one for each layer.
    """
    files, n = FLAGS.published, FLAGS.num_samples
    if not files:
        return None
    asked = layers if FLAGS.layers in (None, ["all"]) else FLAGS.layers
    if len(files) != len(asked):
        raise InputError(f"--published has {len(files)} files for the layers {', '.join(asked)}")
    of = {find_layer(generator.layers, name): f for name, f in zip(asked, files, strict=True)}
    infos = {layer: generator.layers[layer] for layer in layers}
    read = {name: rates.read_published(Path(of[name]), info, n) for name, info in infos.items()}
    return rates.Rates(read, n)


def main() -> None:
    print("counting how often every neuron is activated", flush=True)
    generator, params, identity = common.load_generator()
    layers = common.chosen_layers(generator)
    published = read_published(generator, layers)
    counted = {"layers": layers, "num_samples": FLAGS.num_samples} | identity

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        sights: list[Sight] = []
        found = published or rates.count_rates(
            generator,
            params,
            layers,
            num_samples=FLAGS.num_samples,
            batch_size=FLAGS.batch_size,
            mesh=runtime.data_mesh(),
            seed=FLAGS.seed,
            see=lambda so_far: sights.append(look(so_far, FLAGS.threshold)),
            folder=folder,
            identity=counted,
            progress="counting",
        )
        arrays = found.arrays() | {"threshold": FLAGS.threshold}
        if sights:
            arrays |= converge(sights, [n.size for n in found.counts.values()])._asdict()
        summary = {"num_samples": found.num_samples, "threshold": FLAGS.threshold}
        return summary | {"layers": summarize(found, FLAGS.threshold)}, arrays

    who = f"generator {identity['generator']}"
    parts = ("rates", identity["generator"], str(FLAGS.seed))
    files = published.counts.values() if published else ()
    hashes = [hashlib.sha256(counts.tobytes()).hexdigest() for counts in files]
    settings = {"threshold": FLAGS.threshold, "published": hashes}
    entry.conclude(
        common.out_folder(*parts),
        counted | settings,
        who,
        compute,
        lambda folder, arrays: draw(folder, arrays, who),
        describe,
    )


if __name__ == "__main__":
    common.run(main)
