"""The papers' tables, measured on any generator; every number with its interval.

    python -m analyze.table --table=ablation_fid --dataset=mnist_c
    python -m analyze.table --table=correction_fid --artifact_classifier=FOLDER --generator=FILE

Of Choi 2022: ablation_fid, top_bottom; of Tousi 2021: correction_fid, stopping_layer,
ablated_units. Written as CSV, Markdown and a figure.
"""

from absl.flags import DEFINE_enum, DEFINE_integer, FlagValues

from ganfail_jax.cli import correction_tables, models, rate_tables
from ganfail_jax.cli.bounds import MOST, MOST_SAMPLES
from ganfail_jax.cli.features import define_features
from ganfail_jax.cli.flags import define_dataset, define_mnist_dir, define_run, run_from
from ganfail_jax.cli.images import define_real
from ganfail_jax.cli.main import Task, main
from ganfail_jax.errors import InputError
from ganfail_jax.studies import tables
from ganfail_jax.studies.tables import RANDOM_DRAWS

PAPERS = (rate_tables, correction_tables)
TABLES = {name: table for paper in PAPERS for name, table in paper.TABLES.items()}


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_mnist_dir(flags)
    define_run(flags, batch_size=250)
    models.define_models(flags)
    models.define_noise(flags, "const", f"{models.CHOI}, and {models.LABELLED}")
    define_real(flags)
    define_features(flags)
    text = "Real images, drawn at random."
    DEFINE_integer("num_real", 10_000, text, 4, MOST_SAMPLES, flag_values=flags)
    text = "k of precision, recall and realism."
    DEFINE_integer("neighbours", 3, text, 1, MOST, flag_values=flags)
    text = "Draws of random neurons or units, of whose FIDs a table has the mean and the spread."
    DEFINE_integer("random_draws", RANDOM_DRAWS, text, 1, MOST, flag_values=flags)
    for paper in PAPERS:
        paper.define(flags)
    DEFINE_enum("table", None, list(TABLES), "Which table.", flag_values=flags)


def plan(flags: FlagValues) -> Task:
    if flags.table is None:
        raise InputError(f"which table? Give --table as one of {', '.join(TABLES)}")
    table = TABLES[flags.table]
    for name in {flag: None for each in TABLES.values() for flag in each.flags}:
        if flags[name].present and name not in table.flags:
            raise InputError(f"--{name} does not change table {flags.table}: leave it out")
    return tables.plan(table.plan(flags), run_from(flags))


if __name__ == "__main__":
    main(__doc__, define, plan)
