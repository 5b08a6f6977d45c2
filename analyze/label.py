"""Which generated images are artifacts? A person says so, on a page in the browser.

    python -m analyze.label --dataset=mnist_c --labels=labels.csv

Labels (Tousi 2021, sec. 3.2) are saved one by one in a CSV file of index, seed and label. Run the
same command again to continue. Instead of a page, --merge takes the labels of another file or of
pictures sorted into folders, --export writes such folders.
"""

from absl.flags import DEFINE_integer, FlagValues

from ganfail_jax.cli import models
from ganfail_jax.cli.flags import (
    LARGEST_INDEX,
    define_dataset,
    define_num_samples,
    define_seed,
    settings_from,
)
from ganfail_jax.cli.main import Task, main
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError
from ganfail_jax.studies import label


def define(flags: FlagValues) -> None:
    define_dataset(flags)
    define_seed(flags)
    define_num_samples(flags, 500)
    models.define_generator(flags)
    models.define_noise(flags, "const", models.LABELLED)
    DEFINE_integer("first_index", 0, "The first sample.", 0, LARGEST_INDEX, flag_values=flags)
    text = "CSV file of labels; created if missing, otherwise extended."
    DEFINE_path("labels", None, text, flag_values=flags)
    text = "Port of the page; 0: any free one."
    DEFINE_integer("port", 0, text, 0, 2**16 - 1, flag_values=flags)
    text = "CSV file, or folder of sorted pictures, to take labels from."
    DEFINE_path("merge", None, text, flag_values=flags)
    text = "Folder to write the pictures to, sorted by their labels."
    DEFINE_path("export", None, text, flag_values=flags)


def plan(flags: FlagValues) -> Task:
    if not flags.labels:
        raise InputError("where do the labels go? Give --labels=FILE.csv")
    subject = models.generator_from(flags)
    samples, instead = settings_from(label.Samples, flags), settings_from(label.Exchange, flags)
    return label.plan(subject, flags.labels, samples, instead, flags.port)


if __name__ == "__main__":
    main(__doc__, define, plan)
