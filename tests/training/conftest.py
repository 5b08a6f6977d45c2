"""Finished runs, trained once for all tests."""

import shutil

import pytest

from tests.training.runs import CONFIGS, scores, train
from tests.training.tiny_gan import CONDITIONAL


@pytest.fixture(scope="session", params=CONFIGS)
def finished(request, tmp_path_factory):
    """A run without interruption: its configuration, folder and last state."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    config = CONFIGS[request.param]
    return config, folder, train(config, folder, judge=scores(3.0, 1.0, 2.0, 2.5))


@pytest.fixture(scope="session")
def conditional(tmp_path_factory):
    """A finished run, to be copied before it is changed."""
    folder = tmp_path_factory.mktemp("shared") / "run"
    return folder, train(CONDITIONAL, folder)


@pytest.fixture
def copied(conditional, tmp_path):
    folder, state = conditional
    return shutil.copytree(folder, tmp_path / "run"), state
