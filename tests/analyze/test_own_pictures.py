"""Commands on pictures of one's own: folders, archives, classes, bad pictures."""

import io
import json
import zipfile

import jax
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import zoo
from ganfail_jax.data.image_sets import generated
from ganfail_jax.data.stored import Options, open_dataset
from ganfail_jax.metrics.features import classifier_features, extract_features
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.nn import classifiers
from ganfail_jax.weights import store
from tests.analyze.commands import run

SHAPE = (8, 8, 3)
CNN = classifiers.CNNConfig(image_shape=SHAPE, crop=8, num_classes=2, widths=(4,), convs=1)
RNG = np.random.default_rng(0)


def png(*shape):
    with io.BytesIO() as file:
        Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(file, "PNG")
        return file.getvalue()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A classifier of pictures in colours, a folder of them, and an archive as NVIDIA's."""
    work = tmp_path_factory.mktemp("own")
    params = jax.jit(lambda: classifiers.init(CNN, jax.random.key(0)))()
    store.save(work / "tiny", "classifier", CNN.to_dict(), params, {"class_names": ["a", "b"]})
    (work / "generated").mkdir()
    for n in range(30):
        (work / "generated" / f"{n}.png").write_bytes(png(*SHAPE))
    names = [f"00000/img{n:08d}.png" for n in range(60)]
    with zipfile.ZipFile(work / "real.zip", "w") as archive:
        for name in names:
            archive.writestr(name, png(*SHAPE))
        labels = [[name, int(n < 45)] for n, name in enumerate(names)]
        archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return work


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    """8x8 in three unbalanced classes, as the tiny generator's, beside a bad picture."""
    folder = tmp_path_factory.mktemp("classes")
    for name, n in {"a": 30, "b": 12, "c": 6}.items():
        (folder / name).mkdir()
        for i in range(n):
            (folder / name / f"{i}.png").write_bytes(png(8, 8))
    (folder / "c" / "bad.png").write_bytes(b"no picture")
    return folder


def test_a_folder_of_generated_pictures_against_an_archive(work, tmp_path):
    features = ["--features=classifier", f"--classifier={work / 'tiny'}"]
    sets = [f"--generated={work / 'generated'}", f"--dataset={work / 'real.zip'}"]
    done = run("evaluate", *sets, *features, "--metrics=fid", "--out=out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    real = open_dataset(str(work / "real.zip"), "train")
    assert f"real images: {real.source}\n" in done.stdout
    assert real.source.endswith("8x8x3, 2 classes")
    (fid,) = json.loads((tmp_path / "out" / "result.json").read_text())["measurements"]
    assert fid["samples"] == {"real": len(real.labels), "generated": 30}
    tiny = classifier_features("tiny", *zoo.load_classifier(str(work / "tiny")))
    paths = sorted((work / "generated").iterdir())
    made = np.stack([np.asarray(Image.open(path)) for path in paths])
    rows = [np.asarray(tiny.extract(each)) for each in (real.images.whole(), made)]
    own = frechet_distance(feature_moments(rows[0]), feature_moments(rows[1]))
    assert fid["value"] == pytest.approx(own, rel=1e-4)


def test_samples_with_the_classes_of_the_data_and_bad_pictures_counted(models, grey, tmp_path):
    args = [*models, f"--dataset={grey}", "--features=classifier", "--metrics=fid", "--out=out"]
    args += ["--num_samples=200", "--label_distribution=data"]
    refused = run("evaluate", *args, cwd=tmp_path)
    assert refused.returncode == 1
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert "c/bad.png is damaged: " in line
    assert line.endswith("; bad pictures: 1 of 49, which --skip_bad leaves out")
    done = run("evaluate", *args, "--skip_bad", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "; bad pictures left out: 1\n" in done.stdout
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    dataset = open_dataset(str(grey), "train", Options(skip_bad=True))
    identity = result["provenance"]["identity"]
    assert identity["images"].endswith(", bad pictures left out: 1")
    counts = np.bincount(dataset.labels)
    np.testing.assert_allclose(identity["label_shares"], counts / counts.sum())
    (fid,) = result["measurements"]
    assert fid["value"] == pytest.approx(own_fid(models, dataset), rel=1e-3)


def own_fid(models, dataset):
    generator, params = zoo.load_generator(models[0].removeprefix("--generator="))
    shares = tuple((np.bincount(dataset.labels) / len(dataset.labels)).tolist())
    generator = generator.with_noise("random")._replace(label_shares=shares)
    classifier = zoo.load_classifier(models[1].removeprefix("--classifier="))
    features = classifier_features("classifier", *classifier)
    sets = dataset.images, generated(generator, params, 200)
    real, own = (feature_moments(extract_features(features, each)) for each in sets)
    return frechet_distance(real, own)


BAD = [
    (["--dataset=absent/"], "there is no dataset absent/: neither a folder nor a file"),
    (["--dataset="], "no dataset is called ''; datasets are mnist, mnist_c, a folder"),
    (["--dataset=svhn"], "no dataset is called 'svhn'; datasets are mnist, mnist_c, a folder"),
    (["--resolution=8"], "--resolution is about the pictures of --dataset=FOLDER, .zip, .npz"),
    (["--dataset={zip}", "--mnist_dir=x"], "--mnist_dir does not go with --dataset="),
    (["--dataset={zip}", "--resolution=16"], "real are 16x16x1, but 8x8x1 is wanted, like the g"),
    (["--images={grey}", "--skip_bad"], "--skip_bad is about the pictures of --dataset=FOLDER"),
    (
        ["--images={grey}", "--label_distribution=data"],
        "--label_distribution=data takes the classes of --dataset, not --images",
    ),
    (
        ["--dataset={zip}", "--label_distribution=data"],
        "real has 2 classes, the generator 3",
    ),
]


@pytest.mark.parametrize(("args", "message"), BAD)
def test_bad_input_is_one_line(args, message, models, work, grey, tmp_path):
    args = [each.format(zip=work / "real.zip", grey=grey) for each in args]
    done = run("evaluate", *models, "--features=classifier", *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["rank", "evaluate", "rates"])
def test_without_bundled_models_they_must_be_given(command, work, tmp_path):
    done = run(command, f"--dataset={work / 'real.zip'}", cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: no bundled models for dataset ")
    assert line.endswith("or give --generator and --classifier")
