"""A report as one HTML file that needs nothing else: no network, no other file.

Whatever the report says is text: jinja2 escapes all of it, and the page's policy runs no script
but its own.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from ganfail_jax import files
from ganfail_jax.names import printable
from ganfail_jax.reporting.content import Figure, Report

FOLDER = Path(__file__).parent / "page"
MOST = 15_000_000  # bytes of a page
MOST_FIGURES = 12_000_000  # bytes of all its figures, as they are embedded
POLICY = (
    "default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none'"
)


def render(report: Report, made: Mapping[str, str]) -> str:
    """The page.

    Figures that would make it too large are left out, and named first of all.

    Args:
        made: what made it, by what that is, for the last lines.
    """
    pictures, left_out = embedded(report)
    warnings = [f"left out, for the size of this page: {file}" for file in left_out]
    style, script = (files.read(FOLDER / name).decode() for name in ("report.css", "report.js"))
    policy = POLICY.format(style=_source(style), script=_source(script))
    loader = jinja2.FileSystemLoader(FOLDER)
    page = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    ).get_template("report.html")
    return printable(
        page.render(
            report=report._replace(warnings=[*warnings, *report.warnings]),
            pictures=pictures,
            policy=policy,
            style=style,
            script=script,
            made=made,
            provenance=_lines,
        )
    )


def _source(content: str) -> str:
    """What a policy calls an inline style or script."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def embedded(report: Report) -> tuple[dict[Path, str], list[Path]]:
    """Figures as data URIs, by file, and the files that are left out for their size."""
    pictures, left_out, size = dict[Path, str](), list[Path](), 0
    for figure in (each for section in report.sections for each in section.figures):
        content = _picture(figure)
        if size + len(content) > MOST_FIGURES:
            left_out.append(figure.file)
            continue
        pictures[figure.file] = content
        size += len(content)
    return pictures, left_out


def _picture(figure: Figure) -> str:
    content = files.read(figure.file, files.LARGEST_PICTURE)
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _lines(value: Any) -> str:
    """Provenance, for a person."""
    return json.dumps(value, indent=1, ensure_ascii=False, default=str)
