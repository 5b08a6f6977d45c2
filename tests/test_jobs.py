"""The course of every study: numbers before figures, and results of other versions."""

import json

import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.jobs import Job, Run
from ganfail_jax.results import ResultError


def job(folder, **parts):
    told = {
        "compute": lambda sweep: ({"accuracy": 0.5}, {"scores": np.arange(3)}),
        "draw": lambda folder, result: (),
        "describe": lambda summary: [f"accuracy {summary['accuracy']}"],
    }
    return Job(folder=folder, identity={"seed": 1}, subject="it", settings=Run(), **told | parts)


def test_a_fault_of_a_figure_hides_no_number(tmp_path, capsys):
    def fail(folder, result):
        raise ValueError("a bug of drawing")

    with pytest.raises(ValueError, match="a bug of drawing") as failed:
        job(tmp_path / "new", draw=fail).run()
    assert failed.value.__notes__ == [f"the numbers are in {tmp_path / 'new'}, the figures are not"]
    assert "accuracy 0.5\n" in capsys.readouterr().out
    assert job(tmp_path / "new").run().summary["accuracy"] == 0.5
    assert "already holds this result" in capsys.readouterr().out


OLD = [
    ("describe", lambda summary: [summary["share"]], "KeyError: 'share'"),
    ("describe", lambda summary: summary["accuracy"][0], "TypeError: 'float' object"),
    ("draw", lambda folder, result: result.arrays["images"], "KeyError: 'images'"),
]


@pytest.mark.parametrize(("part", "function", "reason"), OLD)
def test_a_result_of_another_version_is_one_line(part, function, reason, tmp_path):
    job(tmp_path).run()
    with pytest.raises(ResultError) as refused:
        job(tmp_path, **{part: function}).run()
    line = str(refused.value)
    assert line.startswith(f"{tmp_path} holds a result of another version ({reason}")
    assert line.endswith("choose another folder, or delete it to make the result anew")
    assert "\n" not in line


def test_a_fault_of_a_new_result_is_not_blamed_on_a_version(tmp_path):
    with pytest.raises(KeyError, match="share"):
        job(tmp_path, describe=lambda summary: [summary["share"]]).run()


@pytest.mark.parametrize("content", ["[]", "3", '"x"', "{}", '{"provenance": 3}', "{"])
def test_a_summary_of_another_shape_is_one_line(content, tmp_path):
    job(tmp_path).run()
    (tmp_path / results.SUMMARY).write_text(content)
    with pytest.raises(ResultError, match="no readable result in"):
        job(tmp_path).run()


def test_names_that_are_not_utf8_can_be_saved(tmp_path):
    summary = {"name": "a\udcff"}
    results.save(tmp_path, summary, {"identity": {}}, {"names": np.asarray(["a\udcff"])})
    assert json.loads((tmp_path / results.SUMMARY).read_text())["name"] == "a\udcff"
