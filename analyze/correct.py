"""Which correction repairs artifacts and leaves normal images as they are? (Tousi 2021, sec. 4, 5)

    python -m analyze.correct --generator=FOLDER --artifact_classifier=FOLDER

Labelled samples that the artifact classifier was not trained on are generated with and without the
units that draw artifacts: its probability of an artifact before and after, how much the images
change, and sheets of before and after (fig. 13, 14). --units adds units chosen by hand (fig. 9).
"""

from absl.flags import DEFINE_integer, DEFINE_list, FlagValues

from ganfail_jax.cli import artifacts, corrections, models
from ganfail_jax.cli.bounds import MOST_SHOWN
from ganfail_jax.cli.flags import (
    define_dataset,
    define_indices,
    define_run,
    indices_from,
    run_from,
    whole_numbers,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.studies import correct


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_run(flags, batch_size=25)
    models.define_generator(flags)
    models.define_noise(flags, "const", models.LABELLED)
    corrections.define_corrections(flags)
    corrections.define_methods(flags)
    corrections.define_stop(flags)
    corrections.define_share(flags)
    text = "Units of the layer --stop to set to zero, as the method manual."
    DEFINE_list("units", None, text, flag_values=flags)
    define_indices(flags, "held-out ones")
    text = "Held-out artifacts, and as many normals, that are drawn."
    DEFINE_integer("shown", 6, text, 1, MOST_SHOWN, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    settings = correct.Settings(
        methods=corrections.methods_from(flags),
        share=flags.share,
        units=whole_numbers(flags, "units", "units count from 0") or [],
        indices=indices_from(flags),
        shown=flags.shown,
    )
    chosen = corrections.corrections_from(flags, artifacts.case_from(flags), flags.stop)
    return correct.plan(chosen, settings, run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
