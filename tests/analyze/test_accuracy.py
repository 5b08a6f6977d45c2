"""`python -m analyze.accuracy` end to end on tiny models."""

import pytest

from ganfail_jax import results, runtime, zoo
from ganfail_jax.analysis.latent_accuracy import COMPARISONS
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.samples import SURE, collect
from ganfail_jax.runtime import Sweep
from ganfail_jax.weights import store
from tests.analyze.commands import only_folder, run
from tests.analyze.conftest import CLASSIFIER
from tests.analyze.sure import save_sure
from tests.tiny import CLASS_NAMES

SMALL = ("--num_samples=200", "--ranking_samples=40", "--batch_size=50", "--min_samples=10")


def save_opposite(folder, classifier):
    """A classifier that sees the class that this one holds the least likely."""
    _, params = zoo.load_classifier(str(classifier))
    opposite = {**params, "dense": {name: -x for name, x in params["dense"].items()}}
    store.save(folder, "classifier", CLASSIFIER.to_dict(), opposite, {})


def test_two_classifiers(folders, tmp_path):
    save_opposite(tmp_path / "other", folders / "classifier")
    both = f"--classifiers={folders / 'classifier'},{tmp_path / 'other'}"
    args = (f"--generator={folders / 'generator'}", both, *SMALL, "--top=7")
    done = run("accuracy", *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = only_folder(tmp_path, "accuracy")
    files = sorted(path.name for path in folder.iterdir())
    figures = ["class_slopes.png", "classes.png", "classifiers.png"]
    assert files == [*figures, "result.json", "result.npz"]
    for part in (*files, "200 samples", "own top 7 dimensions", "slope", "nowhere in common"):
        assert part in done.stdout
    result = results.load(folder)
    found = result.summary["comparisons"]
    assert list(found) == list(COMPARISONS)
    assert result.summary["first_index"] == 40
    for name, comparison in found.items():
        names = CLASS_NAMES if name.startswith("classes") else ("classifier", "other")
        drawn = result.arrays[f"{name}_samples"].sum(axis=1)
        assert {k: curve["samples"] for k, curve in comparison["curves"].items()} == {
            k: n for k, n in zip(names, drawn, strict=True) if n
        }
    other = found["own"]["curves"]["other"]
    assert other["slope"] == pytest.approx(float(result.arrays["own_slope"][1]))
    assert 100 < other["samples"] <= 200
    assert not found["shared"]["curves"]  # these two are never right together: no centre
    settings = {k: result.provenance["identity"][k] for k in ("top", "bins", "min_samples")}
    assert settings == {"top": 7, "bins": 12, "min_samples": 10}

    again = run("accuracy", *args, "--batch_size=30", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "already holds this result" in again.stdout


def test_an_unconditional_generator_with_one_classifier(folders, tmp_path):
    generator, classifier = str(folders / "unconditional"), str(tmp_path / "sure")
    save_sure(classifier, generator, folders / "classifier")
    args = (f"--generator={generator}", f"--classifiers={classifier}")
    done = run("accuracy", *args, *SMALL, "--binning=quantile", "--out=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "right means sure (softmax at least 0.9)" in done.stdout
    result = results.load(tmp_path / "out")
    assert "shared" not in result.summary["comparisons"]
    curve = result.summary["comparisons"]["own"]["curves"]["sure"]
    assert curve["points"] > 1
    assert curve["samples"] == 200  # bins of equal numbers lose none
    size, share = (result.arrays[f"own_{field}"][0] for field in ("samples", "accuracy"))
    network, params = zoo.load_generator(generator)
    drawn = collect(
        [Models(network.with_noise("random"), params, *zoo.load_classifier(classifier))],
        200,
        Sweep(50, runtime.data_mesh()),
        first_index=40,
    )
    sure = drawn.softmax[0].max(axis=1) >= SURE
    assert size @ share == pytest.approx(sure.sum())
    assert 0 < sure.mean() < 1


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("--top=-1", "flag --top=-1: -1 is not an integer in the range [0, 100000]"),
        ("--min_samples=0", "flag --min_samples=0: 0 is not an integer in the range [1, "),
        ("--num_samples=2", "--num_samples=2: a slope needs two points of --min_samples=50, so at"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(arg, message, tmp_path):
    done = run("accuracy", arg, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
