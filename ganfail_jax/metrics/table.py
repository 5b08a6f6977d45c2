"""Measurements in rows and columns, as CSV with everything and as Markdown for reading."""

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from ganfail_jax.metrics.measurement import Measurement

FIELDS = (
    *("row", "column", "metric", "value", "low", "high", "samples", "features", "convention"),
    *("interval", "draws", "deviation_of_draws"),
)


class Cell(NamedTuple):
    """One number of a table."""

    row: str
    column: str
    measured: Measurement

    def summary(self) -> dict[str, Any]:
        """For result.json; the inverse of `restore`."""
        return {"row": self.row, "column": self.column, **self.measured.summary()}


def restore(summary: dict[str, Any]) -> Cell:
    fields = dict(summary)
    return Cell(fields.pop("row"), fields.pop("column"), Measurement(**fields))


def to_csv(cells: Sequence[Cell]) -> str:
    """One line per cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for row, column, measured in cells:
        sizes = "; ".join(f"{size} {name}" for name, size in measured.samples.items())
        low, high = measured.interval or ("", "")
        told = (measured.metric, measured.value, low, high, sizes)
        how = (measured.features, measured.convention, measured.interval_method)
        how += (len(measured.draws) or 1, "" if measured.spread is None else measured.spread)
        writer.writerow([row, column, *told, *how])
    return text.getvalue()


def to_markdown(cells: Sequence[Cell], corner: str) -> str:
    """A grid of values with intervals, and below it once what all cells share.

    Args:
        corner: what the rows are, in the grid's first cell.
    """
    rows, columns = (list(dict.fromkeys(names)) for names in list(zip(*cells, strict=True))[:2])
    found = {(cell.row, cell.column): cell.measured for cell in cells}
    lines = [f"| {corner} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for row in rows:
        texts = [_text(found.get((row, column))) for column in columns]
        lines.append(f"| {row} | {' | '.join(texts)} |")
    notes = {_note(measured) for measured in found.values()}
    warnings = {warning for measured in found.values() for warning in measured.warnings}
    return "\n".join([*lines, "", *sorted(notes), *sorted(warnings)]) + "\n"


def _text(measured: Measurement | None) -> str:
    if measured is None:
        return ""
    within = measured.interval
    text = f"{measured.value:.4g}" + (f" [{within[0]:.4g}, {within[1]:.4g}]" if within else "")
    return text + measured.spread_note


def _note(measured: Measurement) -> str:
    sizes = ", ".join(f"{size:,} {name}" for name, size in measured.samples.items())
    notes = [f"{measured.title}: {sizes}", measured.convention, *measured.interval_note]
    if measured.spread is not None:
        notes.append("± standard deviation between the draws")
    return "; ".join(notes)
