"""The pages cannot rot: links lead somewhere, commands have the flags that they are shown with, and
those that need no files run."""

import contextlib
import importlib
import re
import shlex

import pytest
from absl.flags import FlagValues

from ganfail_jax import own_models, results
from ganfail_jax.cli.main import parse
from ganfail_jax.studies import fingerprints
from tests.analyze import commands

ROOT = commands.ROOT
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "analyze").glob("*.md")),
    ROOT / "analyze/labels/README.md",
    ROOT / "train/README.md",
    ROOT / "ganfail_jax/README.md",
]
SMALL = {  # command -> flags that make it quick
    "analyze.rank": "--num_samples=40 --bootstrap=2",
    "analyze.histograms": "--num_samples=200 --ranking_samples=40",
    "analyze.describe": "--num_samples=60 --ranking_samples=40 --top=2 --moved=20",
    "analyze.embed": "--num_samples=200 --embedded=40 --perplexity=5",
    "analyze.shift": "--ranking_samples=40 --top=2 --grid=4",
    "analyze.corner_cases": "--ranking_samples=40 --classes=3 --search=3 --joint_dims=2 --draws=2",
    "analyze.accuracy": "--num_samples=100 --ranking_samples=40 --min_samples=5",
    "analyze.compare": "--num_samples=100 --ranking_samples=40",
    "analyze.rates": "--num_samples=64",
    "analyze.detect": "--num_samples=96 --ends=10 --rates_samples=64",
    "analyze.heatmaps": "--num_samples=64 --shown=1 --rates_samples=64",
    "analyze.ablate": "--num_samples=64 --shown=2 --rates_samples=64",
    "analyze.links": "--num_samples=64 --moved=20 --top=2 --rates_samples=64 --ranking_samples=40",
    "analyze.table": "--num_samples=64 --ends=20 --num_real=40 --rates_samples=64",
    "analyze.evaluate": "--num_samples=40 --metrics=fid,kid,pr,realism",
}
FILES = re.compile(r"my_|looks_at|GENERATOR|=RUN|\bnetwork\.pkl|package/|=runs/|=digits|=10\.")
FIGURES = re.compile(r"figures/[\w.]+")


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def command_lines():
    """(module, arguments) of every command shown, each once."""
    shown = []
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in block.splitlines():
                match = re.search(r"python -m ((?:analyze|train)\.\w+)([^\"]*)", line)
                if match and match.groups() not in shown:
                    shown.append(match.groups())
    return shown


def write_modules(folder):
    """Write the Python files that pages show, which begin with their names."""
    for page in PAGES:
        for code in blocks(page, "python"):
            if match := re.match(r"# (\w+\.py)\n", code):
                (folder / match[1]).write_text(code)


def anchors(page):
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", page.read_text()):
        if target.startswith("http"):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page}: no {target}"
        if anchor:
            place = file / "README.md" if file.is_dir() else file
            assert anchor[1:] in anchors(place), f"{page}: no heading {anchor} in {place}"


def test_every_figure_is_shown():
    shown = {name for page in PAGES for name in FIGURES.findall(page.read_text())}
    assert shown == {f"figures/{path.name}" for path in (ROOT / "analyze/figures").iterdir()}


def test_the_first_page_is_short_and_names_every_command():
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) < 9_000
    for folder in ("analyze", "train"):
        for path in (ROOT / folder).glob("*.py"):
            if not path.name.startswith("__"):
                assert f"{folder}.{path.stem}" in text, path


@pytest.mark.parametrize("line", command_lines(), ids=" ".join)
def test_commands_have_the_flags_that_pages_give_them(line):
    name, arguments = line
    module, flags = importlib.import_module(name), FlagValues()
    module.define(flags)
    parse(flags, [name, *shlex.split(arguments.replace("=i", "=1"))])


RUN = [(n, a) for n, a in command_lines() if n in SMALL and not FILES.search(a)]


@pytest.mark.parametrize("line", RUN, ids=" ".join)
def test_commands_that_need_no_files_run(line, tmp_path, monkeypatch):
    monkeypatch.delitem(commands.ENVIRONMENT, "GANFAIL_MNIST_DIR", raising=False)
    monkeypatch.delenv("GANFAIL_MNIST_DIR", raising=False)
    write_modules(tmp_path)
    name, arguments = line
    package, command = name.split(".")
    flags = [*shlex.split(arguments), *SMALL[name].split()]
    done = commands.run(command, *flags, cwd=tmp_path, package=package)
    assert done.returncode == 0, done.stderr
    assert "results in runs/" in done.stdout


OWN = [
    *("my_classifier:classifier", "my_classifier:plain"),
    *("my_flax:with_linen", "my_flax:with_nnx", "my_forest:classifier"),
]


@pytest.mark.parametrize("name", OWN)
def test_classifiers_of_pages_take_digits(name, tmp_path, monkeypatch):
    write_modules(tmp_path)
    monkeypatch.chdir(tmp_path)
    shape = 32, 32, 1
    classifier, params = own_models.load_classifier(name, shape, {})
    assert classifier.class_names == tuple("0123456789")
    assert len(fingerprints.of_classifier(classifier, params, shape)) == 64


def test_the_ranking_of_the_toy_is_known_by_construction(tmp_path):
    write_modules(tmp_path)
    models = ["--generator=toy:generator", "--classifier=toy:looks_at_the_centre"]
    done = commands.run("rank", *models, "--num_samples=400", "--bootstrap=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = results.load(commands.only_folder(tmp_path, "rank"))
    top = {each["dimension"]: each for each in result.summary["groups"]["all"]["top"]}
    assert [*top][:3] == ["ring[0]", "bright[0]", "blur[0]"]
    assert top["bright[0]"]["degrading_direction"] == -1
    assert top["blur[0]"]["degrading_direction"] == 1
    for name in ("position[0]", "position[1]"):  # symmetric
        low, high = top[name]["interval95"]
        assert low < 0 < high


def test_most_commands_that_can_run_do():
    assert {name for name, _ in RUN} == {*SMALL}


@pytest.mark.parametrize("page", ["README.md", "ganfail_jax/README.md"])
def test_python_runs(page, tmp_path, capsys):
    for code in blocks(ROOT / page, "python"):
        with contextlib.chdir(tmp_path):
            exec(compile(code.replace("1_000", "40"), page, "exec"), {})
        assert capsys.readouterr().out


@pytest.mark.parametrize("folder", ["analyze", "train"])
def test_the_index_lists_every_command_once(folder):
    module = importlib.import_module(f"{folder}.__main__")
    listed = [name for names in module.GROUPS.values() for name in names]
    files = {path.stem for path in (ROOT / folder).glob("*.py") if not path.stem.startswith("__")}
    assert sorted(listed) == sorted(files)
