"""Where the training of a classifier writes, and what it finds there."""

import os
from pathlib import Path
from unittest.mock import ANY

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.data import stored
from ganfail_jax.data.pipelines import Content, mirrored
from ganfail_jax.errors import InputError
from ganfail_jax.nn import classifiers
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.nn.small_resnet import SmallResNetConfig
from ganfail_jax.studies import train_classifier
from ganfail_jax.training import classifier as training
from ganfail_jax.training.classifier import ClassifierConfig
from ganfail_jax.weights import store
from ganfail_jax.writing import only_writer
from tests.killing import check_kills
from tests.training.test_classifier import SMALL, made_up

CONFIG = ClassifierConfig(network=SMALL, batch_size=4, steps=2)


@pytest.fixture
def data(monkeypatch):
    """Noise, and steps on it that compile in no time."""

    def step(config, state, images, labels):
        params = jax.tree.map(lambda x: x + 1, state.params)
        return state._replace(step=state.step + 1, params=params), {"loss": jnp.zeros(())}

    monkeypatch.setattr(training, "train_step", step)
    monkeypatch.setattr(training, "accuracy", lambda *_, **__: (3, 8))
    return train_classifier.Data(made_up(8), {"noise": made_up(8, seed=1)})


def start(data, folder, config=CONFIG):
    return train_classifier.plan(config, data, folder, {"dataset": "noise"})()


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


WHOLE = ["best/config.json", "best/weights.npz", "run.json"]


def test_killed_at_any_rename_it_ends_in_the_same_weights(data, tmp_path):
    def work(folder):
        start(data, folder)
        assert files(folder) == WHOLE
        zoo.load_classifier(str(folder))

    moved = check_kills(work, tmp_path)
    assert (moved[0], moved[-2:]) == ("run.json", ["weights.npz", "config.json"])


@pytest.mark.parametrize("out", [".", "link"])
def test_the_folder_itself_is_never_moved(out, data, tmp_path, monkeypatch):
    """It may be a mount point, a link or where the user is; nothing is written beside it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    before = os.stat(tmp_path / "disk").st_ino, os.stat(tmp_path).st_mtime_ns
    monkeypatch.chdir(tmp_path / "disk" if out == "." else tmp_path)
    start(data, Path(out))
    assert files(tmp_path / "disk") == WHOLE
    assert (tmp_path / "link").is_symlink()
    assert (os.stat(tmp_path / "disk").st_ino, os.stat(tmp_path).st_mtime_ns) == before


def test_the_second_of_two_is_one_line_and_changes_nothing(data, tmp_path):
    with only_writer(tmp_path), pytest.raises(InputError) as caught:
        start(data, tmp_path)
    assert str(caught.value) == (
        f"PID {os.getpid()} is writing to {tmp_path}; wait for it or choose another --out"
    )
    assert files(tmp_path) == []


def test_a_folder_that_holds_the_weights_itself_is_reused(data, tmp_path, capsys):
    """As earlier versions wrote it."""
    params = classifiers.init(SMALL, jax.random.key(0))
    about = {"accuracy": {"noise": (3, 8)}, "run": training.identity(CONFIG, data.train)}
    store.save(tmp_path, "classifier", SMALL.to_dict(), params, about)
    assert start(data, tmp_path)["run"] == about["run"]
    assert f"{tmp_path} already holds this classifier" in capsys.readouterr().out
    assert files(tmp_path) == ["config.json", "weights.npz"]
    with pytest.raises(InputError, match="holds a run with other seed; choose another"):
        start(data, tmp_path, ClassifierConfig(network=SMALL, batch_size=4, steps=2, seed=1))


def own_pictures(n, classes=3):
    """Pictures of a user: random hashes, the last class has one picture."""
    digests = np.random.default_rng(0).integers(0, 256, (n, 16), np.uint8)
    labels = np.arange(n, dtype=np.int32) % (classes - 1)
    labels[-1] = classes - 1
    names = tuple(map(str, range(classes)))
    return made_up(n)._replace(
        labels=labels, class_names=names, content=Content("as they are", digests, 0)
    )


def hashes(dataset):
    assert dataset.content is not None
    return dataset.content.digests


def test_a_tenth_of_a_users_pictures_chooses_the_step():
    pictures = own_pictures(2_000)
    assert pictures.content is not None
    pictures.content.digests[-1, 8:] = 0  # would choose, but is the only one of its class
    train, _, choosing = train_classifier.own(pictures, made_up(8))
    assert choosing is not None
    assert 150 < len(choosing.labels) < 250
    rows = np.concatenate([hashes(part) for part in (train, choosing)])
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in hashes(pictures)}
    assert len(rows) == 2_000
    assert train.labels[-1] == 2
    assert not stored.held_out(hashes(choosing)).all()  # by another part of the hash


def test_copies_of_a_picture_are_on_one_side():
    train, _, choosing = train_classifier.own(mirrored(own_pictures(1_000)), made_up(8))
    assert choosing is not None
    sides = [{row.tobytes() for row in hashes(part)} for part in (train, choosing)]
    assert not sides[0] & sides[1]


def test_few_pictures_all_train():
    pictures = own_pictures(500)
    assert train_classifier.own(pictures, made_up(8)) == (pictures, {"noise": ANY}, None)


def test_the_kept_step_is_recorded_and_told(data, tmp_path, capsys):
    about = start(data._replace(choosing=made_up(8, 2)), tmp_path)
    assert (about["kept_step"], about["chosen_by"]) == (2, (3, 8))
    line = "step 2 is kept: it is right on most, 3 of 8 images that no step was trained on"
    assert line in capsys.readouterr().out
    start(data._replace(choosing=made_up(8, 2)), tmp_path)
    assert line in capsys.readouterr().out


def test_the_digits_network_is_the_default_one_and_others_follow_the_images(data):
    assert train_classifier.network_for(data, "digits") == CNNConfig()
    assert train_classifier.default_shift(CNNConfig()) == ClassifierConfig().max_shift
    network = train_classifier.network_for(data, "small_resnet")
    assert network == SmallResNetConfig((32, 32, 1), 10)
    assert train_classifier.default_shift(network) == 4
