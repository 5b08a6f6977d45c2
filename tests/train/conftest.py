"""Commands that train, run in this process on made-up images of 8x8."""

import importlib
import sys

import jax
import pytest
from absl import flags
from absl.testing import flagsaver

from analyze import flags as common
from ganfail_jax import zoo
from ganfail_jax.data import pipelines
from ganfail_jax.nn import classifiers
from ganfail_jax.training import pggan_step, stylegan2_step
from ganfail_jax.weights import store
from tests import tiny
from tests.training.tiny_gan import CONDITIONAL, GROWING, dataset

FLAGS = flags.FLAGS


@pytest.fixture(scope="module")
def entry(request):
    """The module's COMMAND, with flags of its own: other commands have some of the same name."""
    owners = {name: FLAGS.find_module_defining_flag(name) or "" for name in FLAGS}
    others = {n: FLAGS[n] for n, owner in owners.items() if not owner.startswith("absl")}
    for name in others:
        delattr(FLAGS, name)
    before = set(FLAGS)
    yield importlib.import_module(request.module.COMMAND)
    for name in set(FLAGS) - before:
        delattr(FLAGS, name)
    for name, flag in others.items():
        FLAGS[name] = flag


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
def start(entry, bundled, monkeypatch, capsys):
    """Run the command with these arguments -> exit status, printed lines, lines of errors."""
    monkeypatch.setitem(stylegan2_step.PRESETS, "tiny", CONDITIONAL)
    monkeypatch.setitem(pggan_step.PRESETS, "tiny", GROWING)
    monkeypatch.setitem(pipelines.DATASETS, "made_up", lambda *_, **__: dataset())
    monkeypatch.setitem(zoo.DEFAULTS, "made_up", zoo.Defaults("none", ("tiny_for_training",)))
    monkeypatch.setattr(zoo, "BUNDLED", bundled)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [entry.__name__, *map(str, arguments)])
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as stopped:
            common.run(entry.main)
        printed = capsys.readouterr()
        errors = [line for line in printed.err.splitlines() if line and "%|" not in line]
        return stopped.value.code, printed.out.splitlines(), errors

    yield run
    jax.config.update("jax_default_matmul_precision", None)  # an early error leaves "highest"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return tmp_path_factory.mktemp("entry") / "run"
