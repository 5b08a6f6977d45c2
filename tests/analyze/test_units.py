"""`python -m analyze.units` on tiny models: its numbers from their definitions, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import results, zoo
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.unit_activity import representative_image
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import activations, generate, latents
from ganfail_jax.metrics.features import classifier_features
from ganfail_jax.metrics.frechet import feature_moments, frechet_distance
from ganfail_jax.studies import unit_fid
from tests.analyze.commands import arrays_with_shown, only_folder, run

LAYERS = ["b0004/conv1", "b0008/conv0"]
SIZES = {"b0004/conv1": 6, "b0008/conv0": 4}
N, K, TOP, SEED = 60, 12, 4, 1
SMALL = [f"--num_samples={N}", f"--fid_top={K}", f"--top={TOP}", "--clusters=2", f"--seed={SEED}"]


@pytest.fixture(scope="module")
def loaded(models):
    generator, classifier = (flag.split("=")[1] for flag in models)
    return Models(*zoo.load_generator(generator), *zoo.load_classifier(classifier))


@pytest.fixture(scope="module")
def seen(loaded):
    """Features, images and maxima of the units' maps of all samples."""
    features = classifier_features("any", loaded.classifier, loaded.classifier_params)

    @jax.jit
    def everything(params, indices):
        images = generate(loaded.generator, params, SEED, indices)[0]
        taps = activations(loaded.generator, params, SEED, indices)
        return images, {layer: taps[layer] for layer in LAYERS}

    images, taps = jax.device_get(everything(loaded.generator_params, np.arange(N)))
    images = to_uint8(images)
    extract = lambda x: np.asarray(features.extract(x))  # noqa: E731
    return extract, extract(images), images, taps


@pytest.fixture(scope="module")
def against_pictures(models, pictures, tmp_path_factory):
    cwd = tmp_path_factory.mktemp("units")
    args = ["--features=classifier", f"--images={pictures}", f"--layers={','.join(LAYERS)}"]
    done = run("units", *models, *SMALL, *args, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done, only_folder(cwd, "units")


def by_hand(seen, layer, reference):
    values = seen[3][layer].max(axis=(1, 2))
    order = np.argsort(-values, axis=0, kind="stable")
    sets = [feature_moments(seen[1][order[:K, u]]) for u in range(values.shape[1])]
    return order, [frechet_distance(reference, each) for each in sets]


def test_fid_of_every_unit_against_real_images(against_pictures, pictures, seen, models):
    real = np.stack([np.asarray(Image.open(f))[..., None] for f in sorted(pictures.glob("*.png"))])
    reference = feature_moments(seen[0](real))
    _, folder = against_pictures
    sha256 = zoo.read_generator(models[0].split("=")[1]).sha256
    distances = unit_fid.read(str(folder), {"generator_sha256": sha256}, SIZES)
    arrays = results.load(folder).arrays
    for layer in LAYERS:
        order, expected = by_hand(seen, layer, reference)
        np.testing.assert_allclose(distances.fid[layer], expected, rtol=1e-3)
        np.testing.assert_array_equal(arrays[f"top/{layer}"], order[:K])
        assert set(arrays[f"cluster/{layer}"]) == {0, 1}
    assert distances.identity["num_samples"] == N
    assert distances.identity["fid_top"] == K
    summary = results.load(folder).summary
    assert summary["reference"] == pictures.name
    listed = summary["layers"][LAYERS[0]]
    assert listed["highest"] == np.argsort(-distances.fid[LAYERS[0]]).tolist()
    means = [group["mean_fid"] for group in listed["clusters"]]
    assert means == sorted(means, reverse=True)


def test_pictures_and_maps_are_those_of_the_top_samples(against_pictures, seen, loaded):
    _, folder = against_pictures
    arrays = arrays_with_shown(folder)
    layer = LAYERS[1]
    top, shown = arrays[f"top/{layer}"][:TOP], arrays[f"shown/{layer}"]
    fid = arrays[f"fid/{layer}"][shown]
    assert (np.diff(fid) <= 0).all()
    for unit, images, maps in zip(
        shown, arrays[f"images/{layer}"], arrays[f"maps/{layer}"], strict=True
    ):
        rows = top[:, unit]
        assert abs(images.astype(int) - seen[2][rows]).max() <= 1
        np.testing.assert_allclose(maps, seen[3][layer][rows, ..., unit], rtol=1e-3, atol=1e-4)
    drawn = latents(loaded.generator, SEED, jnp.asarray(top[:, shown[0]]))
    params = loaded.generator_params
    styles = loaded.generator.styles(params, drawn.z, drawn.one_hot)
    expected = to_uint8(np.asarray(representative_image(loaded.generator, params, styles, layer)))
    pictured = arrays[f"pictured/{layer}"] == shown[0]
    found = arrays[f"representative/{layer}"][pictured][0]
    assert abs(found.astype(int) - expected[0]).max() <= 1


def test_it_prints_the_numbers_and_the_paths(against_pictures):
    done, folder = against_pictures
    names = [f"{kind}-{layer}.png" for kind in ("clusters", "units") for layer in
             ("b0004-conv1", "b0008-conv0")]  # fmt: skip
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted([*names, "fid.png", "result.json", "result.npz", "shown.npz"])
    for part in (*files, f"FID of the {K} of {N} samples that", "from real, on classifier class"):
        assert part in done.stdout
    assert f"{K} images in " in done.stdout
    assert "biased upwards alike" in done.stdout


def test_without_real_images_a_generator_is_compared_with_its_own(models, pictures, seen, tmp_path):
    """Units in the order they are given; the features are in the cache."""
    args = ["--features=classifier", f"--layers={LAYERS[0]}", "--show_units=2,0,2"]
    done = run("units", *models, *SMALL, *args, "--out=found", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = results.load(tmp_path / "found")
    _, expected = by_hand(seen, LAYERS[0], feature_moments(seen[1]))
    np.testing.assert_allclose(result.arrays[f"fid/{LAYERS[0]}"], expected, rtol=1e-3)
    assert arrays_with_shown(tmp_path / "found")[f"shown/{LAYERS[0]}"].tolist() == [2, 0]
    assert result.summary["reference"] == "all of the generator's samples"


BAD = [
    (["--layers=tousi:9"], "no layer 'tousi:9'; the layers are b0004/conv1, b0008/conv0"),
    (["--show_units=0,6"], "no unit 6 in a layer of units 0 to 5"),
    (["--show_units=0,-1"], "--show_units has '-1'; units count from 0"),
    ([f"--show_units={','.join(map(str, range(41)))}"], "--show_units has 41 units; give 1 to 40"),
    (
        ["--show_units=1", "--layers=all"],
        "--show_units are of one layer: give one of --layers, not 3",
    ),
    (["--fid_top=60"], "--fid_top=60 of 60 samples: give fewer, or more --num_samples"),
    (["--top=61"], "--top=61 of 60 samples: give fewer, or more --num_samples"),
    (["--clusters=7"], "--clusters=7, but b0004/conv1 has 6 units"),
    (["--classifier=mnist_c_corrupted"], "makes 8x8x1; give a --classifier that fits"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=lambda x: x[0] if type(x) is list else "")
def test_bad_input_is_one_line_and_writes_nothing(args, message, models, tmp_path):
    given = ["--features=classifier", "--layers=b0004/conv1", *SMALL, *args, "--out=new"]
    done = run("units", models[0], *given, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not list(tmp_path.iterdir())
