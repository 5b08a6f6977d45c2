"""The entry point, end to end on tiny models, and each bad input as one line."""

import importlib.util
import re
import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax

from ganfail_jax import results, zoo
from ganfail_jax.analysis.gradcam import grad_cam, pseudo_mask
from ganfail_jax.cli.backbones import backbone_from
from ganfail_jax.data import image_sets, pipelines
from ganfail_jax.data.labels import Labelled
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.jobs import Run
from ganfail_jax.nn.artifact_classifier import ArtifactClassifierConfig
from ganfail_jax.studies import artifact_classifier
from ganfail_jax.studies.images import of_images
from ganfail_jax.studies.subject import of_generator
from ganfail_jax.weights import store
from tests import tiny
from tests.analyze import commands
from tests.analyze.commands import flags_of
from tests.training import tiny_gan
from tests.weights import torch_saved
from tests.weights.made_up import torchvision
from train.artifact_classifier import define

COMMAND = "artifact_classifier"
N, SEED = 60, 5
DATASET = "--dataset=made_up"


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "generator"
    store.save(folder, "stylegan2", tiny.CONFIG.to_dict(), tiny.random_variables(tiny.CONFIG), {})
    return folder


@pytest.fixture(scope="module")
def pictures(generator):
    made = image_sets.generated(*zoo.load_generator(str(generator)), N, seed=SEED)
    return made.take(np.arange(N))


@pytest.fixture(scope="module")
def artifact(pictures):
    """Bright images are artifacts: a third of them."""
    brightness = pictures.mean(axis=(1, 2, 3))
    return brightness > np.sort(brightness)[-21]


def write(file, indices, artifact, seed=SEED):
    names = np.where(artifact, "artifact", "normal")
    rows = [f"{index},{seed},{name}" for index, name in zip(indices, names, strict=True)]
    file.write_text("\n".join(["index,seed,label", *rows, "3,999,normal"]))
    return file


@pytest.fixture(scope="module")
def labels(tmp_path_factory, artifact):
    order = np.random.default_rng(0).permutation(N)
    return write(tmp_path_factory.mktemp("labels") / "labels.csv", order, artifact[order])


@pytest.fixture
def train(start, generator, labels, monkeypatch, tmp_path_factory):
    """Run the command on the generator and its labels."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setitem(commands.ENVIRONMENT, "GANFAIL_CACHE", str(cache))
    flags = [f"--generator={generator}", f"--labels={labels}", f"--seed={SEED}"]
    return lambda *more: start(DATASET, *flags, *more)


def check_images(arrays, folder, pictures, artifact):
    """The saved classifier says of the saved images what the result says."""
    network, params = zoo.load_classifier(str(folder))
    held_out = np.concatenate(
        [*zoo.read_classifier(str(folder)).about["samples"]["held_out"].values()][:2]
    )
    logits = network.logits(params, jnp.asarray(to_float(pictures[np.sort(held_out)])))
    called = dict(zip(np.sort(held_out).tolist(), np.argmax(logits, axis=1) == 0, strict=True))
    kinds = {"found": (True, True), "missed": (True, False), "false": (False, True)}
    for kind, wanted in kinds.items():
        indices = arrays[f"{kind}_indices"]
        mine = [i for i in called if (artifact[i], called[i]) == wanted]
        assert len(indices) == min(len(mine), 10)
        assert {*indices.tolist()} <= {*mine}
        surest = np.diff(arrays[f"{kind}_scores"]) * (1 if kind == "missed" else -1)
        assert (surest >= 0).all()
        if not len(indices):
            continue
        np.testing.assert_array_equal(arrays[f"{kind}_images"], pictures[indices])
        images = jnp.asarray(to_float(pictures[indices]))
        score = softmax(network.logits(params, images), axis=1)[:, 0]
        np.testing.assert_allclose(arrays[f"{kind}_scores"], score, atol=1e-3)
        masks = pseudo_mask(grad_cam(network, params, images, jnp.zeros(len(indices), int)))
        assert (arrays[f"{kind}_masks"] == masks).mean() > 0.99


def test_a_run_with_real_images(train, finished, generator, pictures, artifact):
    status, lines, errors = train(f"--out={finished}", "--draws=2")
    assert not status, errors
    found = results.load(finished)
    about = zoo.read_classifier(str(finished)).about
    network, _ = zoo.load_classifier(str(finished))
    assert network.class_names == ("artifact", "normal", "real")
    assert network.image_shape == (8, 8, 1)

    train_part, held_out = about["samples"]["train"], about["samples"]["held_out"]
    for name, mine in (("artifact", artifact), ("normal", ~artifact)):
        assert not {*train_part[name]} & {*held_out[name]}
        indices = sorted(train_part[name] + held_out[name])
        assert indices == np.flatnonzero(mine).tolist()
        assert len(held_out[name]) == round(0.3 * mine.sum())
    # made_up has 30 images, fewer than the 40 normal ones
    assert sorted(train_part["real"] + held_out["real"]) == list(range(30))

    arrays, summary = found.arrays, found.summary
    assert arrays["held_out_logits"].shape == (6 + 12 + 9, 3)
    assert summary["held_out"]["confusion"] == arrays["confusion"].tolist()
    assert summary["held_out"] == about["measured"]
    np.testing.assert_array_equal(arrays["confusion"].sum(axis=1), [6, 12, 9])
    assert summary["held_out"]["auc"]["artifact_against_normal"]["value"] > 0.9
    assert about["generator_sha256"] == zoo.read_generator(str(generator)).sha256
    assert about["backbone"]["file"] == "tiny_for_training"
    check_images(arrays, finished, pictures, artifact)
    for name in ("confusion.png", "label_efficiency.png", "held_out.png", "best/weights.npz"):
        assert (finished / name).stat().st_size > 1000
    rows = summary["label_efficiency"]
    assert [(row["labels"], row["draws"]) for row in rows] == [(25, 2), (42, 2)]
    assert lines[0].startswith("real images: made up")
    assert "backbone: classifier; --backbone chooses another of resnet, inception" in lines[1]
    assert "train: 14 artifact, 28 normal, 21 real" in lines
    assert any("area under the ROC curve, artifact against normal: " in line for line in lines)

    again = train(f"--out={finished}", "--draws=2")
    assert not again[0]
    assert f"{finished} already holds this result" in again[1]
    status, _, errors = train(f"--out={finished}", "--nobalance")
    assert status == 1
    assert errors == [
        f"error: {finished} holds a result made with other balance, draws; choose another --out "
        "or delete it"
    ]


def test_the_same_without_flags(train, finished, generator, pictures, artifact, tmp_path):
    assert train(f"--out={finished}", "--draws=2")[0] == 0
    network, params = zoo.load_generator(str(generator))
    subject = of_generator(network.with_noise("const"), params, generator.name)
    order = np.random.default_rng(0).permutation(N).astype(np.int32)
    cnn, layers = zoo.load_cnn("tiny_for_training")
    config = ArtifactClassifierConfig((8, 8, 1), "classifier", cnn=cnn)
    backbone = artifact_classifier.Backbone(config, layers, {"sha256": "x"})
    settings = artifact_classifier.Settings(seed=SEED, draws=2)
    labels = Labelled(order, artifact[order])
    real = of_images("made_up", tiny_gan.dataset().images)
    job = artifact_classifier.plan(
        subject, labels, real, backbone, settings, Run(out=str(tmp_path / "mine"))
    )
    assert not (tmp_path / "mine").exists()
    result, theirs = job.run(), results.load(finished)
    assert result.summary | {"seconds": 0} == theirs.summary | {"seconds": 0}
    for name, array in theirs.arrays.items():
        np.testing.assert_array_equal(result.arrays[name], array, err_msg=name)
    turned = artifact_classifier.plan(
        subject, Labelled(order, ~artifact[order]), None, backbone, settings, job.settings
    )
    with pytest.raises(InputError, match="holds a result made with other labels, real; choose"):
        turned.run()


def test_two_classes_without_real_images(train, tmp_path):
    status, lines, errors = train(f"--out={tmp_path / 'a'}", "--num_real=0", "--draws=0")
    assert not status, errors
    found = results.load(tmp_path / "a")
    assert found.summary["class_names"] == ["artifact", "normal"]
    assert "label_efficiency" not in found.summary
    assert not (tmp_path / "a" / "label_efficiency.png").exists()
    assert zoo.load_classifier(str(tmp_path / "a"))[0].num_classes == 2
    assert not any("real images" in line for line in lines)


def test_a_default_dataset_of_other_images_is_left_out(start, generator, labels, monkeypatch):
    """Said in one line; asked for, it is an error."""
    monkeypatch.setitem(pipelines.DATASETS, "mnist_c", lambda *_, **__: tiny_gan.dataset(4))
    flags = [f"--generator={generator}", f"--labels={labels}", f"--seed={SEED}"]
    stop = "--classifier=tiny_for_training", "--backbone=resnet"
    _, lines, _ = start(*flags, *stop)
    expected = (
        "no real images, so the classes are artifact and normal (images of made_up are "
        "4x4x1, but 8x8x1 is wanted, like the generator's images; give --images=FOLDER)"
    )
    assert expected in lines
    for asked in ("--dataset=mnist_c", "--num_real=3", "--mnist_dir=digits"):
        status, _, errors = start(*flags, *stop, asked)
        assert status == 1
        assert errors == [
            "error: images of made_up are 4x4x1, but 8x8x1 is wanted, like the generator's "
            "images; give --images=FOLDER"
        ]


def test_a_resnet_of_torchvisions_file(tmp_path):
    """Its own normalisation comes with it; it is chosen because its file is given."""
    file = tmp_path / "resnet18.pth"
    file.write_bytes(torch_saved.save(torchvision("resnet18")))
    backbone = backbone_from(flags_of(define, resnet_weights=file), (8, 8, 1))
    assert backbone.config.backbone == "resnet18"
    assert backbone.config.entry == "torchvision"
    assert backbone.identity["file"] == "resnet18.pth"
    assert backbone.layers["stem"].kernel.shape == (7, 7, 3, 64)


@pytest.fixture
def wide(bundled, tmp_path):
    """A classifier of 8x8 images in colours."""
    stored = store.load(bundled / "tiny_for_training")
    config = stored.config | {"image_shape": [8, 8, 3]}
    arrays = stored.arrays | {"conv_0/kernel": np.zeros((3, 3, 12, 4))}
    store.save(tmp_path / "wide", "classifier", config, arrays, stored.about)
    return tmp_path / "wide"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--labels="], " cannot be read: "),
        (["--seed=4"], "has no labels of --seed=4; its seeds: 5, 999"),
        (["--seed=999"], "has 0 artifact and 1 normal samples of --seed=999; at least 1 of each"),
        (["--labels={few}"], "4 samples are artifact: of these --held_out=0.3 leaves 3 for train"),
        (["--held_out=0.05"], "20 samples are artifact: of these --held_out=0.05 leaves 19 for"),
        (["--held_out=0"], r"flag --held_out=0: .* not a number in the range \[0.01, 0.99\]"),
        (["--backbone=vgg"], "should be one of <resnet|inception|classifier>; see --help"),
        (["--classifier=none"], "no CNN 'none': neither bundled .tiny_for_training. nor a train"),
        (["--classifier={wide}"], "takes 8x8x3 images, but the generator makes 8x8x1; give --back"),
        (["--classifier={generator}"], "holds a stylegan2, not a CNN"),
        (["--backbone=resnet", "--classifier=x"], "--classifier does not go with --backbone=resne"),
        (["--backbone=resnet"], "weights of classifier_model_state.pth are not installed; get the"),
        (["--backbone=inception"], "weights of default_1.pt are not installed; get them by `pip "),
        (["--resnet_weights={few}"], "few.csv.* no file of torch"),
        (["--images={pictures}"], "a.png is 4x4, but 8x8 is wanted, like the generator's images"),
        (["--images={none}"], "there is no folder "),
    ],
)
def test_bad_input_is_one_line(
    train, flags, message, generator, wide, tmp_path, monkeypatch, artifact
):
    few = np.concatenate([np.flatnonzero(artifact)[:4], np.flatnonzero(~artifact)])
    places = {"few": write(tmp_path / "few.csv", few, artifact[few]), "wide": wide}
    places |= {"generator": generator, "none": tmp_path / "none", "pictures": tmp_path / "p"}
    places["pictures"].mkdir()
    Image.new("L", (4, 4)).save(places["pictures"] / "a.png")
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    flags = [flag.format(**places) for flag in flags]
    status, _, errors = train(f"--out={tmp_path / 'out'}", *flags)
    assert status == 1
    assert len(errors) == 1
    assert re.search(message, errors[0]), errors[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["best", "run.json"])
def test_another_training_run_is_not_touched(kind, train, generator, tmp_path):
    folder = tmp_path / "gan"
    if kind == "best":
        shutil.copytree(generator, folder / "best")
    else:
        folder.mkdir()
        (folder / "run.json").write_text("{}")
    before = sorted(folder.rglob("*"))
    status, _, errors = train(f"--out={folder}")
    assert status == 1
    assert errors == [f"error: {folder} holds another training run; choose another --out"]
    assert sorted(folder.rglob("*")) == before


def test_labels_are_needed(start, generator, tmp_path):
    status, _, errors = start(DATASET, f"--generator={generator}", f"--out={tmp_path / 'out'}")
    assert status == 1
    assert errors == [
        "error: give --labels=FILE.csv of index, seed and label; analyze.label makes one"
    ]
    assert not (tmp_path / "out").exists()
