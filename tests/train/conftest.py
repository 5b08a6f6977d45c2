"""Commands that train, run in this process on made-up images of 8x8."""

import jax
import pytest

from ganfail_jax import zoo
from ganfail_jax.data import pipelines
from ganfail_jax.nn import classifiers
from ganfail_jax.training import pggan_step, stylegan2_run
from ganfail_jax.weights import store
from tests import tiny
from tests.analyze import commands
from tests.training.tiny_gan import CONDITIONAL, GROWING, dataset


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """A folder of bundled weights that holds one tiny classifier."""
    folder = tmp_path_factory.mktemp("bundled")
    config = classifiers.CNNConfig(
        image_shape=(8, 8, 1), crop=8, num_classes=3, widths=(4,), convs=1
    )
    params = classifiers.init(config, jax.random.key(0))
    about = {"class_names": tiny.CLASS_NAMES}
    store.save(folder / "tiny_for_training", "classifier", config.to_dict(), params, about)
    return folder


@pytest.fixture
def made_up(bundled, monkeypatch):
    """Tiny presets, and a dataset with a classifier of its own."""
    monkeypatch.setitem(stylegan2_run.PRESETS, "tiny", CONDITIONAL)
    monkeypatch.setitem(pggan_step.PRESETS, "tiny", GROWING)
    monkeypatch.setitem(pipelines.DATASETS, "made_up", lambda *_, **__: dataset())
    monkeypatch.setitem(zoo.DEFAULTS, "made_up", zoo.Defaults("none", ("tiny_for_training",)))
    monkeypatch.setattr(zoo, "BUNDLED", bundled)


@pytest.fixture
def start(request, made_up, tmp_path):
    """Run the module's COMMAND -> exit status, lines but for the docstring's, lines of errors."""

    def run(*arguments, command=request.module.COMMAND):
        done = commands.run(command, *arguments, cwd=tmp_path, package="train")
        errors = [line for line in done.stderr.splitlines() if line and "%|" not in line]
        return done.returncode, done.stdout.splitlines()[1:], errors

    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return tmp_path_factory.mktemp("entry") / "run"
