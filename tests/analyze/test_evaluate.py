"""`python -m analyze.evaluate` on tiny models: its numbers, reuse, resume, and bad input."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import zoo
from ganfail_jax.data.pipelines import to_uint8
from ganfail_jax.latents import latents
from ganfail_jax.metrics.features import classifier_features, extract_features
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.results import load
from tests.analyze import commands
from tests.analyze.commands import run

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
    return args, cwd, done, cwd / "runs" / "evaluate" / f"generator-{pictures.name}-0"


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
    drawn = latents(generator, 0, jnp.arange(1000))
    styles = generator.styles(params, drawn.z, drawn.one_hot)
    images = to_uint8(np.asarray(generator.synthesize(params, styles)[0]))
    features = classifier_features("classifier", classifier, weights)
    both = [feature_moments(extract_features(features, each)) for each in (REAL, images)]
    assert found["FID"]["value"] == pytest.approx(frechet_distance(both[0], both[1]), rel=1e-4)
    assert "FID on classifier classifier features: " in done.stdout
    assert "realism.png" in done.stdout
    arrays = result.arrays
    assert arrays["realism"].shape == (60,)
    lowest = np.argsort(arrays["realism"], kind="stable")[:20]
    np.testing.assert_array_equal(arrays["least"], images[lowest])
    np.testing.assert_array_equal(arrays["least_realism"], arrays["realism"][lowest])
    assert (folder / "realism.png").stat().st_size > 10_000


def test_a_finished_result_is_reused_and_features_are_kept(finished, cache):
    args, cwd, _, folder = finished
    before = (folder / "result.json").read_bytes()
    again = run("evaluate", *args, cwd=cwd)
    assert again.returncode == 0, again.stderr
    assert "already holds this result" in again.stdout
    assert (folder / "result.json").read_bytes() == before
    kept = sorted(cache.glob("features/*/features.npy"))
    assert [len(np.load(path)) for path in kept] in ([40, 1000], [1000, 40])
    for path in kept:  # what is kept is used: other features, another result
        np.save(path, np.load(path) * 2)
    other = run("evaluate", *args, "--out=other", cwd=cwd)
    assert other.returncode == 0, other.stderr
    values = [
        json.loads((path / "result.json").read_text())["measurements"][0]["value"]
        for path in (folder, cwd / "other")
    ]
    assert values[1] == pytest.approx(4 * values[0], rel=1e-6)


BAD = [
    (
        ["--images={pictures}", "--inception_weights={tmp}/none.pt"],
        "cannot be read: No such file",
    ),
    (["--metrics=fid,is"], "--metrics has 'is'; give each of fid, kid, pr and realism at most"),
    (["--metrics=fid,fid2k"], "--metrics has 'fid2k'; give each of fid, kid, pr and realism at"),
    (["--metrics="], "give"),
    (["--images={tmp}"], "no pictures (.bmp, .jpeg, .jpg, .png, .webp) in"),
    (["--dataset=mnist_c"], "images of mnist_c are (32, 32, 1), the generator makes (8, 8, 1)"),
    (["--dataset=nope"], "no dataset is called 'nope'"),
    (["--num_samples=3", "--images={pictures}"], "more than 3 images of each kind are needed"),
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
