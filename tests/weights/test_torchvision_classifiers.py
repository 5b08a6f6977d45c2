"""torchvision's state dicts with their head as classifiers, against torchvision's own logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import own_models
from ganfail_jax.errors import InputError
from tests.goldens import deviation, load
from tests.nn.test_imagenet_networks import IMAGES
from tests.weights import torch_saved
from tests.weights.made_up import torchvision


def saved(path, arrays):
    path.write_bytes(torch_saved.save(arrays))
    return str(path)


def test_a_resnet_is_torchvisions(tmp_path):
    file = saved(tmp_path / "resnet18-f37072fd.pth", torchvision("resnet18"))
    given = {"size": (48, 40), "class_names": "abcdefghij"}
    classifier, params = own_models.load_classifier(file, (48, 40, 3), given)
    _, golden = load("torchvision_made_up")
    logits = jax.jit(classifier.logits)(params, jnp.asarray(IMAGES))
    assert deviation(np.asarray(logits), golden["resnet18/logits"]) < 1e-4
    assert classifier.class_names == tuple("abcdefghij")


def test_vgg_has_its_head_and_enters_by_224_pixels(tmp_path):
    file = saved(tmp_path / "vgg16.pth", torchvision("vgg16"))
    classifier, params = own_models.load_classifier(file, (32, 32, 1), {})
    grey = jax.ShapeDtypeStruct((7, 32, 32, 1), jnp.float32)
    assert jax.eval_shape(classifier.logits, params, grey).shape == (7, 5)
    with pytest.raises(InputError, match="fully connected layers want images of 224 pixels"):
        own_models.load_classifier(file, (32, 32, 1), {"size": 96})


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda name: not name.startswith("fc."), "net.pth: its head is missing: fc or classifier"),
        (lambda name: name.startswith("fc."), "net.pth: neither a ResNet nor the VGG-16 of torchv"),
    ],
    ids=["headless", "another"],
)
def test_other_files_are_one_line(keep, message, tmp_path):
    arrays = {name: a for name, a in torchvision("resnet18").items() if keep(name)}
    with pytest.raises(InputError, match=message):
        own_models.load_classifier(saved(tmp_path / "net.pth", arrays), (32, 32, 3), {})


def test_a_missing_file_is_one_line():
    with pytest.raises(InputError, match=r"^no file nowhere\.pth$"):
        own_models.load_classifier("nowhere.pth", (32, 32, 3), {})
