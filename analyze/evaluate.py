"""How good is a generator? FID, KID, precision, recall, density, coverage and realism.

    python -m analyze.evaluate --dataset=mnist_c --metrics=fid,kid,pr,realism

Generated images are compared with a dataset's training images, or with the pictures in a folder
(--images), by the features of a network, which every output names. Features are kept on disk: an
interrupted run goes on, and real images are looked at once.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from jaxtyping import Float32, Float64

from analyze import entry, feature_choice
from analyze import flags as common
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.data.image_folder import load_folder
from ganfail_jax.data.image_sets import Images, generated, in_memory
from ganfail_jax.data.pipelines import load_dataset
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import feature_cache
from ganfail_jax.metrics.evaluation import measure, requests
from ganfail_jax.metrics.features import classifier_features, extract_features
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.plots.realism import draw_extremes
from ganfail_jax.types import Generator

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_run()
common.define_models()
common.define_num_samples(10_000, least=2)
common.define_batch_size(250)
common.define_resume()
feature_choice.define()
flags.DEFINE_list(
    "metrics", ["fid", "kid", "pr", "realism"], "Of fid, kid, pr and realism; fid50k: of 50,000."
)
flags.DEFINE_string("images", None, "Folder of real pictures (else: --dataset's training images).")
flags.DEFINE_integer("neighbours", 3, "k of precision, recall and realism.", 1)
SHOWN = 20  # least and most realistic images


class Compared(NamedTuple):
    """One of the two sets of images."""

    name: str
    images: Images
    key: str  # what determines the images, but for their number


def real_images(generator: Generator) -> Compared:
    """The pictures of --images or of the dataset.

    Raises:
        InputError: they are missing, damaged or of another size than the generator's.
    """
    if FLAGS.images:
        name, images = Path(FLAGS.images).name, load_folder(FLAGS.images, generator.image_shape)
    else:
        dataset = load_dataset(FLAGS.dataset, "train", mnist_dir=FLAGS.mnist_dir)
        print(f"real images: {dataset.source}")
        if dataset.images.shape[1:] != generator.image_shape:
            raise InputError(
                f"images of {dataset.name} are {dataset.images.shape[1:]}, the generator makes "
                f"{generator.image_shape}; give --images"
            )
        name, images = dataset.name, dataset.images
    found = in_memory(images)
    return Compared(name, found, feature_cache.images_hash(found))


def generated_images(models: Models, identity: Mapping[str, Any], n: int) -> Compared:
    source = {k: identity[k] for k in ("generator_sha256", "seed", "truncation_psi")}
    images = generated(
        models.generator,
        models.generator_params,
        n,
        seed=FLAGS.seed,
        truncation_psi=FLAGS.truncation_psi,
    )
    return Compared(identity["generator"], images, str(source))


def extremes(images: Images, scores: Float64[np.ndarray, " n"]) -> dict[str, np.ndarray]:
    """The least and the most realistic images, in rising order."""
    order = np.argsort(scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    arrays = {"realism": scores}
    for name, chosen in (("least", order[:SHOWN]), ("most", order[-SHOWN:])):
        arrays |= {name: images.take(chosen), f"{name}_realism": scores[chosen]}
    return arrays


def main() -> None:
    print("comparing generated with real images")
    asked = requests(FLAGS.metrics, FLAGS.num_samples)
    (models,), identity = common.load_models()
    real = real_images(models.generator)
    fake = generated_images(models, identity, max(asked.values()))
    if min(real.images.shape[0], *asked.values()) <= FLAGS.neighbours:
        raise InputError(f"more than {FLAGS.neighbours} images of each kind are needed")
    name, sha256 = identity["classifiers"][0], identity["classifier_sha256"][0]
    own = classifier_features(name, models.classifier, models.classifier_params, sha256)
    features = feature_choice.chosen(own)
    whose = {
        "images": real.key,
        "metrics": asked,
        "neighbours": FLAGS.neighbours,
        "features": features.identity,
    }
    who = f"generator {fake.name} against {real.name}"

    def extract(compared: Compared, kind: str) -> Float32[np.ndarray, "n d"]:
        return extract_features(
            features,
            compared.images,
            batch_size=FLAGS.batch_size,
            cache=feature_cache.open_cache(features.identity, compared.name, compared.key),
            progress=f"{kind} images",
        )

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        seen = extract(real, "real"), extract(fake, "generated")
        found, scores = measure(asked, *seen, features=features.name, neighbours=FLAGS.neighbours)
        arrays = {} if scores is None else extremes(fake.images, scores)
        return {"measurements": [each.summary() for each in found]}, arrays

    def draw(folder: Path, arrays: entry.Arrays) -> list[str]:
        if "least" not in arrays:
            return []
        draw_extremes(folder / "realism.png", arrays, f"{who}, {features.name}")
        return ["realism.png"]

    def describe(summary: entry.Summary) -> Iterator[str]:
        for fields in summary["measurements"]:
            yield str(Measurement(**fields))

    folder = common.out_folder("evaluate", fake.name, real.name, str(FLAGS.seed))
    entry.conclude(folder, identity | whose, who, compute, draw, describe)


if __name__ == "__main__":
    common.run(main)
