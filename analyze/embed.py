"""Which latent space separates classes and outcomes best? (Le Coz 2022, fig. 3, sec. 3.1)

python -m analyze.embed --dataset=mnist_c
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from absl import flags

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.analysis import embedding
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.samples import outcome_names
from ganfail_jax.errors import InputError

FLAGS = flags.FLAGS
common.define_dataset()
common.define_models()
common.define_noise("random", common.POPULATION)
common.define_num_samples(10_000, least=10)
common.define_batch_size(250)
common.define_run()
common.define_resume()
flags.DEFINE_integer("embedded", 2_500, "Samples on the maps, at most num_samples.", 3)
flags.DEFINE_integer("neighbours", 10, "k of the nearest neighbours.", 1)
flags.DEFINE_float("perplexity", 30.0, "Of t-SNE.", lower_bound=1.0)


def table(measures: tuple[str, ...], rows: np.ndarray) -> dict[str, Any]:
    """Value and interval of every measure, for result.json."""
    return {
        name: {"value": float(value), "interval95": [float(low), float(high)]}
        for name, (value, low, high) in zip(measures, rows, strict=True)
    }


def compute(run: entry.Run) -> tuple[entry.Summary, entry.Arrays]:
    (models,) = run.models
    shared = {
        "batch_size": FLAGS.batch_size,
        "seed": FLAGS.seed,
        "truncation_psi": FLAGS.truncation_psi,
    }
    samples = run.collect()
    spaces = embedding.latent_spaces(models, samples, mesh=run.mesh, **shared)
    found = embedding.embed(
        spaces,
        samples,
        embedded=FLAGS.embedded,
        k=FLAGS.neighbours,
        perplexity=FLAGS.perplexity,
        seed=FLAGS.seed,
    )
    outcomes = outcome_names(models.generator)
    counts = int(samples.right.sum()), int((~samples.right).sum())
    summary = {
        "samples": dict(zip(outcomes, counts, strict=True)),
        "class_is": "prediction" if not models.generator.num_classes else "label",
        "spaces": {
            name: {"dimensions": int(size), **table(found.measures, rows)}
            for name, size, rows in zip(found.spaces, found.dimensions, found.numbers, strict=True)
        },
        "differences": {
            f"{later} - {earlier}": table(found.measures, rows)
            for (earlier, later), rows in zip(pairwise(found.spaces), found.gains, strict=True)
        },
    }
    mapped = found.points.shape[1]
    return summary, found._asdict() | {
        "target": samples.target[:mapped],
        "right": samples.right[0, :mapped],
        "class_names": models.classifier.class_names,
        "outcomes": outcomes,
        "labelled": bool(models.generator.num_classes),
        "num_samples": counts,
    }


def describe(content: entry.Summary) -> Iterator[str]:
    yield " and ".join(f"{n:,} {name}" for name, n in content["samples"].items())
    if content["class_is"] == "prediction":
        yield "the generator has no classes: a sample's class is the classifier's prediction"
    for part, form in (("spaces", ".3f"), ("differences", "+.3f")):
        for name, measures in content[part].items():
            for measure in embedding.MEASURES:
                value, interval = measures[measure]["value"], measures[measure]["interval95"]
                told = "none: too few samples of an outcome" if value is None else f"{value:{form}}"
                if None not in interval:
                    told += f" [{interval[0]:{form}}, {interval[1]:{form}}]"
                yield f"  {name:<6} {measure:<35} {told}"


def check(models: tuple[Models, ...]) -> None:
    mapped = min(FLAGS.embedded, FLAGS.num_samples)
    if FLAGS.perplexity >= mapped:
        raise InputError(f"--perplexity={FLAGS.perplexity:g} needs more than {mapped} samples")
    if FLAGS.neighbours >= FLAGS.num_samples:
        raise InputError(
            f"--neighbours={FLAGS.neighbours} needs more than {FLAGS.num_samples} samples"
        )


def main() -> None:
    entry.analyse(
        entry.Analysis(
            name="embed",
            question="mapping the latent spaces by class and by outcome",
            settings=("num_samples", "embedded", "neighbours", "perplexity"),
            compute=compute,
            draw=plots.embedding.draw,
            describe=describe,
            check=check,
        )
    )


if __name__ == "__main__":
    common.run(main)
