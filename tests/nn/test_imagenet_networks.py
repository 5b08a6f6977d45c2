"""VGG-16 and ResNets against torchvision, and their Grad-CAM seams.

torchvision_made_up.npz: what torchvision 0.28's modules gave for made-up weights (VGG-16 with small
fully connected layers). Tolerance 1e-4 standard deviations: up to 50 layers in float32.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.nn import imagenet, resnet, vgg
from ganfail_jax.types import Classifier
from ganfail_jax.weights import resnet_names, vgg_names
from tests.goldens import deviation, load
from tests.weights import torch_saved
from tests.weights.made_up import torchvision, uniform

IMAGES = (uniform(1, 2 * 48 * 40 * 3).reshape(2, 48, 40, 3) * 2 - 1).astype(np.float32)
MAPS = uniform(2, 14 * 14 * 512).reshape(1, 14, 14, 512).astype(np.float32)


@pytest.fixture(scope="module")
def vgg16():
    return vgg_names.read(torch_saved.save(torchvision("vgg16")))[0]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnet_matches_torchvision(name):
    _, golden = load("torchvision_made_up")
    layers = resnet_names.assign(torchvision(name))
    features = jax.jit(resnet.features)(layers, IMAGES)
    assert deviation(np.asarray(features), golden[f"{name}/features"]) < 1e-4
    logits = resnet.head(layers, features)
    assert deviation(np.asarray(logits), golden[f"{name}/logits"]) < 1e-4
    np.testing.assert_allclose(resnet.pool(features), features.mean(axis=(1, 2)), rtol=1e-5)
    classes = tuple("abcdefghij")
    network = Classifier((48, 40, 3), 10, classes, resnet.features, resnet.head)
    np.testing.assert_allclose(network.logits(layers, jnp.asarray(IMAGES)), logits, rtol=1e-3)


def test_vgg_matches_torchvision(vgg16):
    _, golden = load("torchvision_made_up")
    features = jax.jit(vgg.features)(vgg16, IMAGES)
    assert deviation(np.asarray(features), golden["vgg16/features"]) < 1e-4
    np.testing.assert_allclose(vgg.pool(features), features.mean(axis=(1, 2)), rtol=1e-5)
    maps = jnp.asarray(MAPS)
    assert deviation(np.asarray(vgg.fc2(vgg16, maps)), golden["vgg16/fc2"]) < 1e-4
    assert deviation(np.asarray(vgg.head(vgg16, maps)), golden["vgg16/logits"]) < 1e-4


def test_what_these_weights_cannot_do_is_said(vgg16):
    maps = jnp.asarray(MAPS)
    with pytest.raises(InputError, match="these VGG-16 weights have no fully connected layers"):
        vgg.fc2({name: layer for name, layer in vgg16.items() if "fc" not in name}, maps)
    with pytest.raises(InputError, match="fully connected layers want images of 224 pixels"):
        vgg.fc2(vgg16, maps[:, :12])
    with pytest.raises(InputError, match="these ResNet weights have no linear head `fc`"):
        resnet.head({}, maps)
    with pytest.raises(InputError, match="images of 2 channels; ImageNet's networks take 1 or 3"):
        vgg.features(vgg16, jnp.zeros((1, 32, 32, 2)))


def test_conventions_of_inputs():
    extremes = jnp.stack([jnp.full((2, 2, 1), -1.0), jnp.full((2, 2, 1), 1.0)])
    np.testing.assert_array_equal(imagenet.unit_range(extremes)[:, 0, 0], [[0] * 3, [1] * 3])
    black, white = imagenet.standardize(extremes)[:, 0, 0]
    # the numbers of LPIPS, stated there for images in [-1, 1] with three digits
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    np.testing.assert_allclose(black, (-1 - shift) / scale, rtol=1e-5)
    np.testing.assert_allclose(white, (1 - shift) / scale, rtol=1e-5)
    assert imagenet.resize(extremes).shape == (2, 224, 224, 1)


def test_numbers_of_parameters_are_torchvisions():
    """With two numbers per channel for the batch norm; torchvision's documentation lists them."""
    counts = {"resnet18": 11_689_512, "resnet34": 21_797_672}
    counts |= {"resnet50": 25_557_032, "resnet101": 44_549_160}
    for name, form in resnet.FORMS.items():
        shapes = resnet.kernel_shapes(form, 1000)
        norms = sum(2 * shape[3] for kernel, shape in shapes.items() if kernel != resnet.HEAD)
        assert sum(np.prod(shape) for shape in shapes.values()) + norms + 1000 == counts[name]
    shapes = vgg.kernel_shapes((4096, 4096, 1000))
    assert sum(np.prod(shape) + shape[3] for shape in shapes.values()) == 138_357_544
