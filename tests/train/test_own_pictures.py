"""Training on pictures of one's own, in small."""

import io
import json
import zipfile
from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from PIL import Image

from ganfail_jax import zoo
from ganfail_jax.data.stored import open_dataset
from ganfail_jax.nn import small_resnet
from ganfail_jax.nn.small_resnet import SmallResNetConfig
from ganfail_jax.training import auto, loop, pggan_step, quality, stylegan2_run, stylegan2_step
from ganfail_jax.training.classifier import balanced_weights
from ganfail_jax.weights import store
from tests.training.tiny_gan import CONDITIONAL, GROWING

COMMAND = "pggan"
RNG = np.random.default_rng(0)
CLASSES = 37
PHASES = stylegan2_step.phases


def png(*shape):
    with io.BytesIO() as file:
        Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(file, "PNG")
        return file.getvalue()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """8x8 in three classes, as NVIDIA's tool writes them."""
    path = tmp_path_factory.mktemp("archive") / "small.zip"
    names = [f"00000/img{n:08d}.png" for n in range(40)]
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, png(8, 8))
        labels = [[name, n % 3] for n, name in enumerate(names)]
        file.writestr("dataset.json", json.dumps({"labels": labels}))
    return path


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """64x64 in colours: class k has 1 + k % 5 pictures and its own brightness."""
    folder = tmp_path_factory.mktemp("colours")
    for k in range(CLASSES):
        (folder / f"kind {k}").mkdir()
        for n in range(1 + k % 5):
            noise = RNG.integers(0, 40, (64, 64, 3), np.uint8)
            Image.fromarray(noise + np.uint8(5 * k)).save(folder / f"kind {k}" / f"{n}.png")
    return folder


def test_a_gan_learns_from_an_archive(start, archive, tmp_path):
    run = (f"--dataset={archive}", "--preset=tiny", "--total_kimg=0.008", "--mirror")
    status, lines, errors = start(*run, "--out=run")
    assert (status, errors) == (0, [])
    dataset = open_dataset(str(archive), "train")
    assert lines[0] == f"training PGGAN (preset tiny) on {dataset.source}, and mirrored"
    kept = "no best snapshot is kept; give a --classifier to keep one"
    assert f"no bundled classifier for small: {kept}" in lines
    assert store.load(tmp_path / "run" / "latest").about["class_names"] == ["0", "1", "2"]
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())
    assert recorded["images"] == 2 * len(dataset.labels)
    status, _, errors = start(*run[:-1], "--out=run")
    assert status == 1
    assert errors[0].startswith("error: run holds a run with ")
    assert "content=" in errors[0]


def test_pictures_that_do_not_fit_the_preset_are_refused(start, colours, archive):
    status, _, errors = start(f"--dataset={colours}", "--preset=tiny", "--out=other")
    assert status == 1
    assert errors[-1].endswith(" are 64x64x3, this generator makes 8x8x1")
    status, _, errors = start(
        f"--dataset={archive}", "--preset=tiny", "--resolution=16", command="stylegan2"
    )
    assert status == 1
    assert errors[-1] == "error: images of small are 16x16x1, this generator makes 8x8x1"


def test_a_classifier_of_many_unbalanced_classes(start, colours, tmp_path, monkeypatch):
    monkeypatch.setattr(small_resnet, "LAST_WIDTH", 8)
    monkeypatch.setattr(small_resnet, "LEAST_WIDTH", 2)
    run = (f"--dataset={colours}", "--steps=1", "--balance", "--out=net")
    status, lines, errors = start(*run, command="classifier")
    assert (status, errors) == (0, [])
    train, test = (open_dataset(str(colours), split) for split in ("train", "test"))
    assert f"training on {train.name} for 1 steps; {train.source}" in lines
    classifier, _ = zoo.load_classifier(str(tmp_path / "net"))
    assert classifier.image_shape == (64, 64, 3)
    assert classifier.features is not None
    assert classifier.class_names == train.class_names
    assert {*classifier.class_names} == {f"kind {k}" for k in range(CLASSES)}
    about = zoo.read_classifier(str(tmp_path / "net")).about
    assert about["accuracy"][train.name][1] == len(test.labels)
    weights = about["run"]["config"]["class_weights"]
    np.testing.assert_allclose(weights, balanced_weights(train.labels, CLASSES))
    status, again, _ = start(*run, command="classifier")
    assert status == 0
    assert again[0].endswith("net already holds this classifier")


def traced(config, mesh=None):
    """The phases of StyleGAN2 without compiling them: zeros of what they give."""

    def run(phase):
        zeros = lambda x: jax.device_put(np.zeros(x.shape, x.dtype))  # noqa: E731
        return lambda *inputs: jax.tree.map(zeros, jax.eval_shape(phase, *inputs))

    return stylegan2_step.Phases(*map(run, PHASES(config, mesh)))


@pytest.fixture
def small_auto(monkeypatch):
    """The presets `auto` with few channels, less to compile, and few samples to measure."""
    monkeypatch.setattr(auto, "LEAST_CHANNELS", 1)
    monkeypatch.setattr(auto, "AS_PRESET", (*auto.AS_PRESET, "augment"))
    monkeypatch.setattr(stylegan2_step, "phases", traced)
    monkeypatch.setattr(loop, "sample_sheet", lambda *_: None)
    monkeypatch.setattr(quality, "evaluator", partial(quality.evaluator, num_samples=2 * CLASSES))
    small = replace(CONDITIONAL, pl_weight=0.0, style_mixing=0.0)
    monkeypatch.setitem(stylegan2_run.PRESETS, "mnist_c", small)
    monkeypatch.setitem(pggan_step.PRESETS, "mnist_c", replace(GROWING, penalty_interval=1))


@pytest.fixture(scope="module")
def judge(tmp_path_factory, colours):
    """A residual network of the colours' classes, as `train.classifier` writes it."""
    folder = tmp_path_factory.mktemp("judge")
    network = SmallResNetConfig((64, 64, 3), CLASSES, (2, 2, 4))
    params = small_resnet.init(network, jax.random.key(0))
    about = {"class_names": list(open_dataset(str(colours), "train").class_names)}
    store.save(folder / "best", small_resnet.KIND, network.to_dict(), params, about)
    return folder


@pytest.mark.parametrize("command", ["stylegan2", "pggan"])
def test_a_gan_of_64_pixels_in_colours(command, start, colours, judge, small_auto, tmp_path):
    """Without --preset, and with a judge of one's own."""
    run = [f"--dataset={colours}", "--total_kimg=0.004", "--batch_size=4", f"--classifier={judge}"]
    if command == "pggan":
        run.append("--first_resolution=64")
    status, lines, errors = start(*run, "--out=run", command=command)
    assert (status, errors) == (0, [])
    assert "(preset auto) on" in lines[0]
    stored = store.load(tmp_path / "run" / "best")
    assert (stored.config["resolution"], stored.config["img_channels"]) == (64, 3)
    assert stored.config["num_classes"] == CLASSES
    assert stored.about["scored_on"].startswith(f"classifier features of {judge.name} (")
    assert {"score", "agreement"} <= stored.about["measured"].keys()


def test_weights_balance_the_classes_that_occur():
    labels = np.array([0, 0, 0, 2, 2, 2, 2, 2, 2, 3])
    weights = np.asarray(balanced_weights(labels, 5))
    np.testing.assert_allclose(
        np.bincount(labels, weights[labels], 5), [10 / 3, 0, 10 / 3, 10 / 3, 0]
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--train_on=clean"], "--train_on is for --dataset=mnist_c: leave it out"),
        (
            ["--resolution=15", "--network=digits"],
            "this network takes squares of an even number of pixels, at least 8",
        ),
        (
            ["--resolution=7"],
            "images of 7x7 are too small for this network, which takes 8 pixels",
        ),
        (["--shift=64"], "shifts by 64 px would leave the 63 px that can be reflected"),
        (["--network=vgg"], "flag --network=vgg: value should be one of <digits|small_resnet>"),
    ],
)
def test_a_classifier_refuses_what_does_not_fit(flags, message, start, colours):
    status, _, errors = start(f"--dataset={colours}", *flags, command="classifier")
    assert status == 1
    assert message in errors[-1]
