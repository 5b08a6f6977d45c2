"""`python -m analyze.shift` end to end on a tiny generator, and what a user can get wrong."""

import numpy as np
import pytest

from ganfail_jax import results
from tests.analyze.commands import only_folder, run
from tests.analyze.sure import save_sure
from tests.tiny import CLASS_NAMES


@pytest.fixture(scope="module")
def sure(folders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sure") / "classifier"
    return save_sure(folder, folders / "generator", folders / "classifier")


def test_it_writes_a_result_that_reloads(sure, tmp_path):
    args = [
        "--ranking_samples=60",
        "--top=4",
        "--progress=0,1,1.1",
        "--limit=30",
        "--group=class",
        "--batch_size=30",
    ]
    done = run("shift", *sure, *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = results.load(only_folder(tmp_path, "shift"))
    arrays, columns = result.arrays, result.summary["dimensions"]
    assert len(columns) == 4
    assert arrays["images"].shape == (3, 4, 8, 8, 1)
    assert arrays["reached"].any()
    assert result.summary["ranking_group"] == result.summary["start"]["class"]
    assert arrays["chosen"] == result.summary["start_chosen"]
    assert result.summary["start"]["class"] in CLASS_NAMES
    assert result.summary["start"]["sample"] >= 60
    for column, reached, softmax in zip(
        columns, arrays["reached"], arrays["softmax"].T, strict=True
    ):
        assert column["reaches_0.50"] == reached
        assert softmax[0] == pytest.approx(result.summary["start"]["softmax"], rel=1e-4)
        assert (abs(softmax[1] - 0.5) < 0.01) if reached else softmax[1] > 0.5
    for part in (
        "dimensions reach 0.50 within 30 standard deviations",
        "most affected",
        "shift.png",
    ):
        assert part in done.stdout


def test_an_unconditional_generator_and_chosen_dimensions(folders, tmp_path):
    untrained = folders / "classifier"
    models = save_sure(tmp_path / "classifier", folders / "unconditional", untrained)
    args = ["--ranking_samples=30", "--dims=b0008/conv0[1],b0004/conv1[0]", "--batch_size=30"]
    args += ["--show_class=c"]
    done = run("shift", *models, *args, f"--out={tmp_path / 'out'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    arrays = results.load(tmp_path / "out").arrays
    assert list(arrays["names"]) == ["b0008/conv0[1]", "b0004/conv1[0]"]
    assert not arrays["conditional"]
    assert arrays["class_names"][arrays["true_class"]] == "c"
    assert np.argmax(arrays["progress"] == 1) == 6


BAD = [
    (
        ["--dims=b0008/conv0[99]"],
        "no dimension 'b0008/conv0[99]'; the nearest names are b0008/conv",
    ),
    (["--progress=0,x"], "--progress takes numbers from 0 on, not '0,x'"),
    (["--progress=-1"], "--progress takes numbers from 0 on, not '-1'"),
    (["--show_class=z"], "no class 'z'; the classes are a, b, c"),
    (["--start=3", "--show_class=a"], "give --start or --show_class, not both"),
    (["--limit=0"], "flag --limit=0: 0.0 is not a number in the range [0.1, "),
]


@pytest.mark.parametrize(
    ("args", "message"), BAD, ids=lambda x: x[0] if isinstance(x, list) else ""
)
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    done = run("shift", *models, *args, cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert message in lines[0]
    assert not list(tmp_path.iterdir())


def test_a_class_that_the_ranking_has_not_seen_is_refused(sure, tmp_path):
    """Of two samples, the classes take turns, one is an a and one is a b."""
    args = ["--ranking_samples=2", "--group=class", "--batch_size=2", "--show_class=c"]
    done = run("shift", *sure, *args, f"--out={tmp_path / 'out'}", cwd=tmp_path)
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]  # after the progress of the ranking
    assert "error: the ranking has no sample of class c; give --group=all" in line


def test_a_sample_that_is_no_start_is_refused(models, tmp_path):
    """An untrained classifier gives no class a softmax above 0.50."""
    done = run("shift", *models, "--start=1", cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "sample 1 is a b with a softmax of 0." in line
    assert "choose another --start" in line
    assert not list(tmp_path.iterdir())
