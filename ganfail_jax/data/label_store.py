"""Labels that are on disk as soon as they are made: the table is whole and current at any moment.

Every change replaces the file in one move, so a kill leaves the table before the change or after
it. Rows are in the order in which the labels were made, each sample once. Another program may save
the table in its own way, but not with other labels.
"""

import os
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import NoReturn

from ganfail_jax.data.label_table import COLUMNS, Sample, Table, read_csv
from ganfail_jax.errors import InputError
from ganfail_jax.results import replace_file
from ganfail_jax.writing import only_writer

DIGITS = 12  # of the SHA-256 of a generator that are written

Changes = Mapping[Sample, str | None]  # None: no label


def _state(file: Path) -> tuple[int, int, int] | None:
    """What changes whenever another program writes the file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _sync_folder(folder: Path) -> None:
    """Have the names in the folder on disk, too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class LabelStore:
    """Labels of one generator's samples; the file is this process's alone until it is closed."""

    def __init__(self, file: str | os.PathLike[str], generator_sha256: str) -> None:
        """Open a table, or begin one with the first label.

        Raises:
            InputError: the file is in use, cannot be written, is no table of labels, or has those
                of another generator.
        """
        self.file = Path(file)
        self.generator = generator_sha256[:DIGITS]
        self._place = self.file.resolve()  # a link stays a link
        self._waiting: SimpleQueue[tuple[Changes, Future[None]]] = SimpleQueue()
        self._writing = Lock()
        self._closed = False
        self._apart: Path | None = None  # where labels are that another program wrote over
        self._lock = ExitStack()
        self._lock.enter_context(only_writer(self._place, flag="--labels"))
        try:
            self._known = _state(self._place)
            self.labels = dict(self.fitting(read_csv(file), file).labels) if self._known else {}
        except BaseException:
            self.close()
            raise

    def fitting(self, table: Table, source: str | os.PathLike[str]) -> Table:
        """The table, if it may be taken in here.

        Raises:
            InputError: it is of another generator.
        """
        if table.generator not in (None, self.generator):
            raise InputError(
                f"{source} has labels of another generator, {table.generator}; "
                f"this one is {self.generator}"
            )
        return table

    def record(self, changes: Changes) -> None:
        """Change labels: when this returns all changes are on disk, when it raises none.

        Threads may call it together; all that waits for the disk is written at once.

        Raises:
            InputError: they cannot be written.
        """
        done: Future[None] = Future()
        self._waiting.put((changes, done))
        with self._writing:
            if not done.done():
                self._write_waiting()
        done.result()

    def _write_waiting(self) -> None:
        labels, waiting = dict(self.labels), []
        with suppress(Empty):
            while True:
                changes, done = self._waiting.get_nowait()
                waiting.append(done)
                for sample, label in changes.items():
                    labels.pop(sample, None)  # what is set anew goes to the end
                    if label is not None:
                        labels[sample] = label
        try:
            self._write(labels)
        except Exception as error:  # whatever it is, nobody waits for ever
            for done in waiting:
                done.set_exception(error)
        else:
            self.labels = labels
            for done in waiting:
                done.set_result(None)

    def _write(self, labels: Mapping[Sample, str]) -> None:
        if self._closed:
            raise InputError(f"{self.file} is closed")
        if _state(self._place) != self._known and self._present() != self.labels:
            self._keep_apart()
        try:
            self._replace(self._place, labels)
            self._known = _state(self._place)
        except OSError as error:
            raise InputError(f"cannot write {self.file} ({error.strerror or error})") from error

    def _replace(self, place: Path, labels: Mapping[Sample, str]) -> None:
        rows = (f"{index},{seed},{label}" for (index, seed), label in labels.items())
        lines = [",".join(COLUMNS), *(f"{row},{self.generator}" for row in rows)]
        with replace_file(place) as new, open(new, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(place.parent)

    def _present(self) -> Mapping[Sample, str] | None:
        """The labels in the file; None: it has none of this generator."""
        try:
            return self.fitting(read_csv(self._place), self.file).labels
        except InputError:
            return None

    def _keep_apart(self) -> NoReturn:
        """Raise that another program changed labels, after writing those made here beside it.

        A spreadsheet that saves what it opened a while ago drops what was labelled meanwhile.
        """
        changed = f"{self.file} was changed by another program"
        if not self.labels:
            raise InputError(f"{changed}; start again")
        if self._apart is None:
            names = (f"{self._place.stem}-{number}.csv" for number in count(1))
            place = next(p for p in map(self._place.with_name, names) if not p.exists())
            try:
                self._replace(place, self.labels)
            except OSError as error:
                reason = error.strerror or error
                raise InputError(
                    f"{changed}, and the labels made here cannot be written beside it ({reason})"
                ) from error
            self._apart = place
        raise InputError(
            f"{changed}; start again, with --merge={self._apart} for the labels made here"
        )

    def close(self) -> None:
        """Let go of the file; later changes are refused."""
        with self._writing:
            self._closed = True
            self._lock.close()
