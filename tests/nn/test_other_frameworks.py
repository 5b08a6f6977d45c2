"""The digit CNN in PyTorch and in Keras: the same logits and gradients as in Flax."""

import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import own_models, zoo
from ganfail_jax.errors import InputError
from ganfail_jax.nn import keras_models
from ganfail_jax.nn.wrapped import wrap
from ganfail_jax.studies import fingerprints
from tests.nn import digit_cnn

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras copies by NumPy 1

SHAPE = (32, 32, 1)
OURS, PARAMS = zoo.load_classifier("mnist_c_corrupted")
RAW = {"range": (-1, 1)}


def images(n=6):
    x = np.random.default_rng(0).uniform(-1, 1, (n, *SHAPE))
    return jnp.asarray(x, jnp.float32)


def results(classifier, params):
    """Logits and the gradient of the margin, compiled."""

    def margin(x):
        logits = classifier.logits(params, x)
        return (logits[:, 3] - logits[:, 5]).sum(), logits

    gradient, logits = jax.jit(jax.grad(margin, has_aux=True))(images())
    return np.asarray(logits), np.asarray(gradient)


def assert_ours(classifier, params, logits_within=1e-5):
    """Relative to the largest: sums of 3,136 float32 products in another order."""
    assert classifier.class_names == OURS.class_names
    for own, other in zip(results(OURS, PARAMS), results(classifier, params), strict=True):
        np.testing.assert_allclose(other, own, atol=logits_within * np.abs(own).max())


def test_a_torch_module_is_exact_in_evaluation_mode():
    module = digit_cnn.torch_cnn(pytest.importorskip("torch"), PARAMS)
    assert module.training  # with dropout
    classifier, params = wrap(module, size=32, channels=1, range=(-1, 1))
    assert_ours(classifier, params)
    assert not module.training


def test_the_weights_of_a_torch_module_are_in_its_fingerprint():
    torch = pytest.importorskip("torch")
    module = digit_cnn.torch_cnn(torch, PARAMS)
    before = fingerprints.of_classifier(*wrap(module, size=32, channels=1), SHAPE)
    with torch.no_grad():
        module.dense.bias[0] += 1e-6
    assert fingerprints.of_classifier(*wrap(module, size=32, channels=1), SHAPE) != before


@pytest.fixture
def keras():
    keras_models.choose_backend()
    return pytest.importorskip("keras")


def test_a_keras_file_is_the_same(keras, tmp_path):
    file = str(tmp_path / "digits.keras")
    digit_cnn.keras_cnn(keras, PARAMS).save(file)
    assert own_models.is_own(file)
    assert_ours(*own_models.load_classifier(file, SHAPE, RAW))
    other = own_models.load_classifier(file, SHAPE, RAW | {"mean": 0.5})
    assert np.abs(results(*other)[0] - results(OURS, PARAMS)[0]).max() > 0.1


def test_the_softmax_of_a_keras_model_is_undone(keras):
    classifier, params = wrap(digit_cnn.keras_cnn(keras, PARAMS, "softmax"), range=(-1, 1))
    ours = jax.nn.log_softmax(OURS.logits(PARAMS, images()))
    seen = np.asarray(ours) > -20  # smaller probabilities are below 1e-12 or rounded
    np.testing.assert_allclose(
        np.asarray(classifier.logits(params, images()))[seen], np.asarray(ours)[seen], atol=1e-3
    )


def test_what_is_wrong_with_a_keras_file_is_one_line(keras, tmp_path):
    file = tmp_path / "digits.keras"
    for content in (b"", b"PK\x03\x04", os.urandom(1000)):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"digits.keras: ") as caught:
            own_models.load_classifier(str(file), SHAPE, {})
        assert "\n" not in str(caught.value)
    code = keras.layers.Lambda(lambda x: x[:, :, 0, 0])
    keras.Sequential([keras.Input((32, 32, 1)), code]).save(file)
    with pytest.raises(InputError, match=r"digits.keras: .*unsafe"):
        own_models.load_classifier(str(file), SHAPE, {})
    keras.Sequential([keras.Input((32,)), keras.layers.Dense(3)]).save(file)
    with pytest.raises(InputError, match=r"images \(None, h, w, c\) are wanted"):
        own_models.load_classifier(str(file), SHAPE, {})


def test_without_keras_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "keras", None)
    (tmp_path / "digits.keras").touch()
    with pytest.raises(InputError, match=r'needs Keras: `pip install "ganfail_jax\[keras\]"`'):
        own_models.load_classifier(str(tmp_path / "digits.keras"), SHAPE, {})


def test_without_torch_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "uses_torch.py").write_text("import torch\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"imports 'torch', which is missing; get it by `pip inst"):
        own_models.load_classifier("uses_torch:model", SHAPE, {})
