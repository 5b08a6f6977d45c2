"""Tables of Tousi 2021: how realistic artifacts are after a correction.

correction_fid (tables 2 and 4): FID of artifact samples after each correction, uncorrected, and of
normal samples. stopping_layer (fig. 12): FID and mean realism after sequential correction, by
stopping layer and share of units. ablated_units (fig. 10, 11): FID by the number of units of one
layer that are set to zero; random ones are one draw, in which the more include the fewer.
"""

from collections.abc import Mapping
from functools import partial

from absl import flags

from analyze import correction_choice, correction_study
from analyze import flags as common
from analyze.correction_study import NAMES, Asked, Reference, Study, plan
from analyze.tabulate import Table
from ganfail_jax.analysis.correction import layers_to, number_of_units
from ganfail_jax.analysis.correction_methods import METHODS, Method, Setting
from ganfail_jax.analysis.rates import find_layers
from ganfail_jax.errors import InputError
from ganfail_jax.metrics.measurement import Measurement
from ganfail_jax.metrics.precision_recall import manifold
from ganfail_jax.metrics.table import Cell
from ganfail_jax.types import Generator

FLAGS = flags.FLAGS
ROWS = {
    "random": "Random",
    "fid": "FID",
    "ds": "DS",
    "sequential": "Sequential",
    "local": "Local",
}
UNCORRECTED, NORMALS = "Artifacts", "Normals"
SHARES_OF_LAYER = (0.02, 0.05, 0.1, 0.2, 0.4)


def correction_fid(study: Study, reference: Reference, methods: Mapping[str, Method]) -> list[Cell]:
    """Tables 2 and 4."""
    setting = study.setting(study.choice.layers[-1], partial(number_of_units, FLAGS.share))
    cells = []
    for name, method in methods.items():
        seen = study.seen(study.artifacts, ROWS[name], method, setting)
        cells.append((ROWS[name], reference.fid(seen, study.artifacts)))
    for row, samples in ((UNCORRECTED, study.artifacts), (NORMALS, study.normals)):
        seen = study.seen(samples, row, None, None)
        cells.append((row, reference.fid(seen, samples)))
    return [Cell(row, measured.metric, measured) for row, measured in cells]


def stopping_layer(
    study: Study, reference: Reference, stops: list[str], shares: list[float]
) -> list[Cell]:
    """Figure 12."""
    real, samples = manifold(reference.seen, FLAGS.neighbours), study.artifacts

    def measure(name: str, method: Method | None, setting: Setting | None) -> list[Measurement]:
        seen = study.seen(samples, name, method, setting)
        return [reference.fid(seen, samples), reference.realism(real, seen, samples)]

    before = measure(UNCORRECTED, None, None)
    found = [("uncorrected", stop, before) for stop in stops]
    for share in shares:
        for stop in stops:
            setting = study.setting(stop, partial(number_of_units, share))
            name = f"n = {100 * share:g} %"
            both = measure(f"{name}, {stop}", METHODS["sequential"], setting)
            found.append((name, stop, both))
    return [
        Cell(f"{both[i].metric}, {row}", stop, both[i]) for i in (0, 1) for row, stop, both in found
    ]


def ablated_units(
    study: Study, reference: Reference, numbers: list[int], methods: list[str]
) -> list[Cell]:
    """Figures 10 and 11."""
    samples = study.artifacts
    before = reference.fid(study.seen(samples, UNCORRECTED, None, None), samples)
    columns = {n: f"{n} unit{'s' * (n > 1)}" for n in numbers}
    cells = [Cell("uncorrected", columns[n], before) for n in numbers]
    for method in methods:
        for n in numbers:
            setting = study.setting(study.choice.layers[-1], lambda _, n=n: n)
            name = f"{ROWS[method]}, {columns[n]}"
            seen = study.seen(samples, name, METHODS[method], setting)
            cells.append(Cell(ROWS[method], columns[n], reference.fid(seen, samples)))
    return cells


def _ask_correction_fid(generator: Generator) -> Asked:
    layers, methods = layers_to(generator.layers, FLAGS.stop), correction_choice.given_methods()
    settings = {"stop": layers[-1], "share": FLAGS.share, "methods": list(methods)}
    text = f"{100 * FLAGS.share:g} % of the units, to layer {layers[-1]}"
    return Asked(text, layers, settings, partial(correction_fid, methods=methods))


def _ask_stopping_layer(generator: Generator) -> Asked:
    if FLAGS.stops == []:
        raise InputError("--stops is empty; give some, or leave it out")
    names = list(generator.layers)
    every_third = names[2::3] or names[-1:]
    stops = every_third if FLAGS.stops is None else find_layers(generator.layers, FLAGS.stops)
    shares = _shares()
    for share in shares:
        number_of_units(share, 1)
    settings = {"stops": stops, "shares": shares}
    measure = partial(stopping_layer, stops=stops, shares=shares)
    layers = layers_to(generator.layers, stops[-1])
    return Asked("sequential correction", layers, settings, measure, FLAGS.neighbours)


def _ask_ablated_units(generator: Generator) -> Asked:
    layers = layers_to(generator.layers, FLAGS.stop)
    size = generator.layers[layers[-1]].channels
    numbers = common.whole_numbers("numbers", "give whole numbers of units")
    if numbers is None:
        numbers = sorted({number_of_units(share, size) for share in SHARES_OF_LAYER})
    numbers = list(dict.fromkeys(numbers))
    for n in numbers:
        if not 1 <= n <= size:
            raise InputError(f"--numbers has {n}, but layer {layers[-1]} has units 1 to {size}")
    methods = ["ds", "random", *(["fid"] if FLAGS.unit_fid else [])]
    if "fid" not in methods:
        print(correction_choice.NO_FID)
    settings = {"stop": layers[-1], "numbers": numbers}
    measure = partial(ablated_units, numbers=numbers, methods=methods)
    return Asked(f"units of layer {layers[-1]} at zero", layers, settings, measure)


def _shares() -> list[float]:
    """--shares without repetition.

    Raises:
        InputError: one is no number, or there is none.
    """
    if not FLAGS.shares:
        raise InputError("--shares is empty; give some, or leave it out")
    try:
        return list(dict.fromkeys(map(float, FLAGS.shares)))
    except ValueError as error:
        raise InputError(f"--shares has what is no number: {','.join(FLAGS.shares)}") from error


TABLES = {
    "correction_fid": Table(
        partial(plan, _ask_correction_fid),
        (*NAMES, "unit_fid", "methods", "stop", "share"),
        "correction",
        "draw_groups",
    ),
    "stopping_layer": Table(
        partial(plan, _ask_stopping_layer),
        (*NAMES, "stops", "shares", "neighbours"),
        "sequential correction",
        "draw_grid",
    ),
    "ablated_units": Table(
        partial(plan, _ask_ablated_units),
        (*NAMES, "unit_fid", "stop", "numbers"),
        "units at zero",
        "draw_grid",
    ),
}


def define() -> None:
    """Beside the flags that all tables have, and --neighbours."""
    correction_study.define()
    correction_choice.define_methods()
    correction_choice.define_stop()
    correction_choice.define_share()
    text = "stopping_layer: layers l, by commas (default: every third)."
    flags.DEFINE_list("stops", None, text)
    flags.DEFINE_list("shares", ["0.1", "0.2", "0.4"], "stopping_layer: shares n, by commas.")
    text = "ablated_units: numbers of units, by commas (default: 2, 5, 10, 20, 40 % of the layer)."
    flags.DEFINE_list("numbers", None, text)
