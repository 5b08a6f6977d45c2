"""What does each unit of a layer draw, and which draw artifacts? (Tousi 2021, sec. 3.1 and 3.3)

    python -m analyze.units --generator=mnist_c_pggan --dataset=mnist_c

Scores every unit by the Frechet distance of the 5 % of the samples that activate it most (the
paper: 10,000 of 200,000) from real images: high, it counts as a unit that draws artifacts. Without
--dataset or --images a generator is compared with all its own samples. Shows units beside their top
images and their representative image (fig. 4, 7), and groups of units that draw alike (fig. 8).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jaxtyping import Array, Float32, Float64, Int

from analyze import entry, feature_choice, image_choice
from analyze import flags as common
from analyze.unit_fid import FID
from ganfail_jax import plots, runtime
from ganfail_jax.analysis.correction import STOP, given_units
from ganfail_jax.analysis.unit_activity import (
    MEASURES,
    Top,
    representative_image,
    seen_by_unit,
    top_samples,
)
from ganfail_jax.analysis.unit_clusters import cluster_units
from ganfail_jax.data.pipelines import to_picture
from ganfail_jax.errors import InputError
from ganfail_jax.latents import latents
from ganfail_jax.metrics.frechet import FeatureMoments, feature_moments
from ganfail_jax.metrics.unit_frechet import subset_distances
from ganfail_jax.types import Generator, Params

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_generator()
common.define_noise("const", common.LABELLED)
common.define_layers(STOP)
common.define_num_samples(20_000, least=3)
common.define_batch_size(250)
common.define_run()
common.define_resume()
feature_choice.define()
image_choice.define_real()
flags.DEFINE_string("classifier", None, "Of its features (default: the dataset's, if it fits).")
flags.DEFINE_integer("fid_top", None, "Images per unit whose FID it has (default: 5 %).", 2)
flags.DEFINE_integer("top", 20, "Images per unit that make its representative image.", 1)
flags.DEFINE_enum("measure", "max", list(MEASURES), "Over a unit's map: how active it is.")
flags.DEFINE_list("units", None, "Units shown, such as 3,17 (default: of highest and lowest FID).")
flags.DEFINE_integer("clusters", 8, "Groups of units.", 1)
ENDS, MOST = 5, 40  # units shown of either end; units that --units takes
IMAGES = 10  # shown of each unit
MEMBERS = 10  # shown of each group
RANDOM = 20  # random sets of as many images, to compare with
LISTED = 20  # units of the highest FID in result.json: those that the paper ablates
OWN = "all of the generator's samples"


class Study(NamedTuple):
    """What the units of a layer are judged by."""

    generator: Generator
    params: Params
    seen: Float32[np.ndarray, "n d"]  # features of the samples
    reference: FeatureMoments
    units: Sequence[int] | None  # to show


def units_asked_for(sizes: Mapping[str, int]) -> list[int] | None:
    """--units.

    Raises:
        InputError: one is no unit of the layer, there are several layers, or too many units.
    """
    units = common.whole_numbers("units", "units count from 0")
    if units is None:
        return None
    asked = list(dict.fromkeys(units))
    if len(asked) > MOST:
        raise InputError(f"--units has {len(asked)} units; give 1 to {MOST}")
    if len(sizes) > 1:
        raise InputError(f"--units are of one layer: give one of --layers, not {len(sizes)}")
    given_units(asked, *sizes.values())
    return asked


def fid_top(sizes: Mapping[str, int]) -> int:
    """--fid_top, or 5 % of the samples as in the paper.

    Raises:
        InputError: it, --top or --clusters is more than there are.
    """
    n = FLAGS.num_samples
    asked = max(n // 20, 2) if FLAGS.fid_top is None else FLAGS.fid_top
    for name, k in (("fid_top", asked), ("top", FLAGS.top)):
        if k >= n:
            raise InputError(f"--{name}={k:,} of {n:,} samples: give fewer, or more --num_samples")
    for layer, size in sizes.items():
        if FLAGS.clusters > size:
            raise InputError(f"--clusters={FLAGS.clusters}, but {layer} has {size} units")
    return asked


def real_images(generator: Generator) -> image_choice.Compared | None:
    """Of --images or --dataset; None: a generator of one's own without either."""
    if FLAGS.generator and not (FLAGS.images or FLAGS["dataset"].present):
        return None
    return image_choice.real_images(generator.image_shape, "the generator's images")


def pictures(
    generator: Generator,
    params: Params,
    layer: str,
    samples: Int[np.ndarray, "k c"],
    shown: Sequence[int],
    others: Sequence[int],
) -> dict[str, np.ndarray]:
    """Representative images of units, and of those shown also their top images and maps."""

    @jax.jit
    def represent(params: Params, indices: Array) -> Array:
        drawn = latents(generator, FLAGS.seed, indices)
        styles = generator.styles(params, drawn.z, drawn.one_hot)
        return representative_image(generator, params, styles, layer, drawn.noise_keys)[0]

    @jax.jit
    def see(params: Params, indices: Array, unit: Array) -> tuple[Array, Array]:
        return seen_by_unit(generator, params, layer, unit, indices, FLAGS.seed)

    units = [*shown, *others]
    means = [np.asarray(represent(params, samples[: FLAGS.top, u])) for u in units]
    pairs = [jax.device_get(see(params, samples[:IMAGES, u], jnp.asarray(u))) for u in shown]
    images, maps = (np.stack(each) for each in zip(*pairs, strict=True))
    return {
        "shown": np.asarray(shown),
        "pictured": np.asarray(units),
        "representative": to_picture(np.stack(means)),
        "images": to_picture(images),
        "maps": maps,
    }


def study_layer(
    study: Study, layer: str, top: Top, fid: Float64[np.ndarray, " c"]
) -> tuple[entry.Summary, entry.Arrays]:
    """What result.json and the figures have of one layer."""
    order = np.argsort(-fid, kind="stable")
    few = top.indices[: FLAGS.top]
    means = study.seen[few].mean(axis=0, dtype=np.float64)
    clusters = cluster_units(means, fid, FLAGS.clusters)
    groups = [clusters.members(i) for i in range(clusters.of_unit.max() + 1)]
    shown = study.units or list(dict.fromkeys([*order[:ENDS].tolist(), *order[-ENDS:].tolist()]))
    members = np.concatenate([own[:MEMBERS] for own in groups])
    others = [u for u in members.tolist() if u not in shown]
    arrays = pictures(study.generator, study.params, layer, few, shown, others)
    summary = {
        "units": len(fid),
        "fid": {"mean": fid.mean(), "lowest": fid.min(), "highest": fid.max()},
        "highest": order[:LISTED].tolist(),
        "clusters": [
            {"units": np.sort(own).tolist(), "mean_fid": fid[own].mean()} for own in groups
        ],
    }
    return summary, arrays | {
        "members": members,
        "cluster": clusters.of_unit,
        "top": top.indices,
        "values": top.values,
    }


def describe(summary: entry.Summary) -> Iterator[str]:
    chance = summary["random"]
    yield (
        f"FID of the {summary['fid_top']:,} of {summary['num_samples']:,} samples that activate a "
        f"unit most, from {summary['reference']}, on {summary['features']}; of as many random "
        f"samples: {chance['mean']:.4g} ({chance['lowest']:.4g} to {chance['highest']:.4g})"
    )
    if summary["fid_top"] <= summary["dimensions"]:
        yield (
            f"  {summary['fid_top']:,} images in {summary['dimensions']:,} dimensions: all "
            "distances are biased upwards alike"
        )
    for name, layer in summary["layers"].items():
        fid, first = layer["fid"], ", ".join(map(str, layer["highest"][:10]))
        yield (
            f"  {name}: {layer['units']:,} units, FID {fid['lowest']:.4g} to {fid['highest']:.4g}, "
            f"mean {fid['mean']:.4g}; the highest: units {first}"
        )
        for i, group in enumerate(layer["clusters"], 1):
            size = len(group["units"])
            yield f"    cluster {i}: units: {size}, mean FID {group['mean_fid']:.4g}"


def main() -> None:
    print("looking at what activates the units", flush=True)
    generator, params, identity = common.load_generator()
    layers = common.chosen_layers(generator)
    sizes = {name: generator.layers[name].channels for name in layers}
    units, k = units_asked_for(sizes), fid_top(sizes)
    real = real_images(generator)
    features = feature_choice.chosen_for(generator.image_shape)
    samples = image_choice.own_samples(generator, params, FLAGS.num_samples, identity)
    identity |= {name: FLAGS[name].value for name in ("num_samples", "top", "measure", "clusters")}
    identity |= {
        "layers": layers,
        "units": units,
        "fid_top": k,
        "features": features.identity,
        "reference": real.key if real else OWN,
    }

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        seen = samples.seen(features, "samples")
        reference = feature_moments(real.seen(features, "real images") if real else seen)
        study = Study(generator, params, seen, reference, units)
        top = top_samples(
            generator,
            params,
            layers,
            max(k, FLAGS.top),
            num_samples=FLAGS.num_samples,
            batch_size=FLAGS.batch_size,
            mesh=runtime.data_mesh(),
            measure=FLAGS.measure,
            seed=FLAGS.seed,
            checkpoint=folder / "unfinished-top.npz",
            identity=identity,
            progress="top samples",
        )
        rng = np.random.default_rng(FLAGS.seed)
        random = np.stack([rng.permutation(len(seen))[:k] for _ in range(RANDOM)], axis=1)
        chance = subset_distances(reference, seen, random)
        found, arrays = {}, {}
        for layer in layers:
            fid = subset_distances(
                reference,
                seen,
                top[layer].indices[:k],
                checkpoint=folder / f"unfinished-fid-{layer.replace('/', '-')}.npz",
                identity=identity,
                progress=f"FID, {layer}",
            )
            found[layer], made = study_layer(study, layer, top[layer], fid)
            arrays |= {FID + layer: fid} | {f"{n}/{layer}": array for n, array in made.items()}
        summary = {
            "num_samples": FLAGS.num_samples,
            "fid_top": k,
            "reference": real.name if real else OWN,
            "features": features.name,
            "dimensions": features.dim,
            "random": {"mean": chance.mean(), "lowest": chance.min(), "highest": chance.max()},
            "layers": found,
        }
        return summary, arrays | {"random": chance}

    who = f"generator {identity['generator']}"
    what = f"FID of a unit's top {k:,} of {FLAGS.num_samples:,} images from "
    what += f"{real.name if real else OWN},\n{features.name}"
    folder = common.out_folder("units", identity["generator"], str(FLAGS.seed))
    entry.conclude(
        folder,
        identity,
        who,
        compute,
        lambda folder, arrays: plots.units.draw(folder, arrays, layers, who, what),
        describe,
    )


if __name__ == "__main__":
    common.run(main)
