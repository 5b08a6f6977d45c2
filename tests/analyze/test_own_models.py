"""Commands with a random forest as the classifier: it has no gradient and no feature map."""

import pytest

from ganfail_jax import results
from tests.analyze.commands import run

MODULE = """
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from ganfail_jax.nn.wrapped import wrap


def forest():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (90, 64))
    trees = RandomForestClassifier(20, max_depth=4, random_state=0)
    trees.fit(images, (images @ rng.normal(size=(64, 3))).argmax(1))

    def probabilities(images):
        return trees.predict_proba(images.reshape(len(images), -1))

    how = {"size": 8, "channels": 1, "outputs": "probabilities", "class_names": "abc"}
    return wrap(probabilities, gradient=False, **how)
"""
FOREST = "forests:forest"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "forests.py").write_text(MODULE)
    return tmp_path


SMALL = {
    "rank": ("--num_samples=90", "--bootstrap=3", "--top=3"),
    "embed": ("--num_samples=60", "--embedded=30", "--perplexity=5"),
    "detect": ("--num_samples=64", "--ends=10", "--rates_samples=32"),
}
PAIRS = {
    "compare": ("--num_samples=90", "--ranking_samples=90", "--top=3", "--shown=4"),
    "accuracy": ("--num_samples=90", "--ranking_samples=90", "--top=3", "--min_samples=3"),
}


@pytest.mark.parametrize("name", [*SMALL, *PAIRS])
def test_what_needs_no_gradient_runs_without(name, models, folder):
    """Of a forest alone, or beside a network."""
    network = models[1].split("=")[1]
    chosen = f"--classifiers={network},{FOREST}" if name in PAIRS else f"--classifier={FOREST}"
    out = folder / "out"
    done = run(name, models[0], chosen, *(SMALL | PAIRS)[name], f"--out={out}", cwd=folder)
    assert done.returncode == 0, done.stderr
    identity = results.load(out).provenance["identity"]
    assert FOREST in str(identity["classifiers"])
    if name in ("rank", *PAIRS):
        assert f"{FOREST} without a gradient: dimensions are ranked by --score=auc" in done.stdout
        assert identity.get("ranking", identity)["score"] == "auc"


BAD = [
    ("rank", ["--score=margin"], "has no gradient; --score=auc ranks without one"),
    ("rank", ["--normalize=std"], "AUCs have no unit: --normalize=std does not go with --score"),
    ("corner_cases", [], "has no gradient; joint corner cases need one"),
    ("benchmark", [], "has no gradient; its pass is measured"),
]


@pytest.mark.parametrize(("name", "args", "message"), BAD, ids=[message for *_, message in BAD])
def test_what_needs_a_gradient_says_so(name, args, message, models, folder):
    done = run(name, models[0], f"--classifier={FOREST}", *args, cwd=folder)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert [path.name for path in folder.iterdir() if path.suffix != ".py"] in ([], ["__pycache__"])


def test_what_needs_a_feature_map_says_so(models, folder, pictures):
    args = (f"--images={pictures}", "--features=classifier", "--num_samples=10")
    done = run("evaluate", models[0], f"--classifier={FOREST}", *args, cwd=folder)
    assert done.returncode == 1
    assert done.stderr == "error: --features=classifier: this classifier has no feature map\n"
