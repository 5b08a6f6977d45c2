"""Which units of a generator draw its artifacts? The defective score (Tousi 2021, definition 1).

    python -m analyze.defects --generator=FILE --artifact_classifier=runs/artifact_classifier/...

A unit's score is the mean overlap (IoU) of where it is active with where the classifier sees the
artifact (Grad-CAM), over the artifact images that the classifier was trained on.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from analyze import artifacts, entry
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.analysis.correction import STOP, layers_to
from ganfail_jax.analysis.defects import regions
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8

FLAGS = flags.FLAGS
common.define_dataset()
common.define_generator()
common.define_noise("const", common.LABELLED)
common.define_batch_size(64)
common.define_run()
common.define_resume()
artifacts.define(defects=False)
text = f"Layers by any of their names, by commas; all (default: up to {STOP}, the paper's last)."
flags.DEFINE_list("layers", None, text)
flags.DEFINE_integer("shown", 8, "How many artifact images of each layer are drawn.", 1)
NAMED = 5  # units of each layer that are told of


def main() -> None:
    print("scoring units by the artifacts they meet", flush=True)
    case = artifacts.chosen()
    generator = case.models.generator
    if FLAGS["seed"].present and FLAGS.seed != case.seed:
        raise InputError(f"the labelled samples are of seed {case.seed}: leave --seed out")
    if FLAGS.layers == []:
        raise InputError(f"--layers is empty; give some, or leave it out for those up to {STOP}")
    default = FLAGS.layers is None
    layers = layers_to(generator.layers) if default else common.chosen_layers(generator)

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        limits = artifacts.quantiles(case, layers, folder)
        found = artifacts.score(case, limits, folder)
        scores, errors = found.scores, found.standard_errors

        def told(name: str, unit: int) -> dict[str, float]:
            score, error = float(scores[name][unit]), float(errors[name][unit])
            return {"unit": unit, "score": score, "standard_error": error}

        order = {name: np.argsort(-scores[name], kind="stable") for name in layers}
        tops = [(name, int(order[name][0])) for name in layers]
        met = [np.argsort(-found.samples[name][:, unit], kind="stable") for name, unit in tops]
        shown = case.train.artifacts[np.stack(met)[:, : FLAGS.shown]]
        seen = regions(
            case.models,
            tops,
            {name: limits[name].value for name in layers},
            shown,
            artifact=case.artifact,
            seed=case.seed,
            mask_threshold=FLAGS.mask_threshold,
            order=FLAGS.order,
        )
        summary = {
            "artifacts": len(found.covered),
            "covered": float(found.covered.mean()),
            "without_mask": int((found.covered == 0).sum()),
            "tau": FLAGS.tau,
            "threshold_samples": FLAGS.threshold_samples,
            "layers": {
                name: {
                    "units": len(scores[name]),
                    "mean": float(scores[name].mean()),
                    "active_share": float(limits[name].share.mean()),
                    "largest_threshold_error": float(np.max(limits[name].error)),
                    "top": [told(name, int(unit)) for unit in order[name][:NAMED]],
                }
                for name in layers
            },
        }
        arrays = {
            "layers": layers,
            "indices": shown,
            "images": to_uint8(seen.images),
            "masks": seen.masks,
            "active": seen.active,
        }
        for name in layers:
            arrays[f"thresholds/{name}"] = limits[name].value
            arrays[f"scores/{name}"] = scores[name]
            arrays[f"standard_errors/{name}"] = errors[name]
            arrays[f"samples/{name}"] = found.samples[name]
        return summary, arrays

    who = f"generator {case.identity['generator']}"
    entry.conclude(
        common.out_folder("defects", case.identity["generator"], str(case.seed)),
        case.identity | artifacts.identity_of_scores(layers) | {"shown": FLAGS.shown},
        who,
        compute,
        lambda folder, arrays: plots.defects.draw(folder, arrays, who),
        describe,
    )


def describe(summary: entry.Summary) -> Iterator[str]:
    yield (
        f"{summary['artifacts']:,} artifact images; the mask covers {summary['covered']:.0%} of an "
        f"image on average, and nothing of {summary['without_mask']:,} of them"
    )
    yield (
        f"units are active above their {1 - summary['tau']:g} quantile over "
        f"{summary['threshold_samples']:,} samples; mean score of a layer, and its highest:"
    )
    for name, layer in summary["layers"].items():
        top = ", ".join(
            f"{each['unit']} ({each['score']:.3f} ± {each['standard_error']:.3f})"
            for each in layer["top"]
        )
        yield f"  {name}: {layer['mean']:.3f}; units {top}"


if __name__ == "__main__":
    common.run(main)
