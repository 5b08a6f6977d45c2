"""Features of published networks are their own layers', by names that tell which."""

import hashlib

import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.images import to_float
from ganfail_jax.metrics import networks
from ganfail_jax.metrics.features import extract_features
from ganfail_jax.nn import imagenet, resnet, vgg
from ganfail_jax.weights import resnet_names, vgg_names
from ganfail_jax.weights.errors import WeightsError
from tests.weights import torch_saved
from tests.weights.made_up import torchvision

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 10, 12, 3), np.uint8)
ENTERED = imagenet.standardize(imagenet.resize(jnp.asarray(to_float(IMAGES))))


def written(tmp_path, name, arrays):
    path = tmp_path / f"{name}.pth"
    path.write_bytes(torch_saved.save(arrays))
    return path


def assert_close(found, wanted):
    """Where layers are summed in another order."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * float(np.std(wanted)))


@pytest.mark.parametrize("dense", [True, False])
def test_vgg_gives_fc2_where_the_file_has_it(dense, tmp_path):
    theirs = torchvision("vgg16")
    kept = {name: array for name, array in theirs.items() if dense or name.startswith("features")}
    path = written(tmp_path, "vgg16", kept)
    features = networks.load("vgg", path)
    layers = vgg_names.load(path).layers
    maps = vgg.features(layers, ENTERED, lambda images: images)
    expected = vgg.fc2(layers, maps) if dense else maps.mean((1, 2))
    assert_close(extract_features(features, in_memory(IMAGES), batch_size=2), expected)
    assert features.dim == (16 if dense else 512)
    layer = "fc2" if dense else "conv5_3 (averaged)"
    assert features.name == f"VGG-16 {layer} of vgg16.pth"
    assert features.weights == hashlib.sha256(path.read_bytes()).hexdigest()
    assert features.preprocessing == "bilinear resizing to 224, torchvision's mean and deviation"


@pytest.mark.parametrize(("name", "dim"), [("resnet18", 512), ("resnet50", 2048)])
def test_resnets_give_their_last_map_averaged(name, dim, tmp_path):
    path = written(tmp_path, name, torchvision(name))
    features = networks.load("resnet", path)
    layers = resnet_names.load(path).layers
    expected = resnet.features(layers, ENTERED, lambda images: images).mean((1, 2))
    assert_close(extract_features(features, in_memory(IMAGES), batch_size=2), expected)
    assert features.dim == dim
    assert features.name == f"ResNet-{name[6:]} last map (averaged) of {name}.pth"


def test_the_package_s_resnet_takes_images_from_zero_to_one(tmp_path, monkeypatch):
    path = written(tmp_path, "eyes", torchvision("resnet18"))
    monkeypatch.setattr(resnet_names, "EYES", hashlib.sha256(path.read_bytes()).hexdigest())
    features = networks.load("resnet", path)
    layers = resnet_names.load(path).layers
    expected = resnet.features(layers, ENTERED * imagenet.DEVIATION + imagenet.MEAN, lambda x: x)
    assert_close(extract_features(features, in_memory(IMAGES), batch_size=2), expected.mean((1, 2)))
    assert features.preprocessing == "bilinear resizing to 224, [0, 1]"


def test_weights_that_are_given_must_be_readable_others_may_be_missing(tmp_path, monkeypatch):
    def missing(path):
        raise WeightsError(f"{path} cannot be read")

    nowhere = networks.NETWORKS["inception"]._replace(load=missing)
    monkeypatch.setattr(networks, "NETWORKS", {"inception": nowhere})
    assert networks.load_if_any("inception") is None
    with pytest.raises(WeightsError, match="nope cannot be read"):
        networks.load_if_any("inception", "nope")
