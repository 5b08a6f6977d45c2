"""`python -m analyze.evaluate` on tiny models: its numbers, reuse, resume, and bad input."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import zoo
from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import generate
from ganfail_jax.metrics.evaluation import measure
from ganfail_jax.metrics.features import classifier_features, extract_features
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.metrics.precision_recall import manifold, trusted
from ganfail_jax.results import load
from tests.analyze import commands
from tests.analyze.commands import only_folder, run

REAL = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(commands.ENVIRONMENT, "GANFAIL_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i, image in enumerate(REAL):
        Image.fromarray(image[..., 0]).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def finished(models, pictures, cache, tmp_path_factory):
    cwd = tmp_path_factory.mktemp("evaluate")
    args = [*models, f"--images={pictures}", "--num_samples=60", "--metrics=fid1k,kid,pr,realism"]
    args.append("--features=classifier")
    done = run("evaluate", *args, cwd=cwd)
    assert done.returncode == 0, done.stderr
    folder = only_folder(cwd, "evaluate")
    return args, cwd, done, folder


def test_numbers_are_those_of_the_images(finished, models):
    _, _, done, folder = finished
    result = load(folder)
    found = {fields["metric"]: fields for fields in result.summary["measurements"]}
    names = ["FID", "KID", "precision", "recall", "density", "coverage", "realism"]
    assert list(found) == names
    assert found["FID"]["samples"] == {"real": 40, "generated": 1000}
    assert found["KID"]["samples"] == {"real": 40, "generated": 60}
    generator, params = zoo.load_generator(models[0].removeprefix("--generator="))
    classifier, weights = zoo.load_classifier(models[1].removeprefix("--classifier="))
    generator = generator.with_noise("random")
    images = to_uint8(np.asarray(generate(generator, params, 0, jnp.arange(1000))[0]))
    features = classifier_features("classifier", classifier, weights)
    both = [feature_moments(extract_features(features, in_memory(each))) for each in (REAL, images)]
    assert found["FID"]["value"] == pytest.approx(frechet_distance(both[0], both[1]), rel=1e-4)
    assert "FID on classifier classifier features: " in done.stdout
    assert "realism.png" in done.stdout
    arrays = result.arrays
    assert arrays["realism"].shape == (60,)
    lowest = np.argsort(arrays["realism"], kind="stable")[:20]
    assert np.abs(arrays["least"].astype(int) - images[lowest]).max() <= 1
    np.testing.assert_array_equal(arrays["least_realism"], arrays["realism"][lowest])
    assert (folder / "realism.png").stat().st_size > 10_000


def test_a_finished_result_is_reused_and_features_are_kept(finished, cache):
    args, cwd, _, folder = finished
    before = (folder / "result.json").read_bytes()
    again = run("evaluate", *args, cwd=cwd)
    assert again.returncode == 0, again.stderr
    assert "already holds this result" in again.stdout
    assert (folder / "result.json").read_bytes() == before
    kept = {len(np.load(path)): path for path in cache.glob("features/*/features.npy")}
    assert kept.keys() == {40, 1000}
    doubled = {n: np.load(path) * 2 for n, path in kept.items()}
    for n, path in kept.items():  # what is kept is used: other features, another result
        np.save(path, doubled[n])
    other = run("evaluate", *args, "--metrics=fid", "--num_samples=500", "--out=other", cwd=cwd)
    assert other.returncode == 0, other.stderr
    found = json.loads((cwd / "other" / "result.json").read_text())["measurements"][0]
    real, fake = feature_moments(doubled[40]), feature_moments(doubled[1000][:500])
    assert found["value"] == pytest.approx(frechet_distance(real, fake), rel=1e-6)
    assert len(list(cache.glob("features/*"))) == 2


def test_pictures_in_place_of_a_generator(pictures, models, monkeypatch, tmp_path):
    monkeypatch.setitem(commands.ENVIRONMENT, "GANFAIL_CACHE", str(tmp_path / "cache"))
    other = tmp_path / "other"
    other.mkdir()
    made = np.random.default_rng(1).integers(0, 256, (30, 8, 8, 1), np.uint8)
    for i, image in enumerate(made):
        Image.fromarray(image[..., 0]).save(other / f"{i:02d}.png")
    own = ["--features=classifier", models[1], "--neighbours=2"]
    args = [f"--generated={other}", f"--images={pictures}", *own]
    done = run("evaluate", *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = only_folder(tmp_path, "evaluate")
    result = load(folder)
    classifier, weights = zoo.load_classifier(models[1].removeprefix("--classifier="))
    features = classifier_features("classifier", classifier, weights)
    rows = [extract_features(features, in_memory(each)) for each in (REAL, made)]
    asked = {"fid": 30, "kid": 30, "pr": 30, "realism": 30}
    expected, scores = measure(asked, *rows, features="x", neighbours=2)
    assert scores is not None
    for found, wanted in zip(result.summary["measurements"], expected, strict=True):
        assert found["metric"] == wanted.metric
        assert found["samples"] == {"real": 40, "generated": 30}
        assert found["value"] == pytest.approx(wanted.value, rel=1e-3)
    np.testing.assert_allclose(result.arrays["realism"], scores, rtol=1e-3)
    order = np.argsort(result.arrays["realism"], kind="stable")
    np.testing.assert_array_equal(result.arrays["least"], made[order[:15]])  # no image twice
    np.testing.assert_array_equal(result.arrays["most"], made[order[15:]])
    assert (folder / "realism.png").stat().st_size > 10_000


def test_a_generator_of_copies_has_no_realism(pictures, models, monkeypatch, tmp_path):
    monkeypatch.setitem(commands.ENVIRONMENT, "GANFAIL_CACHE", str(tmp_path / "cache"))
    classifier, weights = zoo.load_classifier(models[1].removeprefix("--classifier="))
    features = classifier_features("classifier", classifier, weights)
    real = manifold(extract_features(features, in_memory(REAL)))
    (tmp_path / "copies").mkdir()
    for i in np.flatnonzero(trusted(real)):
        Image.fromarray(REAL[i, ..., 0]).save(tmp_path / "copies" / f"{i}.png")
    args = [f"--generated={tmp_path / 'copies'}", f"--images={pictures}", models[1]]
    done = run(
        "evaluate", *args, "--features=classifier", "--metrics=realism", "--out=out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "realism on classifier classifier features: undefined (40 real, 20 gen" in done.stdout
    assert "20 generated images equal one of the half of the real images" in done.stdout
    assert not (tmp_path / "out" / "realism.png").exists()


def test_neighbours_bind_only_what_asks_for_them(finished):
    args, cwd, *_ = finished
    for more in (["--neighbours=3"], ["--neighbours=500"]):
        done = run("evaluate", *args, "--metrics=fid", *more, cwd=cwd)
        assert done.returncode == 0, done.stderr
    assert "already holds this result" in done.stdout


BAD = [
    (
        ["--images={pictures}", "--inception_weights={tmp}/none.pt"],
        "cannot be read: No such file",
    ),
    (["--dataset=mnist_c"], "images of mnist_c are 32x32x1, but 8x8x1 is"),
    (
        ["--num_samples=3", "--images={pictures}"],
        "than 3 images of each kind are needed by --neighbours=3",
    ),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: str(x[0])[:25])
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, pictures, tmp_path):
    args = [arg.format(tmp=tmp_path, pictures=pictures) for arg in args]
    done = run("evaluate", *models, *args, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())
