"""Frozen backbones with one linear layer: what they see, and what they are saved as."""

import json
import re
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.analysis import gradcam
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_levels
from ganfail_jax.nn import artifact_classifier, classifiers, frozen, inception, resnet
from ganfail_jax.nn.artifact_classifier import ArtifactClassifierConfig
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.weights import inception_names, resnet_names, store
from ganfail_jax.weights.errors import WeightsError
from tests.weights import inception_files
from tests.weights.made_up import torchvision

NAMES = ("artifact", "normal", "real")
SHAPE = (16, 12, 3)
NET = CNNConfig(image_shape=(12, 10, 1), crop=8, num_classes=4, widths=(3, 5), convs=1)
CONFIGS = {
    "resnet18": ArtifactClassifierConfig(SHAPE, "resnet18", entry="unit_range"),
    "inception": ArtifactClassifierConfig(SHAPE, "inception"),
    "classifier": ArtifactClassifierConfig(NET.image_shape, "classifier", cnn=NET),
}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def backbones():
    return {
        "resnet18": resnet_names.assign(torchvision("resnet18")),
        "inception": inception_names.assign(inception_files.pytorch_fid()),
        "classifier": jax.jit(partial(classifiers.init, NET))(jax.random.key(0)),
    }


def variables(config, backbone):
    kernel = RNG.normal(size=(config.num_features, 3)).astype(np.float32)
    return artifact_classifier.variables(backbone, jnp.asarray(kernel), jnp.arange(3.0))


def directly(name, backbone, images):
    """The last map, by the functions of the backbones' own modules."""
    if name == "inception":
        return inception.maps(backbone, to_levels(images))
    if name == "classifier":
        return classifiers.build(NET, tuple("abcd")).feature_map(backbone, images)
    entry = artifact_classifier.ENTRIES["unit_range"]
    return resnet.features(backbone, entry.resize(images), entry.normalize)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_the_backbone_and_a_linear_layer_also_from_its_folder(name, backbones, tmp_path):
    config, backbone = CONFIGS[name], backbones[name]
    params = variables(config, backbone)
    images = RNG.uniform(-1, 1, (2, *config.image_shape)).astype(np.float32)
    network = artifact_classifier.build(config, NAMES)
    maps = jax.jit(network.feature_map)(params, images)
    expected = jax.jit(partial(directly, name))(backbone, images)
    np.testing.assert_array_equal(maps, expected)
    assert np.ptp(np.asarray(maps)) > 0

    linear = params["linear"]
    flat = np.asarray(maps, np.float64)
    seen = flat.reshape(2, -1) if name == "classifier" else flat.mean(axis=(1, 2))
    logits = jax.jit(network.head)(params, maps)
    by_hand = seen @ np.asarray(linear["kernel"], np.float64) + linear["bias"]
    np.testing.assert_allclose(logits, by_hand, rtol=1e-4, atol=1e-4 * np.abs(by_hand).max())

    about = {"class_names": list(NAMES)}
    store.save(tmp_path / "net", artifact_classifier.KIND, config.to_dict(), params, about)
    loaded, theirs = zoo.load_classifier(str(tmp_path / "net"))
    assert loaded.class_names == NAMES
    assert loaded.image_shape == config.image_shape
    assert loaded.margins == network.margins == ((2, 1) if name == "classifier" else (0, 0))
    np.testing.assert_array_equal(jax.jit(loaded.head)(theirs, maps), logits)
    np.testing.assert_array_equal(jax.jit(loaded.feature_map)(theirs, images), maps)
    assert zoo.read_classifier(str(tmp_path / "net")).about == about


def test_published_heads_are_left_out(backbones):
    layers = backbones["resnet18"]
    assert resnet.HEAD in layers
    config = replace(CONFIGS["resnet18"], num_classes=2)
    params = artifact_classifier.variables(layers, jnp.zeros((512, 2)), jnp.zeros(2))
    template = jax.eval_shape(lambda: artifact_classifier.init(config, jax.random.key(0)))
    shapes = jax.tree.map(jnp.shape, params)
    assert shapes == jax.tree.map(jnp.shape, template)
    assert "dense" not in variables(CONFIGS["classifier"], backbones["classifier"])["backbone"]


@pytest.mark.parametrize("depth", resnet.FORMS)
def test_numbers_of_features(depth):
    wide = 2048 if depth in ("resnet50", "resnet101") else 512
    assert ArtifactClassifierConfig(SHAPE, depth, entry="torchvision").num_features == wide
    assert CONFIGS["inception"].num_features == 2048
    assert CONFIGS["classifier"].num_features == 2 * 2 * 5


def test_grad_cam_of_means_is_the_class_activation_map():
    """Selvaraju et al. 2017, sec. 3.1: then alpha is the linear layer's weights over h'w'."""
    config = CONFIGS["inception"]
    network = artifact_classifier.build(config, NAMES)
    maps = jnp.asarray(RNG.normal(size=(2, 8, 8, 2048)), jnp.float32)
    kernel = RNG.normal(size=(2048, 3)).astype(np.float32)
    params = artifact_classifier.variables({}, jnp.asarray(kernel), jnp.zeros(3))
    seen = network._replace(features=lambda params, images: maps)
    found = jax.jit(partial(gradcam.coarse_map, seen))(
        params, jnp.zeros((2, *SHAPE)), np.array([0, 2])
    )
    expected = np.einsum("bhwc,cb->bhw", maps, kernel[:, [0, 2]]) / 64
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-5)


def test_the_map_before_inceptions_last_pool(backbones):
    pixels = RNG.integers(0, 256, (1, 9, 9, 3)).astype(np.uint8)
    layers = backbones["inception"]
    maps, features = jax.jit(lambda *x: (inception.maps(*x), inception.features(*x)))(
        layers, pixels
    )
    assert maps.shape == (1, 8, 8, 2048)
    np.testing.assert_allclose(features, np.asarray(maps).mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)


def test_what_does_not_fit_is_said(backbones):
    config = CONFIGS["classifier"]
    with pytest.raises(InputError, match=r"^2 class names for 3 classes$"):
        artifact_classifier.build(config, ("a", "b"))
    network = artifact_classifier.build(CONFIGS["inception"], NAMES)
    expected = f"images of shape (8, 8, 3), but this classifier wants {SHAPE}"
    with pytest.raises(InputError, match="^" + re.escape(expected)):
        network.feature_map({"backbone": {}}, jnp.zeros((1, 8, 8, 3)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"backbone": "vgg"},
            "backbone is vgg, but must be one of resnet18, resnet34, resnet50,",
        ),
        ({"image_shape": [16, 12]}, "image_shape"),
        (
            {"image_shape": [16, 12, 0]},
            "image_shape is .*, but must be 3 whole numbers",
        ),
        ({"image_shape": [16, 12, 2]}, "images of 2 channels; inception takes 1 or 3"),
        ({"image_shape": 3}, "image_shape"),
        ({"num_classes": 1}, "num_classes 1 is not at least 2"),
        ({"num_classes": "3"}, "num_classes"),
        ({"entry": "torchvision"}, "entry 'torchvision' does not go with backbone inception"),
        ({"backbone": "resnet18"}, "entry None does not go with backbone resnet18"),
        ({"entry": {}}, "entry"),
        ({"backbone": "classifier"}, "a CNN's settings go with backbone classifier alone"),
        ({"cnn": NET.to_dict()}, "a CNN's settings go with backbone classifier alone"),
        ({"backbone": "classifier", "cnn": NET.to_dict()}, r"is not the CNN's, \(12, 10, 1\)"),
        ({"backbone": "classifier", "cnn": {"widths": ["a"]}}, ""),
        ({"cnn": 3}, ""),
        ({"cnn": {"crop": "x"}}, ""),
        ({"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_configurations_that_do_not_fit_end_in_one_line(changes, message, tmp_path):
    """Here the types of fields are checked by beartype; without it, by what uses them."""
    config = CONFIGS["inception"].to_dict() | changes
    store.save(tmp_path, artifact_classifier.KIND, config, {}, {})
    with pytest.raises(WeightsError, match=f"config.json does not fit: .*{message}") as caught:
        zoo.load_classifier(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"about": []}, "config.json: damaged: kind, config and about must"),
        ({"kind": ["classifier"]}, "config.json: damaged: kind, config and about must"),
        ({"about": {"class_names": 5}}, "its class_names are no list of names"),
        ({"about": {"class_names": ["a"]}}, "^1 class names for 3 classes$"),
        ({"config": replace(CONFIGS["classifier"], num_classes=4).to_dict()}, "2 faults: linear/"),
    ],
)
def test_damaged_folders_end_in_one_line(changes, message, tmp_path, backbones):
    config = CONFIGS["classifier"]
    params = variables(config, backbones["classifier"])
    store.save(tmp_path, artifact_classifier.KIND, config.to_dict(), params, {})
    text = json.loads((tmp_path / store.CONFIG).read_text()) | changes
    (tmp_path / store.CONFIG).write_text(json.dumps(text))
    with pytest.raises(InputError, match=message) as caught:
        zoo.load_classifier(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_layers_are_those_of_the_template(backbones):
    folded = backbones["inception"]["conv"]
    assert isinstance(folded, frozen.Folded)
    named = variables(CONFIGS["inception"], backbones["inception"])["backbone"]["conv"]
    np.testing.assert_array_equal(named["kernel"], folded.kernel)
