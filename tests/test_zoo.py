"""Names and folders become networks, or one line that says why not."""

import os
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.data.label_store import DIGITS
from ganfail_jax.data.label_table import read_csv
from ganfail_jax.latents import generate, latents
from ganfail_jax.nn import classifiers
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.weights import store
from ganfail_jax.weights.errors import WeightsError
from tests.test_imports import ROOT
from tests.tiny import CONFIG, random_variables


@pytest.fixture
def run_folder(tmp_path):
    variables = random_variables(CONFIG)
    store.save(tmp_path / "run" / "latest", "stylegan2", CONFIG.to_dict(), variables, {})
    return tmp_path / "run"


def test_every_bundled_model_loads():
    for name, default in zoo.DEFAULTS.items():
        generator, _ = zoo.load_generator(default.generator)
        for own in default.classifiers:
            classifier, _ = zoo.load_classifier(own)
            assert generator.image_shape == classifier.image_shape, name
            assert generator.num_classes == classifier.num_classes == len(classifier.class_names)


def test_the_bundled_generator_is_good_enough():
    """As measured by `training/quality.py` when it was kept."""
    about = zoo.read_generator("mnist_c").about
    generator, _ = zoo.load_generator("mnist_c")
    measured = about["measured"]
    assert measured["agreement_clean"] >= 0.985
    assert 0.93 <= measured["agreement_corrupted"] <= 0.98  # real corrupted digits: 0.955
    assert 0.45 <= measured["clean_share"] <= 0.55  # real: 0.5
    assert abs(measured["black_share"] - measured["real_black_share"]) < 0.04
    assert 400 <= sum(generator.style_dims.values()) <= 1500


def test_the_bundled_discriminator_is_that_of_the_bundled_generator():
    about = zoo.read_discriminator("mnist_c_discriminator").about
    assert about["generator_sha256"] == zoo.read_generator("mnist_c").sha256
    discriminator, params = zoo.load_discriminator("mnist_c_discriminator")
    generator, variables = zoo.load_generator("mnist_c")
    drawn = latents(generator, 0, jnp.arange(20))
    images, _ = generate(generator, variables, 0, jnp.arange(20))
    score = jax.jit(discriminator.score)
    own = score(params, images, drawn.one_hot)
    assert (
        own.mean() > score(params, -images, drawn.one_hot).mean()
    )  # digits are not black on white


def test_the_bundled_pggan_is_good_enough():
    about = zoo.read_generator("mnist_c_pggan").about
    assert about["measured"]["agreement"] >= 0.95
    assert 0.35 <= about["measured"]["clean_share"] <= 0.65
    generator, _ = zoo.load_generator("mnist_c_pggan")
    assert generator.style_dims == {"z": 64, "label": 10}
    assert generator.image_shape == (32, 32, 1)


def test_the_bundle_is_small_enough_for_git():
    size = sum(path.stat().st_size for path in zoo.BUNDLED.rglob("*") if path.is_file())
    assert 0 < size <= 8 * 2**20


def test_a_training_runs_folder_prefers_the_best(run_folder):
    generator, _ = zoo.load_generator(str(run_folder))
    assert generator.image_shape == (8, 8, 1)
    assert zoo.load_generator(str(run_folder / "latest"))[0].z_dim == CONFIG.z_dim
    other = random_variables(CONFIG, seed=2)
    store.save(run_folder / "best", "stylegan2", CONFIG.to_dict(), other, {"score": 1})
    assert zoo.read_generator(str(run_folder)).about == {"score": 1}


def test_what_cannot_be_loaded_says_what_could(run_folder, tmp_path):
    with pytest.raises(
        WeightsError,
        match=r"no generator 'mnist': neither bundled \(mnist_c, mnist_c_pggan, ",
    ):
        zoo.load_generator("mnist")
    with pytest.raises(WeightsError, match="is no generator: neither it nor its best/ or latest/"):
        zoo.load_generator(str(tmp_path))
    with pytest.raises(
        WeightsError,
        match=r"no discriminator 'nope': neither bundled \(mnist_c_disc",
    ):
        zoo.load_discriminator("nope")
    with pytest.raises(WeightsError, match=r"neither it nor its discriminator/ holds config.json"):
        zoo.load_discriminator(str(run_folder))
    with pytest.raises(WeightsError, match="holds a stylegan2, not a discriminator"):
        zoo.load_discriminator(str(run_folder / "latest"))
    with pytest.raises(WeightsError, match="holds a stylegan2, not a classifier"):
        zoo.load_classifier(str(run_folder))
    with pytest.raises(ValueError, match="no bundled models for dataset 'cifar'"):
        zoo.defaults("cifar")


def test_a_generator_whose_images_cannot_be_drawn_is_refused(tmp_path):
    config = replace(CONFIG, img_channels=2)
    store.save(tmp_path / "two", "stylegan2", config.to_dict(), random_variables(config), {})
    with pytest.raises(WeightsError, match=r"two makes images of 2 channels; 1 \(grey\) and 3"):
        zoo.load_generator(str(tmp_path / "two"))


@pytest.mark.parametrize("name", ["none.pkl", "runs/none", "./none"])
def test_paths_that_are_not_there_are_called_so(name):
    for load in (zoo.load_generator, zoo.load_classifier):
        with pytest.raises(WeightsError, match=f"{name}: there is no such file or folder"):
            load(name)


def test_a_pipe_is_refused_as_a_folder_and_within_one(run_folder, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="pipe is neither a folder nor a regular file"):
        zoo.load_generator(str(tmp_path / "pipe"))
    (run_folder / "latest" / store.ARRAYS).unlink()
    os.mkfifo(run_folder / "latest" / store.ARRAYS)
    with pytest.raises(WeightsError, match=r"weights\.npz: not a regular file"):
        zoo.load_generator(str(run_folder))


def test_settings_that_change_are_read_again(run_folder):
    path = run_folder / "latest" / store.CONFIG
    zoo.load_generator(str(run_folder))
    path.write_text(path.read_text().replace('"stylegan2"', '"other"'))
    with pytest.raises(WeightsError, match="holds a network of unknown kind, not a generator"):
        zoo.load_generator(str(run_folder))


def test_a_class_name_that_comes_twice_is_refused(tmp_path):
    config = CNNConfig((8, 8, 1), 8, 3, (4,), 1)
    template = jax.eval_shape(lambda: classifiers.init(config, jax.random.key(0)))
    variables = jax.tree.map(lambda x: np.zeros(x.shape), template)
    store.save(
        tmp_path, "classifier", config.to_dict(), variables, {"class_names": ["a", "b", "a"]}
    )
    with pytest.raises(WeightsError, match="one of its class_names comes twice"):
        zoo.load_classifier(str(tmp_path))


@pytest.mark.parametrize("name", ["mnist_c_v1", "mnist_c_pggan"])
def test_labels_that_come_along_are_of_the_bundled_generator(name):
    table = read_csv(ROOT / "analyze" / "labels" / f"{name}.csv")
    assert table.generator == zoo.read_generator(name).sha256[:DIGITS]
