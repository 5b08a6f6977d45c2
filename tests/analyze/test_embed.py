"""`python -m analyze.embed` end to end on tiny models, and what a user can get wrong."""

import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.analysis.embedding import MEASURES
from tests.analyze.commands import only_folder, run

SMALL = ["--num_samples=90", "--batch_size=30", "--embedded=40", "--perplexity=5"]


def test_it_writes_a_result_that_reloads_and_says_what_it_found(models, tmp_path):
    done = run("embed", *models, *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = only_folder(tmp_path, "embed")
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["result.json", "result.npz", "spaces.png"]
    result = results.load(folder)
    assert list(result.summary["spaces"]) == ["Z", "W", "S"]
    assert result.summary["spaces"]["S"][MEASURES[1]]["value"] is not None
    assert list(result.summary["differences"]) == ["W - Z", "S - W"]
    assert sum(result.summary["samples"].values()) == 90
    assert result.arrays["points"].shape == (3, 40, 2)
    for row, name in enumerate(("Z", "W", "S")):
        for column, measure in enumerate(MEASURES):
            found = result.summary["spaces"][name][measure]
            value = result.arrays["numbers"][row, column, 0]
            assert found["value"] == (None if np.isnan(value) else value)
    assert "NaN" not in (folder / "result.json").read_text()
    assert "of 72 reference samples; brackets: 95 % over the samples judged" in done.stdout
    assert "warning: fewer than the 4,000 wanted: the numbers compare only" in done.stdout
    for part in (*files, "outcome AUC within classes, linear", "  S - W  class accuracy"):
        assert part in done.stdout


def test_without_classes_the_class_is_the_prediction(folders, models, tmp_path):
    done = run("embed", f"--generator={folders / 'unconditional'}", models[1], *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a sample's class is the classifier's prediction" in done.stdout
    assert "unsure (softmax below 0.9)" in done.stdout


BAD = [
    (["--perplexity=40"], "--perplexity=40 needs more than 40 samples"),
    (["--neighbours=73"], "--neighbours=73 needs more than 72 reference samples"),
    (["--perplexity=0"], "flag --perplexity=0: 0.0 is not a number in the range [1.0, "),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    done = run("embed", *models, *SMALL, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())
