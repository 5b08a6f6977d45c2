"""Flags that say which units are corrected and how (Tousi 2021), and the corrections."""

from absl.flags import DEFINE_enum, DEFINE_float, DEFINE_list, DEFINE_string, FlagValues

from ganfail_jax.analysis.correction import SHARE, STOP, STRENGTH, layers_to
from ganfail_jax.cli import artifacts
from ganfail_jax.cli.flags import settings_from
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.studies import corrections, unit_fid
from ganfail_jax.studies.artifact_case import ArtifactCase
from ganfail_jax.studies.corrections import AUTOMATIC, Corrections

OF_ALL = (  # that all corrections have, but for --unit_fid
    *("artifact_classifier", *artifacts.SCORES, "defects"),
    *("strength", "scores"),
)


def define_corrections(flags: FlagValues) -> None:
    """Beside --dataset, --generator, --noise and --seed."""
    artifacts.define_case(flags)
    artifacts.define_scores(flags)
    artifacts.define_defects(flags)
    text = "Folder of analyze.units with the FID of every unit, which the method fid goes by."
    DEFINE_path("unit_fid", None, text, flag_values=flags)
    text = "lambda: sequential scales by lambda (1 - DS)."
    DEFINE_float("strength", STRENGTH, text, 0, 1, flag_values=flags)
    text = "DS over all artifacts, or of each sample itself (default of StyleGAN2: sec. 5.4)."
    DEFINE_enum("scores", None, ["global", "sample"], text, flag_values=flags)


def define_methods(flags: FlagValues) -> None:
    text = "Corrections, by commas (default: all that can be had)."
    text += f" They are {', '.join(AUTOMATIC)}."
    DEFINE_list("methods", None, text, flag_values=flags)


def define_stop(flags: FlagValues) -> None:
    text = "The layer l, by any of its names: the last one corrected, or the only one."
    DEFINE_string("stop", STOP, text, flag_values=flags)


def define_share(flags: FlagValues) -> None:
    text = "n: the share of a layer's units that is corrected."
    DEFINE_float("share", SHARE, text, 0, 1, flag_values=flags)


def methods_from(flags: FlagValues) -> list[str]:
    """--methods; says so where fid is left out for lack of --unit_fid.

    Raises:
        InputError: one is unknown or lacks what it needs, or there is none.
    """
    names = list(corrections.methods_of(flags.methods, has_fid=flags.unit_fid is not None))
    if "fid" not in names and flags.methods is None:
        say_that_fid_is_left_out()
    return names


def say_that_fid_is_left_out() -> None:
    print("the method fid is left out; --unit_fid=FOLDER of analyze.units has what it needs")


def corrections_from(flags: FlagValues, case: ArtifactCase, stop: str) -> Corrections:
    """By the flags of `define_corrections`.

    Args:
        stop: the last layer that is corrected.

    Raises:
        InputError: there is no such layer, or --defects or --unit_fid does not fit.
    """
    layers = layers_to(case.models.generator.layers, stop)
    fid = None
    if flags.unit_fid is not None:
        sizes = {name: case.models.generator.layers[name].channels for name in layers[-1:]}
        fid = unit_fid.read(flags.unit_fid, case.identity, sizes)
    per_sample = flags.scores == "sample" if flags.scores else corrections.scores_differ(case)
    source = artifacts.scores_from(flags, case, layers, scored=not per_sample)
    settings = settings_from(corrections.Settings, flags)
    return Corrections(case, source, per_sample, fid, settings)
