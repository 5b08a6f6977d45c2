"""How good is a generator? FID, KID, precision, recall, density, coverage and realism.

    python -m analyze.evaluate --dataset=mnist_c --metrics=fid,kid,pr,realism

Generated images are compared with a dataset's training images, or with the pictures in a folder
(--images), by the features of a network, which every output names. Features are kept on disk: an
interrupted run goes on, and real images are looked at once.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from jaxtyping import Float32, UInt8

from analyze import entry, feature_choice
from analyze import flags as common
from ganfail_jax import runtime
from ganfail_jax.data.image_folder import load_folder
from ganfail_jax.data.pipelines import load_dataset, to_uint8
from ganfail_jax.errors import InputError
from ganfail_jax.latents import latents
from ganfail_jax.metrics import feature_cache
from ganfail_jax.metrics.features import Features, classifier_features, extract_features
from ganfail_jax.metrics.frechet import feature_moments, frechet
from ganfail_jax.metrics.kernel import kid
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import manifold, precision_recall
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
METRIC = re.compile(r"(fid|kid|pr|realism)(?:([1-9]\d{0,5})k)?", re.ASCII)
SHOWN = 20  # least and most realistic images


class Real(NamedTuple):
    """The images that are compared with."""

    name: str
    images: UInt8[np.ndarray, "n h w c"]


def requests() -> dict[str, int]:
    """Metric -> number of generated images.

    Raises:
        InputError: there is no such metric.
    """
    found = {}
    for asked in FLAGS.metrics:
        match = METRIC.fullmatch(asked)
        if match is None or match[1] in found:
            raise InputError(
                f"--metrics has {asked!r}; give each of fid, kid, pr and realism at most once, "
                "with a number of thousands or without: fid50k"
            )
        found[match[1]] = 1000 * int(match[2]) if match[2] else FLAGS.num_samples
    if not found:
        raise InputError("--metrics is empty; give some of fid, kid, pr and realism")
    return found


def real_images(generator: Generator) -> Real:
    """The pictures of --images or of the dataset.

    Raises:
        InputError: they are missing, damaged or of another size than the generator's.
    """
    if FLAGS.images:
        return Real(Path(FLAGS.images).name, load_folder(FLAGS.images, generator.image_shape))
    dataset = load_dataset(FLAGS.dataset, "train", mnist_dir=FLAGS.mnist_dir)
    print(f"real images: {dataset.source}")
    if dataset.images.shape[1:] != generator.image_shape:
        raise InputError(
            f"images of {dataset.name} are {dataset.images.shape[1:]}, the generator makes "
            f"{generator.image_shape}; give --images"
        )
    return Real(dataset.name, dataset.images)


def renderer(generator: Generator) -> Callable[..., jax.Array]:
    """Compiled: (params, sample indices [b]) -> images [b,h,w,c] in [-1, 1]."""

    @jax.jit
    def render(params: Any, indices: jax.Array) -> jax.Array:
        drawn = latents(generator, FLAGS.seed, indices)
        styles = generator.styles(params, drawn.z, drawn.one_hot, FLAGS.truncation_psi)
        return generator.synthesize(params, styles)[0]

    return render


def generated(
    render: Callable[..., jax.Array], params: Any, samples: int
) -> Iterator[UInt8[np.ndarray, "b h w c"]]:
    """The first samples, a batch at a time, over all devices."""
    mesh = runtime.data_mesh()
    size = -(-min(FLAGS.batch_size, samples) // mesh.size) * mesh.size
    for start in range(0, samples, size):
        indices = runtime.shard_batch(mesh, np.arange(start, start + size, dtype=np.int32))
        yield to_uint8(np.asarray(render(params, indices)))[: samples - start]


def measure(
    asked: Mapping[str, int],
    features: Features,
    real: Float32[np.ndarray, "n d"],
    fake: Float32[np.ndarray, "m d"],
) -> tuple[list[Measurement], np.ndarray | None]:
    """All metrics asked for, and the realism of each generated image where it is one of them."""
    found: list[Measurement] = []
    if "fid" in asked:
        moments = feature_moments(real)
        found.append(frechet(moments, fake[: asked["fid"]], features=features.name))
    if "kid" in asked:
        found.append(kid(real, fake[: asked["kid"]], features=features.name))
    near = asked.keys() & {"pr", "realism"}
    scores = None
    if near:
        some = fake[: max(asked[name] for name in near)]
        balls = [manifold(each, FLAGS.neighbours) for each in (real, some)]
        compared = precision_recall(*balls, features=features.name)
        if "pr" in asked:
            found += [compared.precision, compared.recall, compared.density, compared.coverage]
        if "realism" in asked:
            found.append(compared.realism)
            scores = compared.scores
    return found, scores


def main() -> None:
    print("comparing generated with real images")
    asked = requests()
    (models,), identity = common.load_models()
    generator, params = models.generator, models.generator_params
    real = real_images(generator)
    if min(len(real.images), *asked.values()) <= FLAGS.neighbours:
        raise InputError(f"more than {FLAGS.neighbours} images of each kind are needed")
    name, sha256 = identity["classifiers"][0], identity["classifier_sha256"][0]
    own = classifier_features(name, models.classifier, models.classifier_params, sha256)
    features = feature_choice.chosen(own)
    images = feature_cache.images_hash(real.images)
    whose = {
        "images": images,
        "metrics": asked,
        "neighbours": FLAGS.neighbours,
        "features": features.identity,
    }
    who = f"generator {identity['generator']} against {real.name}"
    parts = (identity["generator"], real.name, str(FLAGS.seed))
    total = max(asked.values())
    batch = min(FLAGS.batch_size, features.at_once or FLAGS.batch_size)

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        source = {k: identity[k] for k in ("generator_sha256", "seed", "truncation_psi")}
        caches = [
            feature_cache.open_cache(features.identity, name, what)
            for name, what in ((real.name, images), (identity["generator"], f"{source} {total}"))
        ]
        render = renderer(generator)
        kinds = (real.images, generated(render, params, total))
        named = zip(kinds, caches, ("real images", "generated images"), strict=True)
        seen = [
            extract_features(features, given, batch_size=batch, cache=cache, progress=progress)
            for given, cache, progress in named
        ]
        found, scores = measure(asked, features, *seen)
        arrays = {}
        if scores is not None:
            order = np.argsort(scores, kind="stable")
            order = order[np.isfinite(scores[order])]
            for name, chosen in (("least", order[:SHOWN]), ("most", order[-SHOWN:])):
                pictures = to_uint8(np.asarray(render(params, chosen.astype(np.int32))))
                arrays |= {name: pictures, f"{name}_realism": scores[chosen]}
            arrays["realism"] = scores
        return {"measurements": [each.summary() for each in found]}, arrays

    def draw(folder: Path, arrays: entry.Arrays) -> list[str]:
        if "least" not in arrays:
            return []
        draw_extremes(folder / "realism.png", arrays, f"{who}, {features.name}")
        return ["realism.png"]

    def describe(summary: entry.Summary) -> Iterator[str]:
        for fields in summary["measurements"]:
            yield str(Measurement(**fields))

    folder = common.out_folder("evaluate", *parts)
    entry.conclude(folder, identity | whose, who, compute, draw, describe)


if __name__ == "__main__":
    common.run(main)
