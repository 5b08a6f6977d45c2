"""Flags that name a classifier of artifacts and say how units are scored by them (Tousi 2021)."""

from absl.flags import DEFINE_enum, DEFINE_float, DEFINE_integer, FlagValues

from ganfail_jax import zoo
from ganfail_jax.analysis.defects import ORDERS
from ganfail_jax.analysis.gradcam import THRESHOLD
from ganfail_jax.analysis.quantiles import TAU
from ganfail_jax.cli.bounds import MOST_SAMPLES
from ganfail_jax.cli.flags import settings_from
from ganfail_jax.cli.models import generator_from
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.studies import artifact_case, defective_scores
from ganfail_jax.studies.artifact_case import ArtifactCase
from ganfail_jax.studies.defective_scores import ScoreSource

SCORES = defective_scores.Settings._fields  # flags


def define_case(flags: FlagValues) -> None:
    """Beside --dataset, --generator and --noise."""
    text = "Folder of train.artifact_classifier."
    DEFINE_path("artifact_classifier", None, text, flag_values=flags)


def define_scores(flags: FlagValues) -> None:
    text = "A unit is active where it exceeds its 1 - tau quantile."
    DEFINE_float("tau", TAU, text, 0, 1, flag_values=flags)
    text = "Samples that make the quantiles."
    DEFINE_integer("threshold_samples", 5_000, text, 1, MOST_SAMPLES, flag_values=flags)
    text = "The artifact is where Grad-CAM exceeds this share of its maximum."
    DEFINE_float("mask_threshold", THRESHOLD, text, 0, 1, flag_values=flags)
    text = "Whether a unit's map is first thresholded (paper) or upsampled (GAN Dissection)."
    DEFINE_enum("order", ORDERS[0], ORDERS, text, flag_values=flags)


def define_defects(flags: FlagValues) -> None:
    """Beside `define_scores`."""
    text = "Folder of analyze.defects to use instead."
    DEFINE_path("defects", None, text, flag_values=flags)


def case_from(flags: FlagValues) -> ArtifactCase:
    """The generator, and the classifier of its artifacts.

    Raises:
        InputError: no artifact classifier, or one of another generator.
    """
    name = flags.artifact_classifier
    if name is None:
        raise InputError("give --artifact_classifier=FOLDER of train.artifact_classifier")
    subject = generator_from(flags)
    stored = zoo.read_classifier(name)
    return artifact_case.with_classifier(
        subject, *zoo.load_classifier(name), stored.about, stored.sha256, name
    )


def scores_from(
    flags: FlagValues, case: ArtifactCase, layers: list[str], *, scored: bool
) -> ScoreSource:
    """By the flags of `define_scores` and `define_defects`.

    Args:
        scored: whether the defective scores are needed, or the quantiles alone.

    Raises:
        InputError: --defects does not fit, or a share is 1.
    """
    if flags.defects is None:
        settings = settings_from(defective_scores.Settings, flags)
        return defective_scores.make(case, layers, settings, scored=scored)
    for name in SCORES:
        if flags[name].present:
            raise InputError(f"--defects has its own {name}: leave --{name} out")
    return defective_scores.read(flags.defects, case, layers)
