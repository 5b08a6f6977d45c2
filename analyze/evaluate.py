"""How good is a generator? FID, KID, precision, recall, density, coverage and realism.

    python -m analyze.evaluate --dataset=mnist_c --metrics=fid,kid,pr,realism

Generated images, or the pictures in a folder (--generated), are compared with a dataset's training
images, or with the pictures in another folder (--images), by the features of a network, which every
output names. Features are kept on disk: an interrupted run goes on, and more images go on where
fewer ended.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags
from jaxtyping import Float64

from analyze import entry, feature_choice, image_choice
from analyze import flags as common
from ganfail_jax import plots
from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.evaluation import measure
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import COPY

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_run()
common.define_models()
common.define_noise("random", common.POPULATION)
common.define_num_samples(10_000, least=2)
common.define_batch_size(250)
common.define_resume()
feature_choice.define()
image_choice.define_real()
image_choice.define_generated()
flags.DEFINE_list(
    "metrics", ["fid", "kid", "pr", "realism"], "Of fid, kid, pr and realism; fid50k: of 50,000."
)
flags.DEFINE_integer("neighbours", 3, "k of precision, recall and realism.", 1)
SHOWN = 20  # least and most realistic images, at most


def extremes(images: Images, scores: Float64[np.ndarray, " n"]) -> dict[str, np.ndarray]:
    """The least and the most realistic images, in rising order; no image is both."""
    order = np.argsort(scores, kind="stable")
    order = order[scores[order] < COPY]
    n = min(SHOWN, len(order) // 2)
    arrays = {"realism": scores}
    for name, chosen in (("least", order[:n]), ("most", order[len(order) - n :])):
        arrays |= {name: images.take(chosen), f"{name}_realism": scores[chosen]}
    return arrays


def main() -> None:
    print("comparing generated with real images")
    who, fake, real, asked, identity, classifier, parts = image_choice.chosen()
    neighbours = FLAGS.neighbours if {"pr", "realism"} & asked.keys() else None
    if min(real.images.shape[0], *asked.values()) <= (neighbours or 1):
        why = f" by --neighbours={neighbours}" if neighbours else ""
        raise InputError(f"more than {neighbours or 1} images of each kind are needed{why}")
    features = feature_choice.chosen(classifier)
    whose = {
        "images": real.key,
        "metrics": asked,
        "neighbours": neighbours,
        "features": features.identity,
    }
    who = f"{who} against {real.name}, {features.name}"

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        seen = real.seen(features, "real images"), fake.seen(features, "generated images")
        found, scores = measure(asked, *seen, features=features.name, neighbours=FLAGS.neighbours)
        arrays = {} if scores is None else extremes(fake.images, scores)
        return {"measurements": [each.summary() for each in found]}, arrays

    def draw(folder: Path, arrays: entry.Arrays) -> list[str]:
        if not len(arrays.get("least", ())):  # not asked for, or nothing but copies of real ones
            return []
        plots.realism.draw_extremes(folder / "realism.png", arrays, who)
        return ["realism.png"]

    def describe(summary: entry.Summary) -> Iterator[str]:
        for fields in summary["measurements"]:
            yield str(Measurement(**fields))

    folder = common.out_folder("evaluate", *parts, *FLAGS.metrics)
    entry.conclude(folder, identity | whose, who, compute, draw, describe)


if __name__ == "__main__":
    common.run(main)
