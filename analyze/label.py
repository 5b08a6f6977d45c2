"""Which generated images are artifacts? A person says so, on a page in the browser.

    python -m analyze.label --dataset=mnist_c --labels=labels.csv

Labels (Tousi 2021, sec. 3.2) go into a CSV table of index, seed and label as they are made; the
same command goes on with it. Instead of a page, --merge takes the labels of another table or of
pictures sorted into folders, --export writes such folders.
"""

from collections import Counter
from contextlib import closing
from pathlib import Path

from absl import flags

from analyze import flags as common
from ganfail_jax.data.label_store import LabelStore
from ganfail_jax.data.label_table import LABELS, LARGEST, picture_name, read_csv, read_folders
from ganfail_jax.errors import InputError
from ganfail_jax.labelling.pictures import pictures
from ganfail_jax.labelling.server import LabelServer
from ganfail_jax.labelling.session import Session
from ganfail_jax.results import ResultError, replace_folder

FLAGS = flags.FLAGS
common.define_dataset()
common.define_generator()
common.define_noise("const", common.LABELLED)
common.define_seed()
common.define_num_samples(500)
flags.DEFINE_integer("first_index", 0, "The first sample.", 0, LARGEST["index"])
flags.DEFINE_string("labels", None, "CSV table that takes the labels; begun or gone on with.")
flags.DEFINE_integer("port", 0, "Port of the page; 0: any free one.", 0, 2**16 - 1)
flags.DEFINE_string("merge", None, "CSV table, or folder of sorted pictures, to take labels from.")
flags.DEFINE_string("export", None, "Folder to write the pictures to, sorted by their labels.")


def merge(store: LabelStore, source: str) -> str:
    """Take the labels that samples here lack, and tell what was done."""
    table = read_folders(source) if Path(source).is_dir() else read_csv(source)
    store.fitting(table, source)
    new = {sample: label for sample, label in table.labels.items() if sample not in store.labels}
    store.record(new)
    other = sum(store.labels[sample] != label for sample, label in table.labels.items())
    kept = f"; {other} have another label here, which is kept" if other else ""
    return f"{len(new)} new labels of the {len(table.labels)} in {source}{kept}"


def export(session: Session, folder: str) -> None:
    """Write the pictures as `read_folders` reads them, those without a label into unlabelled."""
    if Path(folder).exists():
        raise InputError(f"{folder} exists already; choose another --export")
    labels = session.labels()
    try:
        with replace_folder(folder) as new:
            for name in (*LABELS, "unlabelled"):
                (new / name).mkdir()
            for index in range(session.first_index, session.first_index + session.num_samples):
                place = new / labels.get(index, "unlabelled") / picture_name(index, session.seed)
                place.write_bytes(session.picture(index))
    except OSError as error:
        raise ResultError(f"cannot write {folder} ({error.strerror or error})") from error


def serve(session: Session) -> None:
    """Serve the page until Ctrl-C."""
    with LabelServer(session, FLAGS.port) as server:
        print("compiling", flush=True)
        session.picture(session.first_index)
        print(f"open {server.address}\nevery label is saved as it is made; Ctrl-C ends", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main() -> None:
    last = FLAGS.first_index + FLAGS.num_samples - 1
    if not FLAGS.labels:
        raise InputError("where do the labels go? Give --labels=FILE.csv")
    if last > LARGEST["index"]:
        raise InputError(f"--first_index and --num_samples go beyond sample {LARGEST['index']}")
    generator, params, identity = common.load_generator()
    common.check_labelled_noise(generator)
    print(f"samples {FLAGS.first_index} to {last} of {identity['generator']}, seed {FLAGS.seed}")
    with (
        closing(LabelStore(FLAGS.labels, identity["generator_sha256"])) as store,
        pictures(generator, params, FLAGS.seed) as picture,
    ):
        session = Session(
            store=store,
            picture=picture,
            generator=identity["generator"],
            num_classes=generator.num_classes,
            seed=FLAGS.seed,
            first_index=FLAGS.first_index,
            num_samples=FLAGS.num_samples,
        )
        if FLAGS.merge:
            print(merge(store, FLAGS.merge))
        if FLAGS.export:
            export(session, FLAGS.export)
            print(f"pictures in {FLAGS.export}")
        if not FLAGS.merge and not FLAGS.export:
            serve(session)
    made = Counter(session.labels().values())
    counts = ", ".join(f"{made[label]} {label}" for label in LABELS)
    print(f"{counts}, {FLAGS.num_samples - made.total()} without a label\nlabels in {store.file}")


if __name__ == "__main__":
    common.run(main)
