"""Tables of Choi 2022 about Top and Bottom, the samples with the most and fewest LR neurons.

ablation_fid (table 1): FID of Top after ablation of sets of neurons at sets of layers. top_bottom
(table 2): precision, recall and realism of Top, of Bottom and of as many other samples.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, UInt8

from ganfail_jax.analysis.ablation import Choice, ablation, ablation_keys, parse_choice
from ganfail_jax.analysis.detection import check_ends, detect, ends, rank_within
from ganfail_jax.analysis.rates import Rates, early_layers, find_layers, low_rate
from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_uint8
from ganfail_jax.jobs import Arrays
from ganfail_jax.latents import renderer, sample_labels
from ganfail_jax.metrics.features import Features
from ganfail_jax.metrics.frechet import feature_set, frechet
from ganfail_jax.metrics.measurement import over_draws
from ganfail_jax.metrics.precision_recall import manifold, precision_recall
from ganfail_jax.metrics.table import Cell
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies.activation_rates import ActivationRates
from ganfail_jax.studies.images import ImageSet
from ganfail_jax.studies.subject import GeneratorSubject
from ganfail_jax.studies.tables import RANDOM_DRAWS, Layout, Table
from ganfail_jax.types import LayerInfo

SETS = ("LR:0.7", "LR:0.5", "LR:0.3", "LR:0.1", "HR:0.7", "random:0.3")
NONE = Choice("none", 0.0)
LEAST = 3  # more real images and more of either end than this are needed


class Compared(NamedTuple):
    """What a table compares."""

    subject: GeneratorSubject
    source: ActivationRates  # at least of the early layers
    real: ImageSet
    features: Features


class Settings(NamedTuple):
    """What both tables have and changes them."""

    num_samples: int = 50_000  # those that follow the samples of the rates
    seed: int = 0
    threshold: float = 0.3  # largest rate of an LR neuron
    ends: int = 2_000  # samples in Top and in Bottom
    num_real: int = 10_000  # so many real images at most were drawn
    within_classes: bool = False  # whether Top and Bottom have as many samples of every class


class Scored(NamedTuple):
    """Fresh samples with their scores, and what their images are compared with."""

    compared: Compared
    settings: Settings
    identity: Mapping[str, Any]  # of the samples and the rates
    rates: Rates
    real: Float32[np.ndarray, "r d"]  # features
    score: Float[np.ndarray, " n"]
    batch_size: int
    render: Callable[..., Array]  # from `renderer`

    def ends(self) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, " s"]]:
        """The samples of Top and of Bottom."""
        top, bottom = ends(self.score, self.settings.ends)
        first = self.compared.source.num_samples
        return first + top, first + bottom

    def features(
        self,
        indices: Int[np.ndarray, " s"],
        name: str,
        choice: Choice = NONE,
        layers: Sequence[str] = (),
        draw: int = 0,
    ) -> Float32[np.ndarray, "s d"]:
        """Features of samples, some of whose neurons at these layers are ablated.

        Args:
            name: of the progress bar.
            draw: of random neurons.
        """
        subject = self.compared.subject

        def take(places: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
            some = jnp.asarray(indices[places], jnp.int32)
            keys = ablation_keys(self.settings.seed, some, draw)
            edits = ablation(choice, self.rates, layers, keys)
            return to_uint8(np.asarray(self.render(subject.params, some, edits)))

        which = {"indices": indices.tolist(), "choice": str(choice), "layers": list(layers)}
        which |= {"draw": draw} if draw else {}
        images = Images((len(indices), *subject.generator.image_shape), take)
        samples = ImageSet(subject.name, images, str({**self.identity, **which}))
        return samples.features(self.compared.features, self.batch_size, name)


def check(
    subject: GeneratorSubject, settings: Settings, least: int = LEAST, sets: Sequence[str] = ()
) -> None:
    """What can be refused before images are read.

    Args:
        least: more images of each kind than this are needed.
        sets: of neurons.

    Raises:
        InputError: no such set, overlapping ends, too few images, or no classes.
    """
    for text in sets:
        parse_choice(text)
    check_ends(settings.num_samples, settings.ends)
    if settings.within_classes and not subject.generator.num_classes:
        raise InputError("--within_classes needs a generator with classes")
    if min(settings.ends, settings.num_real) <= least:
        raise InputError(f"more than {least} images of each kind are needed")


def find_layer_sets(
    layers: Mapping[str, LayerInfo], layer_sets: Sequence[Sequence[str]] | None = None
) -> list[list[str]]:
    """Sets of layers by any of their names, each in forward order.

    None: the paper's; each early layer, the first ones together, and one more.

    Raises:
        InputError: a layer is unknown.
    """
    if layer_sets is not None:
        return [find_layers(layers, names) for names in layer_sets]
    early, further = early_layers(layers), early_layers(layers, 4)
    together = [further[:n] for n in range(2, len(further) + 1)]
    return [[name] for name in early] + together


def ablation_fid(
    compared: Compared,
    settings: Settings = Settings(),
    *,
    sets: Sequence[str] = SETS,
    layer_sets: Sequence[Sequence[str]] | None = None,
    random_draws: int = RANDOM_DRAWS,
) -> Table:
    """Table 1; beyond it, every FID with its interval, and random ablation several times.

    Args:
        sets: of neurons: LR:R, HR:R and random:SHARE.
        layer_sets: see `find_layer_sets`; the rates are of all their layers.
        random_draws: that a random set's FID is the mean of.

    Raises:
        InputError: no such set or layer, no rates of one, overlapping ends, or too few images.
    """
    together = find_layer_sets(compared.subject.generator.layers, layer_sets)
    _check_rates(compared.source, itertools.chain(*together))
    names = None if layer_sets is None else ";".join(map(",".join, layer_sets))
    choices = [NONE, *map(parse_choice, sets)]
    measure = partial(_ablation_fid, choices, together, random_draws)
    identity: dict[str, Any] = {"sets": list(sets), "layer_sets": names}
    if random_draws > 1 and any(choice.kind == "random" for choice in choices):
        identity["random_draws"] = random_draws
    layout = Layout("ablated", "draw_grid")
    return _table("ablation_fid", layout, measure, identity, compared, settings)


def _ablation_fid(
    choices: Sequence[Choice],
    layer_sets: Sequence[Sequence[str]],
    random_draws: int,
    scored: Scored,
) -> list[Cell]:
    top, real = scored.ends()[0], feature_set(scored.real)
    cells: list[Cell] = []
    for choice in choices:
        for layers in layer_sets:
            name = " + ".join(layers)
            if choice == NONE and cells:  # one and the same for all layers
                measured = cells[0].measured
            else:
                measured = over_draws(
                    [
                        frechet(
                            real,
                            scored.features(top, f"{choice}, {name}", choice, layers, draw),
                            features=scored.compared.features.name,
                        )
                        for draw in range(random_draws if choice.kind == "random" else 1)
                    ]
                )
            cells.append(Cell(choice.text, name, measured))
    return cells


def top_bottom(
    compared: Compared, settings: Settings = Settings(), *, neighbours: int = LEAST
) -> Table:
    """Table 2; beyond it, as many samples whatever their score.

    Args:
        neighbours: k of precision, recall and realism.

    Raises:
        InputError: overlapping ends, or too few images.
    """
    measure = partial(_top_bottom, neighbours)
    layout, identity = Layout("images", "draw_groups"), {"neighbours": neighbours}
    return _table("top_bottom", layout, measure, identity, compared, settings, neighbours)


def _top_bottom(neighbours: int, scored: Scored) -> list[Cell]:
    top, bottom = scored.ends()
    size, name = scored.settings.ends, scored.compared.features.name
    others = scored.compared.source.num_samples + np.arange(size)
    real = manifold(scored.real, neighbours)
    cells = []
    for kind, indices in (("Bottom", bottom), ("Top", top), ("any", others)):
        generated = manifold(scored.features(indices, kind), neighbours)
        measured = precision_recall(real, generated, features=name)
        for each in (measured.precision, measured.recall, measured.realism):
            cells.append(Cell(f"{kind} {size:,}", each.metric, each))
    return cells


def _table(
    name: str,
    layout: Layout,
    measure: Callable[[Scored], list[Cell]],
    own: Mapping[str, Any],
    compared: Compared,
    settings: Settings,
    least: int = LEAST,
) -> Table:
    """
    Args:
        own: what else changes this table.
        least: more images of each kind than this are needed.

    Raises:
        InputError: no rates of a layer, overlapping ends, too few images, or no classes.
    """
    subject, source, real, features = compared
    _check_rates(source, early_layers(subject.generator.layers))
    check(subject, settings, least)
    if real.images.shape[0] <= least:
        raise InputError(f"more than {least} images of each kind are needed")
    samples = {key: subject.identity[key] for key in ("generator", "generator_sha256")}
    samples |= {"seed": settings.seed, "noise": subject.identity["noise"]}
    samples |= {"rates": source.identity, "threshold": settings.threshold}
    of_images = {"real": real.key, "features": features.identity}
    return Table(
        name=name,
        layout=layout,
        subject=f"generator {subject.name} against {real.name}",
        names=(subject.name, real.name, str(settings.seed)),
        identity={**samples, **settings._asdict(), **own, **of_images},
        measure=partial(_measure, measure, compared, settings, samples),
    )


def _check_rates(source: ActivationRates, layers: Iterable[str]) -> None:
    if missing := {*layers} - {*source.layers}:
        raise InputError(f"there are no rates of {', '.join(sorted(missing))}")


def _measure(
    measure: Callable[[Scored], list[Cell]],
    compared: Compared,
    settings: Settings,
    identity: Mapping[str, Any],
    sweep: Sweep,
) -> tuple[list[Cell], Arrays]:
    subject, source, real, features = compared
    generator, early = subject.generator, early_layers(subject.generator.layers)
    rates = source.rates(sweep)
    low = low_rate(rates, settings.threshold)
    detected = detect(
        generator,
        subject.params,
        {name: low[name] for name in early},
        settings.num_samples,
        sweep.named("scoring samples"),
        seed=settings.seed,
        first_index=source.num_samples,
    )
    score = detected.score.astype(np.float64)
    classes = sample_labels(generator, source.num_samples + np.arange(settings.num_samples))
    if settings.within_classes:
        score = rank_within(score, classes)
    scored = Scored(
        compared=compared,
        settings=settings,
        identity=identity,
        rates=rates,
        real=real.features(features, sweep.batch_size, "real images"),
        score=score,
        batch_size=sweep.batch_size,
        render=renderer(generator, settings.seed),
    )
    return measure(scored), {"score": detected.score}
