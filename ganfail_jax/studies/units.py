"""What does each unit of a layer draw, and which draw artifacts? (Tousi 2021, sec. 3.1 and 3.3)

The Frechet distance of the samples that activate a unit most from real images, these samples, the
unit's representative image, and groups of units that draw alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Float64, Int

from ganfail_jax import plots
from ganfail_jax.analysis.correction import STOP, given_units
from ganfail_jax.analysis.rates import find_layers
from ganfail_jax.analysis.unit_activity import (
    Measure,
    Top,
    images_and_map,
    representative_image,
    top_samples,
)
from ganfail_jax.analysis.unit_clusters import cluster_units
from ganfail_jax.data.pipelines import to_picture
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.latents import latents
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.frechet import feature_moments
from ganfail_jax.metrics.unit_frechet import subset_distances
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import warnings
from ganfail_jax.studies.images import ImageSet, of_samples
from ganfail_jax.studies.subject import GeneratorSubject
from ganfail_jax.studies.unit_fid import FID
from ganfail_jax.types import Generator, Params

ENDS, MOST = 5, 40  # units shown of either end; units that can be named
IMAGES = 10  # shown of each unit
MEMBERS = 10  # shown of each group
RANDOM = 20  # random sets of as many images, to compare with
LISTED = 20  # units of the highest FID in result.json: those that the paper ablates
OWN = "all of the generator's samples"


class Settings(NamedTuple):
    """What changes the result."""

    num_samples: int = 20_000
    seed: int = 0
    top: int = 20  # images per unit that make its representative image
    measure: Measure = "max"  # over a unit's map: how active it is
    clusters: int = 8  # groups of units
    layers: Sequence[str] = (STOP,)  # by any of their names
    units: Sequence[int] | None = None  # shown; None: those of the highest and the lowest FID
    fid_top: int | None = None  # images per unit whose FID it has; None: 5 % of the samples


class Reference(NamedTuple):
    """What the units' images are compared with, and by what."""

    features: Features
    real: ImageSet | None  # None: the generator's own samples

    @property
    def name(self) -> str:
        return OWN if self.real is None else self.real.name


def plan(
    subject: GeneratorSubject,
    reference: Reference,
    settings: Settings = Settings(),
    run: Run = Run(),
) -> Job:
    """The job for one generator.

    Raises:
        InputError: as `checked`.
    """
    settings = checked(settings, subject.generator)
    own = {
        "features": reference.features.identity,
        "reference": OWN if reference.real is None else reference.real.key,
    }
    title = f"generator {subject.name}"
    identity = {**subject.identity, **settings._asdict(), **own}
    shown = {"units": identity.pop("units")}
    return Job(
        folder=run.folder("units", subject.name, settings.seed, shown=["show_units"]),
        identity=identity,
        subject=title,
        compute=partial(_compute, subject, reference, settings),
        draw=partial(_draw, title, reference, settings),
        describe=_describe,
        settings=run,
        shown=shown,
        show=partial(_show, subject, settings),
    )


def checked(settings: Settings, generator: Generator) -> Settings:
    """The same with full names of layers, units without repetition, and a number for fid_top.

    Raises:
        InputError: an unknown layer or unit, too many units, or more images or groups than there
            are.
    """
    layers = find_layers(generator.layers, settings.layers)
    sizes = {name: generator.layers[name].channels for name in layers}
    units, fid_top = _check_units(settings.units, sizes), _check_numbers(settings, sizes)
    return settings._replace(layers=layers, units=units, fid_top=fid_top)


def _check_units(units: Sequence[int] | None, sizes: Mapping[str, int]) -> list[int] | None:
    """Without repetition."""
    if units is None:
        return None
    units = list(dict.fromkeys(units))
    if len(units) > MOST:
        raise InputError(f"--show_units has {len(units)} units; give 1 to {MOST}")
    if len(sizes) > 1:
        raise InputError(f"--show_units are of one layer: give one of --layers, not {len(sizes)}")
    given_units(units, *sizes.values())
    return units


def _check_numbers(settings: Settings, sizes: Mapping[str, int]) -> int:
    """The images whose FID a unit has: as given, or 5 % of the samples as in the paper."""
    n = settings.num_samples
    fid_top = max(n // 20, 2) if settings.fid_top is None else settings.fid_top
    for name, k in (("fid_top", fid_top), ("top", settings.top)):
        if k >= n:
            raise InputError(f"--{name}={k:,} of {n:,} samples: give fewer, or more --num_samples")
    for layer, size in sizes.items():
        if settings.clusters > size:
            raise InputError(f"--clusters={settings.clusters}, but {layer} has {size} units")
    return fid_top


def _compute(
    subject: GeneratorSubject, reference: Reference, settings: Settings, sweep: Sweep
) -> tuple[Summary, Arrays]:
    features, real, k = reference.features, reference.real, settings.fid_top
    assert k is not None  # since `checked`
    own = of_samples(subject, settings.num_samples, seed=settings.seed)
    rows = own.features(features, sweep.batch_size, "samples")
    others = rows if real is None else real.features(features, sweep.batch_size, "real images")
    moments = feature_moments(others)
    top = top_samples(
        subject.generator,
        subject.params,
        settings.layers,
        max(k, settings.top),
        settings.num_samples,
        sweep.named("top samples"),
        measure=settings.measure,
        seed=settings.seed,
    )
    rng = np.random.default_rng(settings.seed)
    random = np.stack([rng.permutation(len(rows))[:k] for _ in range(RANDOM)], axis=1)
    chance = subset_distances(moments, rows, random)
    layers, arrays = {}, {"random": chance}
    lines = warnings.of_values(rows, "samples have the same features")
    if real is not None:
        lines += warnings.of_values(others, "real images have the same features")
    for layer in settings.layers:
        what = f"top samples are as active as each other, in all units of {layer}"
        lines += warnings.of_values(top[layer].values, what)
        sets, how = top[layer].indices[:k], sweep.named(f"FID, {layer}")
        fid = subset_distances(moments, rows, sets, how)
        layers[layer], own = _study_layer(settings, rows, top[layer], fid)
        arrays |= {FID + layer: fid} | {f"{name}/{layer}": each for name, each in own.items()}
    summary = {
        "warnings": lines,
        "num_samples": settings.num_samples,
        "fid_top": k,
        "reference": reference.name,
        "features": features.name,
        "dimensions": features.dim,
        "random": {"mean": chance.mean(), "lowest": chance.min(), "highest": chance.max()},
        "layers": layers,
    }
    return summary, arrays


def _study_layer(
    settings: Settings,
    features: Float32[np.ndarray, "n d"],
    top: Top,
    fid: Float64[np.ndarray, " c"],
) -> tuple[Summary, Arrays]:
    """What result.json and the figures have of one layer."""
    order = np.argsort(-fid, kind="stable")
    few = top.indices[: settings.top]
    means = features[few].mean(axis=0, dtype=np.float64)
    clusters = cluster_units(means, fid, settings.clusters)
    groups = [clusters.members(i) for i in range(clusters.of_unit.max() + 1)]
    members = np.concatenate([units[:MEMBERS] for units in groups])
    summary = {
        "units": len(fid),
        "fid": {"mean": fid.mean(), "lowest": fid.min(), "highest": fid.max()},
        "highest": order[:LISTED].tolist(),
        "clusters": [
            {"units": np.sort(units).tolist(), "mean_fid": fid[units].mean()} for units in groups
        ],
    }
    return summary, {
        "members": members,
        "cluster": clusters.of_unit,
        "top": top.indices,
        "values": top.values,
    }


def _show(subject: GeneratorSubject, settings: Settings, sweep: Sweep, result: Result) -> Arrays:
    """Pictures of the units named or of either end, and of members of the groups."""
    shown_arrays, arrays = {}, result.arrays
    for layer in settings.layers:
        order = np.argsort(-arrays[FID + layer], kind="stable").tolist()
        shown = settings.units or [*dict.fromkeys([*order[:ENDS], *order[-ENDS:]])]
        others = [u for u in arrays[f"members/{layer}"].tolist() if u not in shown]
        few = arrays[f"top/{layer}"][: settings.top]
        pictures = _pictures(subject, settings.seed, layer, few, shown, others)
        shown_arrays |= {f"{name}/{layer}": each for name, each in pictures.items()}
    return shown_arrays


def _pictures(
    subject: GeneratorSubject,
    seed: int,
    layer: str,
    samples: Int[np.ndarray, "k c"],
    shown: Sequence[int],
    others: Sequence[int],
) -> dict[str, Any]:
    """Representative images of units, and of those shown also their top images and maps."""
    generator, params = subject.generator, subject.params

    @jax.jit
    def represent(params: Params, indices: Array) -> Array:
        drawn = latents(generator, seed, indices)
        styles = generator.styles(params, drawn.z, drawn.one_hot)
        return representative_image(generator, params, styles, layer, drawn.noise_keys)[0]

    @jax.jit
    def picture(params: Params, indices: Array, unit: Array) -> tuple[Array, Array]:
        return images_and_map(generator, params, layer, unit, indices, seed)

    units = [*shown, *others]
    means = [np.asarray(represent(params, samples[:, u])) for u in units]
    pairs = [jax.device_get(picture(params, samples[:IMAGES, u], jnp.asarray(u))) for u in shown]
    images, maps = (np.stack(each) for each in zip(*pairs, strict=True))
    return {
        "shown": np.asarray(shown),
        "pictured": np.asarray(units),
        "representative": to_picture(np.stack(means)),
        "images": to_picture(images),
        "maps": maps,
    }


def _draw(
    title: str, reference: Reference, settings: Settings, folder: Path, result: Result
) -> list[str]:
    what = (
        f"FID of a unit's top {settings.fid_top:,} of {settings.num_samples:,} images from "
        f"{reference.name},\n{reference.features.name}"
    )
    arrays, record = result.arrays, plots.units.Units
    layers = {
        layer: record(*(arrays[f"{name}/{layer}"] for name in record._fields))
        for layer in settings.layers
    }
    return plots.units.draw(folder, layers, arrays["random"], title, what)


def _describe(summary: Summary) -> Iterator[str]:
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
