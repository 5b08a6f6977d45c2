"""Names are drawn as they are; numbers on logarithmic axes are mathematics."""

import ast
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure

import ganfail_jax.plots
from ganfail_jax.plots.figure import beyond, head, save, written_out

NAME = r"g$x_{$y\frac"  # no mathematics: matplotlib would refuse it


def test_dollar_signs_are_drawn(tmp_path):
    figure = Figure(layout="constrained")
    figure.suptitle(NAME)
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.plot([1, 1000], [1, 2], label=NAME)
        axes.set_title(NAME)
        axes.set_ylabel(NAME)
        axes.set_yticks([1, 2], [NAME, "b"])
        axes.text(1, 1, NAME)
        axes.legend(loc="best")
    right.set_xscale("log")
    right.set_xlabel(NAME)
    figure.legend()
    save(figure, tmp_path / "new.png")
    assert np.ptp(image.imread(tmp_path / "new.png")) > 0
    numbers = [text.get_text() for text in right.get_xticklabels()]
    assert r"$\mathdefault{10^{2}}$" in numbers
    assert all(text.get_parse_math() for text in right.get_xticklabels())


def test_heads_are_one_title_and_one_line_by_one_function():
    """Other titles are of panels and of blocks of images."""
    (folder,) = ganfail_jax.plots.__path__
    for path in Path(folder).glob("*.py"):
        assert "figure.suptitle(" not in path.read_text().replace("block.", "") or (
            path.name == "figure.py"
        )
    figure = Figure(figsize=(4, 3))
    head(figure, "A title " * 20, "a line", "a note")
    lines = figure.get_suptitle().splitlines()
    assert lines[-1] == "a line"
    assert max(map(len, lines)) <= 48
    assert figure.get_supxlabel() == "a note"


@pytest.mark.parametrize(
    ("values", "ends"),
    [([-1, 1], "neither"), ([-2, 0], "min"), ([0, 2, np.nan], "max"), ([-2, 2], "both")],
)
def test_colour_bars_have_arrows_where_values_are_cut(values, ends):
    assert beyond(np.asarray(values, float), -1.0, 1.0) == ends


def test_abbreviations_are_written_out():
    assert written_out("LR, R ≤ 0.3") == "rarely activated, R ≤ 0.3"
    assert written_out("DS") == "defective score"
    assert written_out("HRNet of DSLR") == "HRNet of DSLR"


def test_legends_say_where_they_are():
    """Without a word of it matplotlib warns wherever the search for a place takes a second."""
    (folder,) = ganfail_jax.plots.__path__
    calls = [
        call
        for path in Path(folder).glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "legend"
    ]
    assert len(calls) > 10
    for call in calls:
        assert "loc" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)
