"""`python -m analyze.compare` end to end on tiny models."""

import numpy as np
import pytest

from ganfail_jax import results
from tests.analyze.commands import run
from tests.tiny import CLASS_NAMES

SMALL = ("--num_samples=90", "--ranking_samples=40", "--batch_size=45", "--top=6", "--shown=9")


@pytest.fixture(scope="module", params=["generator", "unconditional"])
def finished(request, folders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    both = f"--classifiers={folders / 'classifier'},{folders / 'other'}"
    done = run("compare", f"--generator={folders / request.param}", both, *SMALL, cwd=folder)
    return done, folder / "runs" / "compare" / f"{request.param}-classifier-other-0"


def test_it_writes_a_result_that_reloads(finished):
    done, folder = finished
    assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in folder.iterdir())
    figures = ["accuracy.png", "disagreements_1.png", "result.json", "result.npz", "scores_1.png"]
    assert files == figures
    for part in (*files, "90 samples; right means", "McNemar p =", "rank correlation"):
        assert part in done.stdout
    result = results.load(folder)
    (pair,) = result.summary["pairs"]
    assert (pair["a"], pair["b"]) == ("classifier", "other")
    table = pair["samples"]["all"]
    cells = [table[k] for k in ("both_right", "only_a_right", "only_b_right", "both_wrong")]
    assert sum(cells) == 90
    share = {name: groups["all"]["accuracy"] for name, groups in result.summary["accuracy"].items()}
    assert share["classifier"] - share["other"] == pytest.approx(table["difference"])
    assert share["classifier"] == pytest.approx((cells[0] + cells[1]) / 90)
    ranked = pair["rankings"]["all"]
    tops = sum(len(ranked[k]) for k in ("shared", "opposite", "only_a"))
    assert tops == sum(len(ranked[k]) for k in ("shared", "opposite", "only_b")) == 6
    assert set(result.summary["accuracy"]["other"]) == {"all", *CLASS_NAMES}


def test_the_sheets_hold_the_disagreements(finished):
    _, folder = finished
    result = results.load(folder)
    table = result.summary["pairs"][0]["samples"]["all"]
    for key, cell in (("first", "only_a_right"), ("other", "only_b_right")):
        images = result.arrays[f"sheet1_{key}_images"]
        assert images.shape == (min(table[cell], 9), 8, 8, 1)
        high, low = result.arrays[f"sheet1_{key}_softmax"].T
        assert (np.diff(high - low) <= 0).all()


def test_one_classifier_is_one_line_and_writes_nothing(folders, tmp_path):
    args = (f"--generator={folders / 'generator'}", f"--classifiers={folders / 'classifier'}")
    done = run("compare", *args, cwd=tmp_path)
    assert done.returncode == 1
    expected = "error: a comparison needs two classifiers: --classifiers=one,another\n"
    assert done.stderr == expected
    assert not list(tmp_path.iterdir())
