"""How a table of a paper is measured and written: as CSV, as Markdown and as a figure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from analyze import entry
from analyze import flags as common
from ganfail_jax import plots, results
from ganfail_jax.metrics.table import Cell, restore, to_csv, to_markdown


class Plan(NamedTuple):
    """What is measured, by the flags; nothing has been computed."""

    who: str  # for a person
    parts: Sequence[str]  # of the result's folder
    identity: Mapping[str, Any]  # of the result
    measure: Callable[[Path], tuple[list[Cell], entry.Arrays]]  # resuming in this folder


class Table(NamedTuple):
    """One table."""

    plan: Callable[[], Plan]  # raises before any work
    flags: tuple[str, ...]  # those that not all tables have
    corner: str  # what its rows are
    figure: Literal["draw_grid", "draw_groups"]  # of plots.table


def tabulate(name: str, table: Table) -> None:
    """Measure a table, unless its folder holds it; write it and tell it."""
    plan = table.plan()

    def compute(folder: Path) -> tuple[entry.Summary, entry.Arrays]:
        cells, arrays = plan.measure(folder)
        return {"cells": [cell.summary() for cell in cells]}, arrays

    entry.conclude(
        common.out_folder(name, *plan.parts),
        {"table": name, **plan.identity},
        plan.who,
        compute,
        partial(_write, table, plan.who),
        partial(_describe, table),
    )


def _write(table: Table, who: str, folder: Path, arrays: entry.Arrays) -> list[str]:
    del arrays
    cells = [restore(each) for each in results.load(folder).summary["cells"]]
    texts = {"table.csv": to_csv(cells), "table.md": to_markdown(cells, table.corner)}
    for name, text in texts.items():
        with results.replace_file(folder / name) as new:
            new.write_text(text)
    getattr(plots.table, table.figure)(folder / "table.png", cells, who)
    return [*texts, "table.png"]


def _describe(table: Table, summary: entry.Summary) -> Iterator[str]:
    yield to_markdown([restore(each) for each in summary["cells"]], table.corner).rstrip()
