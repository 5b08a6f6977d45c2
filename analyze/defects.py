"""Which units of a generator draw its artifacts? The defective score (Tousi 2021, definition 1)

    python -m analyze.defects --generator=FILE --artifact_classifier=runs/artifact_classifier/...

A unit's score is the mean overlap (IoU) of where it is active with where the classifier sees the
artifact (Grad-CAM), over the artifact images that the classifier was trained on.
"""

from absl.flags import DEFINE_integer, FlagValues

from ganfail_jax.analysis.correction import STOP
from ganfail_jax.cli import artifacts, models
from ganfail_jax.cli.bounds import MOST_SHOWN
from ganfail_jax.cli.flags import define_dataset, define_run, run_from, settings_from
from ganfail_jax.cli.layers import define_layers, layers_from
from ganfail_jax.cli.main import Task, main
from ganfail_jax.errors import InputError
from ganfail_jax.studies import defective_scores, defects


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=64)
    models.define_generator(flags)
    models.define_noise(flags, "const", models.LABELLED)
    artifacts.define_case(flags)
    artifacts.define_scores(flags)
    define_layers(flags, usual=f"up to {STOP}, the paper's last")
    text = "How many artifact images of each layer are drawn."
    DEFINE_integer("shown", 8, text, 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    scores = settings_from(defective_scores.Settings, flags)
    case = artifacts.case_from(flags)
    if flags["seed"].present and flags.seed != case.seed:
        raise InputError(f"the labelled samples are of seed {case.seed}: leave --seed out")
    generator = case.models.generator
    layers = None if flags.layers is None else layers_from(flags, generator)
    return defects.plan(case, defects.Settings(scores, layers, flags.shown), run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
