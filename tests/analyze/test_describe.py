"""`python -m analyze.describe` end to end on tiny models, and what a user can get wrong."""

import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.analysis.attributes import attributes_of
from tests.analyze.commands import only_folder, run

SMALL = ["--num_samples=80", "--ranking_samples=60", "--batch_size=40", "--top=3", "--moved=20"]


@pytest.fixture(scope="module")
def finished(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cwd")
    done = run("describe", *models, *SMALL, cwd=folder)
    return done, only_folder(folder, "describe")


def test_it_writes_a_result_that_reloads(finished):
    done, folder = finished
    assert done.returncode == 0, done.stderr
    result = results.load(folder)
    modes = result.summary["failure_modes"]
    listed = [each["dimension"] for mode in modes for each in mode["dimensions"]]
    assert sorted(listed) == sorted(result.arrays["dimensions"])
    counts = result.summary["misclassified"]
    assert counts["well_classified"] + counts["misclassified"] == 80
    assert {*modes[0]["change_sd"]} <= {each.name for each in attributes_of(1)}
    for mode in modes:
        low, high = mode["softmax_of_true_class"]["interval95"]
        assert low <= mode["softmax_of_true_class"]["value"] <= high
    assert "NaN" not in (folder / "result.json").read_text()


def test_modes_that_are_one_dimension_say_the_same_twice(finished):
    result = results.load(finished[1])
    for number, mode in enumerate(result.summary["failure_modes"]):
        dims = np.flatnonzero(result.arrays["mode"] == number)
        if len(dims) == 1:
            for name in ("change", "softmax", "moved", "maps"):
                single, joint = (result.arrays[f"{kind}_{name}"] for kind in ("single", "joint"))
                np.testing.assert_array_equal(single[dims[0]], joint[number])
            assert mode["words"].split(" by ")[0] in (
                mode["dimensions"][0]["words"].split(" by ")[0],
                "no simple word",
            )


def test_it_prints_words_and_paths(finished):
    done, folder = finished
    files = sorted(path.name for path in folder.iterdir())
    figures = ["changes.png", "failure_modes.png", "misclassified.png"]
    assert files == [*figures, "result.json", "result.npz"]
    for part in (*files, "misclassified samples, against", "  1. ", "misclassified"):
        assert part in done.stdout


BAD = [
    (["--deviations=0"], "flag --deviations=0: 0.0 is not"),
    (["--similarity=2"], "flag --similarity=2: 2.0 is not"),
    (["--moved=1"], "flag --moved=1: 1 is not"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    done = run("describe", *models, *SMALL, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())
