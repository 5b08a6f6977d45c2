"""`python -m analyze.histograms` end to end on tiny models, and what a user can get wrong."""

import jax
import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.analysis.outputs import sample_styles
from tests import tiny
from tests.analyze.commands import only_folder, run
from tests.tiny import CLASS_NAMES

SMALL = ["--num_samples=120", "--ranking_samples=60", "--batch_size=40", "--panels=2", "--top=4"]


@pytest.fixture(scope="module")
def finished(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cwd")
    done = run("histograms", *models, *SMALL, "--show_class=b", cwd=folder)
    return done, only_folder(folder, "histograms")


def test_it_writes_a_result_that_reloads(finished):
    done, folder = finished
    assert done.returncode == 0, done.stderr
    result = results.load(folder)
    groups = result.summary["groups"]
    assert list(groups) == ["all", *CLASS_NAMES, "within classes"]
    counts = groups["all"]["samples"]
    assert sum(counts.values()) == 120
    assert list(counts) == ["well classified", "misclassified"]
    found = groups["all"]["separation"]
    assert len(found["top"]) == 4
    first = found["top"][0]
    dim = list(result.arrays["names"]).index(first["dimension"])
    assert dim == result.arrays["order"][0, 0]
    assert first["auc"] == result.arrays["auc"][0, dim]
    top = [entry["auc"] for entry in found["top"]]
    assert found["median_auc"]["top"]["value"] == pytest.approx(np.median(top))
    assert result.arrays["shown_values"].shape == (40, 2, 2)
    assert "NaN" not in (folder / "result.json").read_text()


def test_samples_are_not_those_of_the_ranking(finished):
    _, folder = finished
    result = results.load(folder)
    assert result.provenance["identity"]["ranking"]["num_samples"] == 60
    assert result.summary["first_index"] == 60
    indices = np.arange(60, 180)[1::3]  # the fresh samples of class b
    styles, *_ = jax.jit(lambda i: sample_styles(tiny.models(), 0, i, 1.0))(indices)
    shown = np.asarray(styles)[:, result.arrays["shown_dims"]]
    np.testing.assert_allclose(result.arrays["shown_values"], shown, rtol=1e-4, atol=1e-4)


def test_it_prints_the_numbers_and_the_paths(finished):
    done, folder = finished
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["histograms.png", "result.json", "result.npz", "separation.png"]
    for part in (*files, " misclassified", "within classes  ", "as many random other dimensions"):
        assert part in done.stdout


BAD = [
    (["--top=100000"], "--top=100000 leaves no other dimension: S has "),
    (["--show_class=x"], "no class 'x'; the classes are a, b, c"),
    (["--panels=0"], "flag --panels=0: 0 is not an integer in the range [1, 1000]"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    done = run("histograms", *models, *SMALL, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())


def test_without_misclassified_samples_it_says_so(folders, models, tmp_path):
    """At psi = 0 an unconditional generator makes the same sample every time."""
    args = ["--num_samples=10", "--ranking_samples=12", "--batch_size=12", "--truncation_psi=0"]
    unconditional = [f"--generator={folders / 'unconditional'}", models[1]]
    done = run("histograms", *unconditional, *args, "--top=2", cwd=tmp_path)
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert "error: nothing to separate: " in line
    assert "10 unsure (softmax below 0.9)" in line
