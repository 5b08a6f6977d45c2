"""The papers' tables, measured on any generator; every number with its interval.

    python -m analyze.table --dataset=mnist_c --table=ablation_fid
    python -m analyze.table --dataset=mnist_c --table=top_bottom
    python -m analyze.table --generator=mnist_c_pggan --artifact_classifier=FOLDER \
        --table=correction_fid

`rate_tables` has those of Choi 2022: ablation_fid, top_bottom; `correction_tables` those of Tousi
2021: correction_fid, stopping_layer, ablated_units. Written as CSV, Markdown and a figure.
"""

from absl import flags

from analyze import correction_tables, feature_choice, image_choice, rate_tables
from analyze import flags as common
from analyze.tabulate import tabulate
from ganfail_jax.errors import InputError

FLAGS = flags.FLAGS
common.define_dataset()
common.define_mnist_dir()
common.define_models()
common.define_noise("const", "as in the authors' code, and that of the labelled images")
common.define_batch_size(250)
common.define_run()
common.define_resume()
image_choice.define_real()
feature_choice.define()
flags.DEFINE_integer("num_real", 10_000, "Real images, drawn at random.", 4)
flags.DEFINE_integer("neighbours", 3, "k of precision, recall and realism.", 1)
rate_tables.define()
correction_tables.define()
TABLES = {**rate_tables.TABLES, **correction_tables.TABLES}
flags.DEFINE_enum("table", None, list(TABLES), "Which table.")


def main() -> None:
    if FLAGS.table is None:
        raise InputError(f"which table? Give --table as one of {', '.join(TABLES)}")
    own = TABLES[FLAGS.table].flags
    for name in {flag: None for table in TABLES.values() for flag in table.flags}:
        if FLAGS[name].present and name not in own:
            raise InputError(f"--{name} does not change table {FLAGS.table}: leave it out")
    print(f"measuring table {FLAGS.table}", flush=True)
    tabulate(FLAGS.table, TABLES[FLAGS.table])


if __name__ == "__main__":
    common.run(main)
