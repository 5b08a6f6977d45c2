"""How a table of a paper is measured and written: as CSV, as Markdown and as a figure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ganfail_jax import plots, results
from ganfail_jax.jobs import Arrays, Job, Run, Summary
from ganfail_jax.metrics.table import Cell, restore, to_csv, to_markdown
from ganfail_jax.results import Result
from ganfail_jax.runtime import Sweep

RANDOM_DRAWS = 5  # that the rows of random units or neurons are the mean of


class Layout(NamedTuple):
    """How a table looks."""

    corner: str  # what its rows are
    figure: Literal["draw_grid", "draw_groups"]  # of plots.table


class Table(NamedTuple):
    """What is measured; nothing has been computed."""

    name: str
    layout: Layout
    subject: str  # for a person
    names: Sequence[str]  # of the result's folder
    identity: Mapping[str, Any]  # of the result
    measure: Callable[[Sweep], tuple[list[Cell], Arrays]]


def plan(table: Table, run: Run = Run()) -> Job:
    """The job that measures and writes a table."""
    return Job(
        folder=run.folder(table.name, *table.names),
        identity={"table": table.name, **table.identity},
        subject=table.subject,
        compute=partial(_compute, table),
        draw=partial(_write, table),
        describe=partial(_describe, table.layout),
        settings=run,
    )


def _compute(table: Table, sweep: Sweep) -> tuple[Summary, Arrays]:
    cells, arrays = table.measure(sweep)
    return {"cells": [cell.summary() for cell in cells]}, arrays


def _write(table: Table, folder: Path, result: Result) -> list[str]:
    cells = [restore(each) for each in result.summary["cells"]]
    texts = {"table.csv": to_csv(cells), "table.md": to_markdown(cells, table.layout.corner)}
    for name, text in texts.items():
        with results.replace_file(folder / name) as new:
            new.write_text(text, encoding="utf-8")
    draw = getattr(plots.table, table.layout.figure)
    draw(folder / "table.png", cells, table.subject)
    return [*texts, "table.png"]


def _describe(layout: Layout, summary: Summary) -> Iterator[str]:
    yield to_markdown([restore(each) for each in summary["cells"]], layout.corner).rstrip()
