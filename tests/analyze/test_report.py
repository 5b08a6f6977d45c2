"""`python -m analyze.report` end to end on tiny models, and what a user can get wrong."""

import importlib
import json
import shlex
import shutil

import numpy as np
import pytest
from absl.flags import FlagValues

from ganfail_jax import results
from ganfail_jax.analysis.push import PushEffect
from ganfail_jax.cli.main import parse
from ganfail_jax.studies import rank, subject
from tests.analysis.made_up import make_ranking
from tests.analyze.commands import run

STUDIES = ["reliability", "histograms", "evaluate"]
SMALL = ["--num_samples=120", "--batch_size=60", "--out=report"]


def write_ranking(folder, generator, classifier):
    """A result of `analyze.rank` whose scores are made up."""
    own = subject.load_classifiers(subject.load(str(generator), "random"), [str(classifier)])
    (models,) = own.models
    size = sum(models.generator.style_dims.values())
    score = np.random.default_rng(0).normal(size=(4, size))
    ranked = make_ranking(score, ("all", *models.classifier.class_names))
    effect = PushEffect(100, 3, 0.9, 0.8, 0.9, (0.0, 0.0, 0.0), (0.9,), (0.1, 0.1, 0.1))
    settings = rank.Settings(num_samples=60)._asdict()
    identity = {**own.identity, **settings}
    del identity["show_class"]
    summary = rank._summarize(ranked, effect, 3)
    arrays = {name: np.asarray(each) for name, each in ranked._asdict().items()}
    results.save(folder, summary, results.provenance(identity), arrays)


@pytest.fixture(scope="module")
def finished(folders, pictures, tmp_path_factory):
    """A report of some studies, on an earlier ranking."""
    cwd = tmp_path_factory.mktemp("cwd")
    generator, classifier = folders / "generator", folders / "classifier"
    write_ranking(cwd / "ranked", generator, classifier)
    flags = [f"--generator={generator}", f"--classifiers={classifier}", f"--images={pictures}"]
    flags += ["--earlier=rank=ranked", f"--studies={','.join(STUDIES)}", *SMALL]
    return run("report", *flags, cwd=cwd), cwd / "report", flags


def content(folder):
    return json.loads((folder / "report.json").read_text())


def test_it_writes_a_page_and_everything_shown(finished):
    done, folder, _ = finished
    assert done.returncode == 0, done.stderr
    assert "report/report.html" in done.stdout
    report, html = content(folder), (folder / "report.html").read_text()
    assert report["title"] == "What breaks classifier?"
    questions = [found["question"] for found in report["findings"]]
    assert questions[0] == "What breaks it?"
    assert questions[-1] == "What not to trust"
    keys = [section["key"] for section in report["sections"]]
    assert keys == ["reliability", "rank", *STUDIES[1:]]
    for section in report["sections"]:
        assert section["left_out"] or section["conclusions"]
        for table in section["tables"]:
            assert table["caption"] in html
    shown = sum(len(section["figures"]) for section in report["sections"])
    assert html.count("data:image/png") == shown >= 3


def test_its_sentences_have_the_numbers_of_the_results(finished):
    _, folder, _ = finished
    found = results.load(folder / "reliability").summary["failing"]
    first = content(folder)["findings"][0]["sentences"][0]
    assert first.startswith(f"{found['value']:.1%}".replace("%", " %"))
    assert "of 120 generated images are misclassified by classifier" in first


def test_commands_that_it_shows_are_accepted(finished):
    for section in content(finished[1])["sections"]:
        words = shlex.split(section["command"])
        if not words:
            continue
        assert words[:2] == ["python", "-m"]
        module, flags = importlib.import_module(words[2]), FlagValues()
        module.define(flags)
        parse(flags, words[2:])


def test_a_command_that_it_shows_makes_the_same_result(finished):
    _, folder, _ = finished
    commands = {s["key"]: shlex.split(s["command"])[2:] for s in content(folder)["sections"]}
    for name, *arguments in (commands["histograms"], commands["evaluate"]):
        done = run(name.removeprefix("analyze."), *arguments, cwd=folder.parent)
        assert done.returncode == 0, done.stderr
        assert "already holds this result" in done.stdout


def test_another_run_takes_what_is_there(finished):
    _, folder, flags = finished
    before = content(folder)
    again = run("report", *flags, cwd=folder.parent)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("already holds this result") == len(STUDIES)
    assert content(folder) == before


def test_earlier_results_are_taken_where_they_are_of_the_same_models(finished, folders, tmp_path):
    _, folder, flags = finished
    shutil.copytree(folder.parent / "ranked", tmp_path / "mine")
    other = [flags[0], f"--classifiers={folders / 'other'}"]
    cases = [
        ([*other, "--earlier=rank=mine"], "the rankings in mine are of another classifier"),
        ([*flags[:2], "--earlier=rank"], "--earlier has 'rank'; each study once, as STUDY=FOLDER"),
        ([*flags[:2], "--earlier=rates=mine"], "this report has no 'rates'; its studies are "),
        ([*flags[:2], "--studies=heatmaps"], "this report has no 'heatmaps'; its studies are "),
    ]
    for args, message in cases:
        done = run("report", *args, "--out=new", cwd=tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        assert line.startswith(f"error: {message}")
        assert not (tmp_path / "new").exists()


def test_a_generator_alone(folders, tmp_path):
    done = run("report", f"--generator={folders / 'unconditional'}", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a report of the generator alone: " in done.stdout
    report = content(tmp_path / "report")
    assert [section["key"] for section in report["sections"]] == ["rates", "detect"]
    assert report["title"] == "How does generator unconditional fail?"
    assert "quality is unknown" in "".join(report["findings"][2]["sentences"])
