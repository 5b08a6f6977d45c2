"""Labels and pictures from and to files that a person sorts."""

from pathlib import Path

from ganfail_jax.data.label_store import LabelStore
from ganfail_jax.data.label_table import LABELS, picture_name, read_csv, read_folders
from ganfail_jax.errors import InputError
from ganfail_jax.labelling.session import Session
from ganfail_jax.results import ResultError, new_folder
from ganfail_jax.writing import only_writer


def merge(store: LabelStore, source: str) -> str:
    """Take the labels of a table or of sorted pictures for samples without one; says how many.

    Raises:
        InputError: the source is unreadable or of another generator, or the store unwritable.
    """
    table = read_folders(source) if Path(source).is_dir() else read_csv(source)
    store.fitting(table, source)
    new = {sample: label for sample, label in table.labels.items() if sample not in store.labels}
    store.record(new)
    other = sum(store.labels[sample] != label for sample, label in table.labels.items())
    kept = f"; {other} have another label here, which is kept" if other else ""
    return f"{len(new)} new labels of the {len(table.labels)} in {source}{kept}"


def check_free(folder: str) -> None:
    """
    Raises:
        InputError: the folder exists.
    """
    if Path(folder).exists():
        raise InputError(f"{folder} exists already; choose another --export")


def export(session: Session, folder: str) -> None:
    """Write the pictures as `read_folders` reads them, those without a label into unlabelled.

    Raises:
        InputError: the folder exists or cannot be written.
    """
    labels = session.labels()
    try:
        Path(folder).parent.mkdir(parents=True, exist_ok=True)
        with only_writer(folder, flag="--export"), new_folder(folder) as new:
            check_free(folder)
            for name in (*LABELS, "unlabelled"):
                (new / name).mkdir()
            for index in range(session.first_index, session.first_index + session.num_samples):
                place = new / labels.get(index, "unlabelled") / picture_name(index, session.seed)
                place.write_bytes(session.picture(index))
    except OSError as error:
        raise ResultError(f"cannot write {folder} ({error.strerror or error})") from error
