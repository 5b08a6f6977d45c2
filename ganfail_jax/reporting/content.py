"""What a report shows, before it is a page: sections of sentences, figures and tables."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ganfail_jax.statistics.intervals import show

Value = float | int | str | None


class Cell(NamedTuple):
    """One entry of a table."""

    text: str
    value: Value  # what rows are sorted by; None: last


class Table(NamedTuple):
    """Rows of cells, sortable by every column."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def content(self) -> dict[str, Any]:
        """For report.json."""
        rows = [[cell.text for cell in row] for row in self.rows]
        return {"caption": self.caption, "columns": [*self.columns], "rows": rows}


class Figure(NamedTuple):
    """A picture, with what it shows."""

    file: Path
    shows: str


class Section(NamedTuple):
    """One analysis."""

    key: str  # of its folder
    question: str
    conclusions: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    method: Sequence[str] = ()
    command: str = ""  # that makes it
    warnings: Sequence[str] = ()
    provenance: Mapping[str, Any] = {}
    left_out: str = ""  # why there is nothing else

    def content(self) -> dict[str, Any]:
        """For report.json."""
        return self._asdict() | {
            "figures": [{"file": each.file.name, "shows": each.shows} for each in self.figures],
            "tables": [table.content() for table in self.tables],
        }


class Finding(NamedTuple):
    """An answer of the first screen."""

    question: str
    sentences: Sequence[str]


class Report(NamedTuple):
    """Everything that a page shows."""

    title: str
    subject: str
    warnings: Sequence[str]  # whatever would mislead
    findings: Sequence[Finding]
    sections: Sequence[Section]

    def content(self) -> dict[str, Any]:
        """For report.json."""
        return self._asdict() | {
            "findings": [each._asdict() for each in self.findings],
            "sections": [each.content() for each in self.sections],
        }


def text(value: str) -> Cell:
    """A cell of words."""
    return Cell(value, value)


def number(value: float | int | None, form: str = ",.3g") -> Cell:
    """A cell of a number; None: there is none."""
    return Cell("none" if value is None else f"{value:{form}}", value)


def estimate(entry: Mapping[str, Any], form: str = ".3f") -> Cell:
    """A cell of a number with its interval, as `intervals.with_interval` keeps it."""
    return Cell(show(entry["value"], entry["interval95"], form), entry["value"])


def unique(lines: Iterable[str]) -> list[str]:
    """Each line once, in order."""
    return [*dict.fromkeys(lines)]
