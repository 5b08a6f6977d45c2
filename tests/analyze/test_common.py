"""What the analyses of a ranking have in common: where it comes from, and their flags."""

import importlib
import json
import re
import shutil

import numpy as np
import pytest
from absl.flags import FlagValues

from ganfail_jax import results
from ganfail_jax.cli.flags import settings_from
from tests.analyze.commands import only_folder, run

STUDIES = "ganfail_jax.studies"
SMALL = ["--num_samples=60", "--batch_size=30", "--top=4"]


@pytest.fixture(scope="module")
def ranked(models, tmp_path_factory):
    """The folder of a ranking of 60 samples."""
    folder = tmp_path_factory.mktemp("ranked") / "rank"
    flags = ("--num_samples=60", "--batch_size=30", "--bootstrap=2", f"--out={folder}")
    done = run("rank", *models, *flags, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_given_ranking_is_the_one_that_would_be_made(models, ranked, tmp_path):
    given = run("histograms", *models, *SMALL, f"--ranking={ranked}", "--out=given", cwd=tmp_path)
    assert given.returncode == 0, given.stderr
    made = run("histograms", *models, *SMALL, "--ranking_samples=60", "--out=made", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    first, second = (results.load(tmp_path / name) for name in ("given", "made"))
    assert first.provenance["identity"] == second.provenance["identity"]
    for name in ("order", "direction", "auc", "shown_values"):
        np.testing.assert_allclose(first.arrays[name], second.arrays[name], atol=1e-5)


def test_a_ranking_that_does_not_fit_is_one_line(models, folders, ranked, tmp_path):
    other = [models[0], f"--classifier={folders / 'other'}"]
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = shutil.copytree(ranked, tmp_path / "nothing")
    made_by = results.load(ranked).provenance
    results.save(nothing, {}, made_by, {"something": np.zeros(3)})
    whole, unfit = results.load(ranked), {}
    for name, changed in {
        "score": np.full_like(whole.arrays["score"], np.nan),
        "style_std": whole.arrays["style_std"][:1],
        "order": np.zeros_like(whole.arrays["order"]),
    }.items():
        unfit[name] = shutil.copytree(ranked, tmp_path / name)
        results.save(unfit[name], {}, made_by, whole.arrays | {name: changed})
    cases = [
        (models, unfit["score"], [], "score has other than finite numbers"),
        (models, unfit["style_std"], [], "style_std has the shape (1,), these models need ("),
        (models, unfit["order"], [], "order is not one of the dimensions"),
        (other, ranked, [], "are of another classifier"),
        (models, empty, [], "no readable result in"),
        (models, nothing, [], "this result is not a Ranking: it has no groups, names"),
        (models, ranked, ["--score=logit"], "has its own score: leave --score out"),
    ]
    for own, folder, more, message in cases:
        done = run("histograms", *own, f"--ranking={folder}", *more, "--out=new", cwd=tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith("error: ")
        assert message in line
        assert not (tmp_path / "new").exists()


def test_classifiers_in_folders_of_the_same_name_are_distinguished(models, folders, tmp_path):
    names = ("one/best", "two/best")
    for name, source in zip(names, ("classifier", "other"), strict=True):
        shutil.copytree(folders / source, tmp_path / name)
    flags = ["--num_samples=60", "--ranking_samples=30", "--batch_size=30", "--top=3"]
    done = run("compare", models[0], f"--classifiers={','.join(names)}", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = results.load(only_folder(tmp_path, "compare"))
    assert result.provenance["identity"]["classifiers"] == list(names)


@pytest.mark.parametrize("flag", ["--truncation_psi=inf", "--truncation_psi=nan"])
def test_what_is_not_a_number_is_refused(flag, models, tmp_path):
    done = run("rank", *models, flag, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert re.match(f"error: flag {flag}: .*not a (finite )?number", line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["rank", "histograms", "embed", "accuracy", "compare", "shift", "corner_cases", "links"]
)
def test_the_defaults_are_those_of_the_study(name):
    """A user of flags and one of Python get the same result."""
    command, study = (importlib.import_module(f"{top}.{name}") for top in ("analyze", STUDIES))
    flags = FlagValues()
    command.define(flags)
    by_flags, by_hand = settings_from(study.Settings, flags), study.Settings()
    assert json.dumps(by_flags._asdict()) == json.dumps(by_hand._asdict())
