"""Tables of Tousi 2021: how realistic artifacts are after a correction.

correction_fid (tables 2 and 4): FID of artifact samples after each correction, uncorrected, and of
normal samples. stopping_layer (fig. 12): FID and mean realism after sequential correction, by
stopping layer and share of units. ablated_units (fig. 10, 11): FID by the number of units of one
layer that are set to zero; in a draw of random ones the more include the fewer.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ganfail_jax.analysis.correction import SHARE, number_of_units
from ganfail_jax.analysis.correction_methods import METHODS, Method, Setting
from ganfail_jax.analysis.rates import find_layers
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Arrays
from ganfail_jax.metrics.measurement import Measurement, over_draws
from ganfail_jax.metrics.precision_recall import manifold
from ganfail_jax.metrics.table import Cell
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies.corrected_images import (
    Compared,
    CorrectedImages,
    Reference,
    corrected_images,
)
from ganfail_jax.studies.corrections import methods_of
from ganfail_jax.studies.tables import RANDOM_DRAWS, Layout, Table
from ganfail_jax.types import Generator, find_layer

ROWS = {"random": "Random", "fid": "FID", "ds": "DS", "sequential": "Sequential", "local": "Local"}
UNCORRECTED, NORMALS = "Artifacts", "Normals"
SHARES = (0.1, 0.2, 0.4)
SHARES_OF_LAYER = (0.02, 0.05, 0.1, 0.2, 0.4)
LAYOUTS = {
    "correction_fid": Layout("correction", "draw_groups"),
    "stopping_layer": Layout("sequential correction", "draw_grid"),
    "ablated_units": Layout("units at zero", "draw_grid"),
}
Cells = Callable[[CorrectedImages, Reference], list[Cell]]


def correction_fid(
    compared: Compared,
    *,
    methods: Sequence[str] | None = None,
    share: float = SHARE,
    random_draws: int = RANDOM_DRAWS,
) -> Table:
    """Tables 2 and 4.

    Args:
        methods: of `corrections.AUTOMATIC`; None: all that can be had.
        share: of a layer's units that is corrected.
        random_draws: of units, that the row Random is the mean of.

    Raises:
        InputError: as `corrections.methods_of` and `Compared.check`, or it is not a share.
    """
    has_fid = compared.corrections.unit_fid is not None
    chosen, stop = methods_of(methods, has_fid=has_fid), compared.corrections.layers[-1]
    number_of_units(share, 1)
    return _table(
        "correction_fid",
        compared,
        f"{100 * share:g} % of the units, to layer {stop}",
        {"stop": stop, "share": share, "methods": list(chosen), **_draws(chosen, random_draws)},
        partial(_correction_fid, methods=chosen, share=share, draws=random_draws),
    )


def stopping_layer(
    compared: Compared, *, stops: Sequence[str] | None = None, shares: Sequence[float] = SHARES
) -> Table:
    """Figure 12.

    Args:
        compared: its corrections reach to the last of the stops.
        stops: layers l; None: `default_stops`.
        shares: n, of a layer's units.

    Raises:
        InputError: an unknown layer, what is not a share, or as `Compared.check`.
    """
    generator = compared.corrections.case.models.generator
    stops = stops_of(generator, stops)
    shares = list(dict.fromkeys(shares))
    for share in shares:
        number_of_units(share, 1)
    return _table(
        "stopping_layer",
        compared,
        "sequential correction",
        {"stops": stops, "shares": shares},
        partial(_stopping_layer, stops=stops, shares=shares),
        least=compared.settings.neighbours,
    )


def ablated_units(
    compared: Compared,
    *,
    numbers: Sequence[int] | None = None,
    random_draws: int = RANDOM_DRAWS,
) -> Table:
    """Figures 10 and 11.

    Args:
        numbers: of units of the last layer; None: 2, 5, 10, 20 and 40 % of them.
        random_draws: of units, that the row Random is the mean of.

    Raises:
        InputError: the layer has not so many units, or as `Compared.check`.
    """
    corrections = compared.corrections
    stop = corrections.layers[-1]
    numbers = numbers_of(corrections.case.models.generator, stop, numbers)
    methods = ["ds", "random", *(["fid"] if corrections.unit_fid else [])]
    return _table(
        "ablated_units",
        compared,
        f"units of layer {stop} at zero",
        {"stop": stop, "numbers": numbers, **_draws(methods, random_draws)},
        partial(_ablated_units, numbers=numbers, methods=methods, draws=random_draws),
    )


def numbers_of(generator: Generator, stop: str, numbers: Sequence[int] | None = None) -> list[int]:
    """Numbers of units of a layer; None: 2, 5, 10, 20 and 40 % of them.

    Raises:
        InputError: the layer is unknown, or has not so many.
    """
    stop = find_layer(generator.layers, stop)
    size = generator.layers[stop].channels
    if numbers is None:
        return sorted({number_of_units(share, size) for share in SHARES_OF_LAYER})
    for n in numbers:
        if not 1 <= n <= size:
            raise InputError(f"--numbers has {n}, but layer {stop} has units 1 to {size}")
    return list(dict.fromkeys(numbers))


def _draws(methods: Collection[str], random_draws: int) -> dict[str, int]:
    """For the identity of a result."""
    return {"random_draws": random_draws} if "random" in methods and random_draws > 1 else {}


def stops_of(generator: Generator, names: Sequence[str] | None = None) -> list[str]:
    """Stopping layers in forward order; None: every third.

    Raises:
        InputError: one is unknown, or there is none.
    """
    if names is None:
        layers = list(generator.layers)
        return layers[2::3] or layers[-1:]
    if not names:
        raise InputError("--stops is empty; give some, or leave it out")
    return find_layers(generator.layers, names)


def _table(
    name: str,
    compared: Compared,
    text: str,
    settings: Mapping[str, Any],
    cells: Cells,
    least: int = 1,
) -> Table:
    """
    Args:
        text: what the table does, for a person.
        settings: for the identity of the result.
        least: more samples of each kind than that are needed.
    """
    compared.check(least)
    return Table(
        name=name,
        layout=LAYOUTS[name],
        subject=f"{text}, {compared.title}",
        names=compared.names,
        identity={**compared.corrections.identity, **settings, **compared.identity},
        measure=partial(_measure, compared, cells, least),
    )


def _measure(
    compared: Compared, cells: Cells, least: int, sweep: Sweep
) -> tuple[list[Cell], Arrays]:
    images = corrected_images(compared, least, sweep)
    arrays = {name: each.indices for name, each in images.populations._asdict().items()}
    return cells(images, images.reference()), arrays


def _fid(
    images: CorrectedImages, reference: Reference, setting: Setting, method: str, draws: int
) -> Callable[[str], Measurement]:
    """FID of the artifacts after a correction, of random units the mean of several draws.

    It takes the name of the progress bar.
    """
    samples = images.populations.artifacts
    settings = [setting._replace(draw=i) for i in range(draws if method == "random" else 1)]

    def measure(name: str) -> Measurement:
        features = (images.features(samples, name, METHODS[method], each) for each in settings)
        return over_draws([reference.fid(each, samples) for each in features])

    return measure


def _correction_fid(
    images: CorrectedImages,
    reference: Reference,
    methods: Mapping[str, Method],
    share: float,
    draws: int,
) -> list[Cell]:
    artifacts, normals = images.populations.artifacts, images.populations.normals
    stop = images.compared.corrections.layers[-1]
    setting = images.setting(stop, partial(number_of_units, share))
    cells = []
    for name in methods:
        measure = _fid(images, reference, setting, name, draws)
        cells.append((ROWS[name], measure(ROWS[name])))
    for row, samples in ((UNCORRECTED, artifacts), (NORMALS, normals)):
        cells.append((row, reference.fid(images.features(samples, row), samples)))
    return [Cell(row, measured.metric, measured) for row, measured in cells]


def _stopping_layer(
    images: CorrectedImages, reference: Reference, stops: list[str], shares: list[float]
) -> list[Cell]:
    real = manifold(reference.images.features, images.compared.settings.neighbours)
    samples = images.populations.artifacts

    def measure(
        name: str, method: Method | None = None, setting: Setting | None = None
    ) -> list[Measurement]:
        features = images.features(samples, name, method, setting)
        return [reference.fid(features, samples), reference.realism(real, features, samples)]

    before = measure(UNCORRECTED)
    measured = [("uncorrected", stop, before) for stop in stops]
    for share in shares:
        for stop in stops:
            setting = images.setting(stop, partial(number_of_units, share))
            name = f"n = {100 * share:g} %"
            both = measure(f"{name}, {stop}", METHODS["sequential"], setting)
            measured.append((name, stop, both))
    return [
        Cell(f"{both[i].metric}, {row}", stop, both[i])
        for i in (0, 1)
        for row, stop, both in measured
    ]


def _ablated_units(
    images: CorrectedImages,
    reference: Reference,
    numbers: list[int],
    methods: list[str],
    draws: int,
) -> list[Cell]:
    samples, stop = images.populations.artifacts, images.compared.corrections.layers[-1]
    before = reference.fid(images.features(samples, UNCORRECTED), samples)
    columns = {n: f"{n} unit{'s' * (n > 1)}" for n in numbers}
    cells = [Cell("uncorrected", columns[n], before) for n in numbers]
    for method in methods:
        for n in numbers:
            setting = images.setting(stop, lambda _, n=n: n)
            measure = _fid(images, reference, setting, method, draws)
            name = f"{ROWS[method]}, {columns[n]}"
            cells.append(Cell(ROWS[method], columns[n], measure(name)))
    return cells
