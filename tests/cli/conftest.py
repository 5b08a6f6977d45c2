"""Tiny models on disk, and a network that is not loaded."""

import pytest

from ganfail_jax.metrics import networks
from ganfail_jax.metrics.features import Features
from tests.analyze.conftest import folders  # noqa: F401 - a fixture


@pytest.fixture
def classifier_features():
    return Features("its classifier features", 1, lambda images: images)


@pytest.fixture
def loads(classifier_features, monkeypatch):
    """Which network was loaded from where, in place of loading it."""
    monkeypatch.setattr(
        networks, "load", lambda name, path: classifier_features._replace(name=f"{name} {path}")
    )
