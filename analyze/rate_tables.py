"""Tables of Choi 2022, which go by activation rates: Top and Bottom, with and without neurons.

ablation_fid (table 1): FID of the images with the most activated LR neurons (Top) after ablation of
chosen neurons at chosen layers. top_bottom (table 2): precision, recall and realism of Top, Bottom
and as many other images.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from absl import flags
from jaxtyping import Float, Float32, Int, UInt8

from analyze import activation_rates, entry, feature_choice, image_choice
from analyze import flags as common
from analyze.tabulate import Plan, Table
from ganfail_jax import runtime
from ganfail_jax.analysis.ablation import (
    Choice,
    ablation,
    ablation_keys,
    parse_choice,
    renderer,
)
from ganfail_jax.analysis.detection import check_ends, detect, ends, rank_within
from ganfail_jax.analysis.detection_summary import classes_of
from ganfail_jax.analysis.rates import Rates, early_layers, find_layers, low_rate
from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8
from ganfail_jax.metrics.features import Features, classifier_features
from ganfail_jax.metrics.frechet import feature_moments, frechet
from ganfail_jax.metrics.precision_recall import manifold, precision_recall
from ganfail_jax.metrics.table import Cell
from ganfail_jax.types import Generator, LayerInfo, Params

FLAGS = flags.FLAGS
SETS = ["LR:0.7", "LR:0.5", "LR:0.3", "LR:0.1", "HR:0.7", "random:0.3"]
NONE = Choice("none", 0.0)


class Study(NamedTuple):
    """What a table is measured on."""

    generator: Generator
    params: Params
    identity: Mapping[str, Any]  # of everything but the images' number
    rates: Rates
    features: Features
    real: Float32[np.ndarray, "n d"]
    score: Float[np.ndarray, " n"]  # of samples first_index ..
    first_index: int

    def seen(
        self,
        indices: Int[np.ndarray, " n"],
        render: Callable[..., Any],
        name: str,
        choice: Choice = NONE,
        layers: Sequence[str] = (),
    ) -> Float32[np.ndarray, "n d"]:
        """Features of samples, some of whose neurons are ablated."""

        def take(numbers: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
            some = jnp.asarray(indices[numbers], jnp.int32)
            edits = ablation(choice, self.rates, layers, ablation_keys(FLAGS.seed, some))
            return to_uint8(np.asarray(render(self.params, some, edits)))

        images = Images((len(indices), *self.generator.image_shape), take)
        which = {"indices": indices.tolist(), "choice": str(choice), "layers": list(layers)}
        made = str({**self.identity, **which})
        compared = image_choice.Compared(self.identity["generator"], images, made)
        return compared.seen(self.features, name)


def ablation_fid(study: Study) -> list[Cell]:
    """Table 1 of Choi 2022."""
    top = study.first_index + ends(study.score, FLAGS.ends)[0]
    real, render = feature_moments(study.real), renderer(study.generator, FLAGS.seed)
    sets = layer_sets(study.generator.layers)
    cells = []
    for choice in [NONE, *map(parse_choice, FLAGS.sets)]:
        for layers in sets:
            name = " + ".join(layers)
            if choice == NONE and cells:  # one and the same for all layers
                measured = cells[0].measured
            else:
                seen = study.seen(top, render, f"{choice}, {name}", choice, layers)
                measured = frechet(real, seen, features=study.features.name)
            cells.append(Cell(choice.text, name, measured))
    return cells


def top_bottom(study: Study) -> list[Cell]:
    """Table 2 of Choi 2022; beyond it, as many samples whatever their score."""
    top, bottom = (study.first_index + places for places in ends(study.score, FLAGS.ends))
    others = study.first_index + np.arange(FLAGS.ends)
    render, real = renderer(study.generator, FLAGS.seed), manifold(study.real, FLAGS.neighbours)
    cells = []
    for name, indices in (("Bottom", bottom), ("Top", top), ("any", others)):
        seen = manifold(study.seen(indices, render, name), FLAGS.neighbours)
        found = precision_recall(real, seen, features=study.features.name)
        row = f"{name} {FLAGS.ends:,}"
        for measured in (found.precision, found.recall, found.realism):
            cells.append(Cell(row, measured.metric, measured))
    return cells


def layer_sets(layers: Mapping[str, LayerInfo]) -> list[list[str]]:
    """--layer_sets, or the paper's: each early layer, the first ones together, and one more.

    Raises:
        InputError: a layer is unknown.
    """
    if FLAGS.layer_sets is not None:
        return [find_layers(layers, names.split(",")) for names in FLAGS.layer_sets.split(";")]
    early, further = early_layers(layers), early_layers(layers, 4)
    together = [further[:n] for n in range(2, len(further) + 1)]
    return [[name] for name in early] + together


def _plan(measure: Callable[[Study], list[Cell]], settings: tuple[str, ...]) -> Plan:
    """Check the flags and load what is compared.

    Args:
        settings: flags of this table alone that change it.

    Raises:
        InputError: they do not fit each other.
    """
    check_ends(FLAGS.num_samples, FLAGS.ends)
    list(map(parse_choice, FLAGS.sets))
    (models,), identity = common.load_models()
    generator, params = models.generator, models.generator_params
    if FLAGS.within_classes and not generator.num_classes:
        raise InputError("--within_classes needs a generator with classes")
    if FLAGS.truncation_psi != 1:
        raise InputError("activation rates are without truncation; --truncation_psi must be 1")
    layers = early_layers(generator.layers)
    needed = {*layers, *(name for each in layer_sets(generator.layers) for name in each)}
    counted = find_layers(generator.layers, list(needed))
    source = activation_rates.choose_rates(generator, params, counted, identity)
    real = image_choice.real_images(generator.image_shape, "the generator's images", FLAGS.num_real)
    if real.images.shape[0] <= FLAGS.neighbours or FLAGS.ends <= FLAGS.neighbours:
        raise InputError(f"more than {FLAGS.neighbours} images of each kind are needed")
    name, sha256 = identity["classifiers"][0], identity["classifier_sha256"][0]
    own = classifier_features(name, models.classifier, models.classifier_params, sha256)
    features = feature_choice.chosen(own)
    made = {k: identity[k] for k in ("generator", "generator_sha256", "seed", "noise")}
    made |= {"rates": source.identity, "threshold": FLAGS.threshold}

    def compute(folder: Path) -> tuple[list[Cell], entry.Arrays]:
        rates = source.rates(folder)
        low = low_rate(rates, FLAGS.threshold)
        found = detect(
            generator,
            params,
            {name: low[name] for name in layers},
            num_samples=FLAGS.num_samples,
            first_index=source.num_samples,
            seed=FLAGS.seed,
            mesh=runtime.data_mesh(),
            checkpoint=folder / "unfinished-scores.npz",
            identity=made,
            progress="scoring samples",
        )
        seen = real.seen(features, "real images")
        score = found.score.astype(np.float64)
        indices = source.num_samples + np.arange(FLAGS.num_samples)
        classes = classes_of(generator, indices)
        if FLAGS.within_classes and classes is not None:
            score = rank_within(score, classes)
        study = Study(generator, params, made, rates, features, seen, score, source.num_samples)
        return measure(study), {"score": found.score}

    names = ("num_samples", "ends", "num_real", "within_classes", *settings)
    made_by = {n: FLAGS[n].value for n in names}
    return Plan(
        f"generator {identity['generator']} against {real.name}",
        (identity["generator"], real.name, str(FLAGS.seed)),
        made | made_by | {"real": real.key, "features": features.identity},
        compute,
    )


COMMON = ("threshold", "rates", "rates_samples", "num_samples", "ends", "within_classes")
SETS_OF = ("sets", "layer_sets")
TABLES = {
    "ablation_fid": Table(
        partial(_plan, ablation_fid, SETS_OF), (*COMMON, *SETS_OF), "ablated", "draw_grid"
    ),
    "top_bottom": Table(
        partial(_plan, top_bottom, ("neighbours",)),
        (*COMMON, "neighbours"),
        "images",
        "draw_groups",
    ),
}


def define() -> None:
    """Beside the flags that all tables have, and --neighbours."""
    common.define_threshold()
    activation_rates.define_rates()
    common.define_num_samples(50_000, least=4)
    flags.DEFINE_list("sets", SETS, "ablation_fid: sets of neurons to ablate.")
    flags.DEFINE_string(
        "layer_sets", None, "ablation_fid: layers to ablate together, as choi:0;choi:0,choi:1."
    )
    flags.DEFINE_integer("ends", 2000, "ablation_fid, top_bottom: images of Top and of Bottom.", 2)
    text = "ablation_fid, top_bottom: Top and Bottom of every class, as many of each."
    flags.DEFINE_bool("within_classes", False, text)
