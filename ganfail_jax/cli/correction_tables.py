"""Flags of the tables of Tousi 2021: correction_fid, stopping_layer and ablated_units."""

from absl.flags import DEFINE_enum, DEFINE_integer, DEFINE_list, FlagValues

from ganfail_jax.analysis.correction import number_of_units
from ganfail_jax.cli import artifacts, corrections
from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.features import features_for
from ganfail_jax.cli.flags import settings_from, whole_numbers
from ganfail_jax.cli.images import real_images_from
from ganfail_jax.cli.tables import TableFlags
from ganfail_jax.errors import InputError
from ganfail_jax.studies import corrected_images, correction_tables
from ganfail_jax.studies.artifact_case import ArtifactCase
from ganfail_jax.studies.corrected_images import Compared
from ganfail_jax.studies.images import ImageSet
from ganfail_jax.studies.tables import Table
from ganfail_jax.types import Generator

REAL, NORMALS = "real", "normals"
COMMON = (*corrections.OF_ALL, "candidates", "num_artifacts", "reference")


def define(flags: FlagValues) -> None:
    """Beside the flags that all tables have, and --neighbours."""
    corrections.define_corrections(flags)
    corrections.define_methods(flags)
    corrections.define_stop(flags)
    corrections.define_share(flags)
    text = "Fresh samples among which the classifier finds further artifacts and normals."
    DEFINE_integer("candidates", 4_000, text, 0, MOST_SAMPLES, flag_values=flags)
    text = "Artifacts, and as many normals, at most."
    DEFINE_integer("num_artifacts", 1_000, text, 2, MOST_SAMPLES, flag_values=flags)
    text = "Against real images, or the generator's own normals, of which others make the table."
    DEFINE_enum("reference", REAL, [REAL, NORMALS], text, flag_values=flags)
    text = "stopping_layer: layers l, by commas (default: every third)."
    DEFINE_list("stops", None, text, flag_values=flags)
    shares = [str(share) for share in correction_tables.SHARES]
    text = "stopping_layer: shares n, by commas."
    DEFINE_list("shares", shares, text, flag_values=flags)
    text = "ablated_units: numbers of units, by commas (default: 2, 5, 10, 20, 40 % of the layer)."
    DEFINE_list("numbers", None, text, flag_values=flags)


def _correction_fid(flags: FlagValues) -> Table:
    methods = corrections.methods_from(flags)
    compared = _compared(flags, _case(flags), flags.stop)
    own = {"share": flags.share, "random_draws": flags.random_draws}
    return correction_tables.correction_fid(compared, methods=methods, **own)


def _stopping_layer(flags: FlagValues) -> Table:
    shares, case = _shares(flags), _case(flags)
    stops = correction_tables.stops_of(case.models.generator, flags.stops)
    compared = _compared(flags, case, stops[-1], flags.neighbours)
    return correction_tables.stopping_layer(compared, stops=stops, shares=shares)


def _ablated_units(flags: FlagValues) -> Table:
    numbers = whole_numbers(flags, "numbers", "give whole numbers of units")
    if flags.unit_fid is None:
        corrections.say_that_fid_is_left_out()
    case = _case(flags)
    correction_tables.numbers_of(case.models.generator, flags.stop, numbers)
    compared = _compared(flags, case, flags.stop)
    draws = flags.random_draws
    return correction_tables.ablated_units(compared, numbers=numbers, random_draws=draws)


def _case(flags: FlagValues) -> ArtifactCase:
    if flags.truncation_psi != 1:
        raise InputError("corrections are without truncation; --truncation_psi must be 1")
    return artifacts.case_from(flags)


def _compared(flags: FlagValues, case: ArtifactCase, stop: str, least: int = 1) -> Compared:
    generator, settings = case.models.generator, settings_from(corrected_images.Settings, flags)
    corrected_images.check(case, settings, least)
    return Compared(
        corrections=corrections.corrections_from(flags, case, stop),
        features=features_for(flags, generator.image_shape),
        real=_real_images(flags, generator) if flags.reference == REAL else None,
        settings=settings,
    )


def _real_images(flags: FlagValues, generator: Generator) -> ImageSet:
    try:
        return real_images_from(flags, generator.image_shape, most=flags.num_real)
    except InputError as error:
        raise InputError(
            f"{error}; or --reference=normals compares with the generator's own normals"
        ) from error


def _shares(flags: FlagValues) -> list[float]:
    """--shares.

    Raises:
        InputError: one is not a share, or there is none.
    """
    if not flags.shares:
        raise InputError("--shares is empty; give some, or leave it out")
    try:
        shares = [float(share) for share in flags.shares]
    except ValueError as error:
        raise InputError(f"--shares has what is not a number: {','.join(flags.shares)}") from error
    for share in shares:
        number_of_units(share, 1)
    return shares


TABLES = {
    "correction_fid": TableFlags(
        _correction_fid, (*COMMON, "unit_fid", "methods", "stop", "share", "random_draws")
    ),
    "stopping_layer": TableFlags(_stopping_layer, (*COMMON, "stops", "shares", "neighbours")),
    "ablated_units": TableFlags(
        _ablated_units, (*COMMON, "unit_fid", "stop", "numbers", "random_draws")
    ),
}
