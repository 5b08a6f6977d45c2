"""`python -m analyze.links` end to end on tiny models, and what a user can get wrong."""

import pytest

from ganfail_jax import results
from ganfail_jax.analysis.links import Shown
from tests.analyze.commands import run

SIZES = ["--num_samples=80", "--ranking_samples=60", "--rates_samples=64", "--batch_size=40"]
SMALL = [*SIZES, "--top=3", "--moved=20", "--sets=LR:0.3"]


@pytest.fixture(scope="module")
def finished(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cwd")
    done = run("links", *models, *SMALL, "--out=out", cwd=folder)
    return done, folder / "out"


def test_it_writes_a_result_that_reloads(finished):
    done, folder = finished
    assert done.returncode == 0, done.stderr
    result = results.load(folder)
    shown = results.restore(Shown, result.arrays)
    assert shown.change.shape == (3, 3)
    assert not {*shown.dimensions} & {*shown.random}
    assert shown.ablations == ("LR:0.3", "random, as many as LR:0.3")
    assert result.summary["first_index"] == 64  # beyond the ranking and the rates
    assert len(result.arrays["score"]) == 80
    identity = result.provenance["identity"]
    assert identity["ranking"]["truncation_psi"] == 1
    assert identity["rates"]["num_samples"] == 64
    assert "NaN" not in (folder / "result.json").read_text()


def test_it_prints_numbers_and_paths(finished):
    done, folder = finished
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["links.png", "result.json", "result.npz"]
    for part in (*files, "degrading minus random: ", "sum, within classes: ", "McNemar p = "):
        assert part in done.stdout


BAD = [
    (["--sets=random:0.3"], "random:0.3 is a control, not a set; sets here are LR:0.3, HR:0.7"),
    (["--sets="], "there is no set of neurons to ablate; sets are LR:0.3, HR:0.7"),
    (["--top=1"], "flag --top=1: 1 is not"),
    (["--rates=rates"], "--rates has its own number of samples: leave --rates_samples out"),
    (["--ranking=rank"], "--ranking has its own ranking_samples: leave --ranking_samples out"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    done = run("links", *models, *SMALL, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())
