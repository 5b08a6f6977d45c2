"""`python -m analyze.compare` end to end on tiny models."""

import numpy as np
import pytest

from ganfail_jax import results, runtime, zoo
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.samples import collect
from ganfail_jax.runtime import Sweep
from tests.analyze.commands import only_folder, run
from tests.analyze.sure import save_sure
from tests.tiny import CLASS_NAMES

SMALL = ("--num_samples=90", "--ranking_samples=40", "--batch_size=45", "--top=6", "--shown=9")


@pytest.fixture(scope="module", params=["generator", "unconditional"])
def finished(request, folders, tmp_path_factory):
    """One classifier is sure of some samples, the other of none."""
    folder, generator = tmp_path_factory.mktemp("compare"), folders / request.param
    save_sure(folder / "sure", generator, folders / "classifier")
    both = f"--classifiers={folder / 'sure'},{folders / 'other'}"
    done = run("compare", f"--generator={generator}", both, *SMALL, cwd=folder)
    return done, only_folder(folder, "compare")


def test_it_writes_a_result_that_reloads(finished):
    done, folder = finished
    assert done.returncode == 0, done.stderr
    known = not folder.name.startswith("unconditional")
    files = sorted(path.name for path in folder.iterdir())
    shares = "accuracy.png" if known else "sure.png"
    expected = ["disagreements_1.png", "result.json", "result.npz", "scores_1.png", shares]
    assert files == sorted(expected)
    outcome = "well classified" if known else "sure (softmax at least 0.9)"
    heading = f"90 samples; share of those {outcome}:"
    for part in (*files, heading, "McNemar p =", "rank correlation"):
        assert part in done.stdout
    if not known:
        for word in ("right", "wrong", "accuracy"):
            assert word not in done.stdout.replace(str(folder), "")
    result = results.load(folder)
    (pair,) = result.summary["pairs"]
    assert (pair["a"], pair["b"]) == ("sure", "other")
    table = pair["samples"]["all"]
    cells = [table[k] for k in ("both", "only_a", "only_b", "neither")]
    assert sum(cells) == 90
    share = {name: groups["all"]["share"] for name, groups in result.summary["shares"].items()}
    assert share["sure"] - share["other"] == pytest.approx(table["difference"])
    assert share["sure"] == pytest.approx((cells[0] + cells[1]) / 90)
    ranked = pair["rankings"]["all"]
    tops = sum(len(ranked[k]) for k in ("shared", "opposite", "only_a"))
    assert tops == sum(len(ranked[k]) for k in ("shared", "opposite", "only_b")) == 6
    assert ranked["in_both"] == len(ranked["shared"]) + len(ranked["opposite"])
    groups = {"all", *CLASS_NAMES} if known else {"all"}
    assert set(result.summary["shares"]["other"]) == set(pair["samples"]) == groups


def test_its_samples_are_not_those_of_the_rankings(finished, folders):
    _, folder = finished
    result = results.load(folder)
    assert result.summary["first_index"] == 40
    generator, params = zoo.load_generator(str(folders / folder.name.split("-")[0]))
    pair = generator.with_noise("random"), params
    classifiers = (folder.parents[2] / "sure", folders / "other")
    drawn = collect(
        [Models(*pair, *zoo.load_classifier(str(path))) for path in classifiers],
        90,
        Sweep(45, runtime.data_mesh()),
        first_index=40,
    )
    np.testing.assert_array_equal(result.arrays["right"], drawn.right)
    assert 0 < drawn.right[0].mean() < 1


def test_the_sheets_hold_the_disagreements(finished):
    _, folder = finished
    result = results.load(folder)
    table = result.summary["pairs"][0]["samples"]["all"]
    for key, cell in (("first", "only_a"), ("other", "only_b")):
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
