"""`package.module:factory`: what it makes is used; every mistake in it is one line."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import own_models
from ganfail_jax.errors import InputError
from ganfail_jax.types import Classifier

SHAPE = (8, 8, 1)
MODULE = """
import jax.numpy as jnp
from ganfail_jax.errors import InputError
from ganfail_jax.nn.wrapped import wrap
from ganfail_jax.types import Classifier

NAMES = ("a", "b", "c")

def head(params, images):
    return images.reshape(len(images), -1) @ params

def logits(images):  # [b, 8, 8, 1]
    assert images.shape[1:] == (8, 8, 1), images.shape
    return head(jnp.ones((64, 3)), images)

def function(): return logits
def pair(): return head, jnp.ones((64, 3))
def wrapped(): return wrap(head, jnp.ones((16, 3)), size=4, channels=1)
def record(): return Classifier((8, 8, 1), 3, NAMES, None, head), jnp.ones((64, 3))
def closed(): return Classifier((8, 8, 1), 3, NAMES, None, lambda params, x: logits(x))

class Inside:
    @staticmethod
    def factory(): return logits

def raises(): raise RuntimeError("no weights\\nhere")
def refuses(): raise InputError("no weights")
def leaves(): raise SystemExit(3)
def wants(weights): return logits
def nothing(): return None
def numbers(): return jnp.ones(3)
def scalar(): return lambda images: images.mean()
def fails(): return lambda images: images.reshape(7, 7)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "made.py").write_text(MODULE)
    (tmp_path / "broken_module.py").write_text("import ganfail_jax\n1 / 0\n")
    (tmp_path / "unclosed_module.py").write_text("def f(:\n")
    (tmp_path / "torch_module.py").write_text("import torch.nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    return tmp_path


@pytest.mark.parametrize(
    "name", ["function", "pair", "wrapped", "record", "closed", "Inside.factory"]
)
def test_what_a_factory_may_make(name):
    classifier, params = own_models.load_classifier(f"mine.made:{name}", SHAPE, {})
    assert isinstance(classifier, Classifier)
    assert classifier.num_classes == len(classifier.class_names) == 3
    images = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, *SHAPE)), jnp.float32)
    assert classifier.logits(params, images).shape == (2, 3)


def test_settings_go_to_a_function():
    given = {"range": (-1, 1), "class_names": ("x", "y", "z")}
    classifier, params = own_models.load_classifier("mine.made:function", SHAPE, given)
    images = jnp.full((1, *SHAPE), -1.0)
    np.testing.assert_array_equal(classifier.logits(params, images), np.full((1, 3), -64.0))
    assert classifier.class_names == ("x", "y", "z")


BAD = [
    ("nowhere_at_all:f", "no module 'nowhere_at_all' in the current directory or the Python path"),
    ("mine.nowhere:f", "no module 'mine.nowhere' in the current directory"),
    ("broken_module:f", "importing broken_module fails with ZeroDivisionError: division by zero"),
    ("unclosed_module:f", "importing unclosed_module fails with SyntaxError: invalid syntax"),
    ("torch_module:f", "torch_module imports 'torch"),
    ("mine.made:absent", "mine.made has no 'absent'"),
    ("mine.made:NAMES", "mine.made:NAMES is an object of type tuple; a function that makes"),
    ("mine.made:raises", "mine.made:raises() fails with RuntimeError: no weights here"),
    ("mine.made:refuses", "mine.made:refuses: no weights"),
    ("mine.made:leaves", "mine.made:leaves() fails with SystemExit: 3"),
    ("mine.made:wants", "mine.made:wants() fails with TypeError: wants() missing 1 required"),
    ("mine.made:nothing", "makes an object of type NoneType; a Classifier with its params, or a"),
    ("mine.made:numbers", "makes an object of type ArrayImpl; a Classifier with its params"),
    ("mine.made:scalar", "makes an array of shape () of one image (1, 8, 8, 1); logits"),
    ("mine.made:fails", "the function fails on images of shape (1, 8, 8, 1): TypeError: cannot"),
]


@pytest.mark.parametrize(("name", "message"), BAD, ids=[name for name, _ in BAD])
def test_a_bad_factory_is_one_line(name, message):
    with pytest.raises(InputError) as caught:
        own_models.load_classifier(name, SHAPE, {})
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_a_generator_is_one_line():
    with pytest.raises(InputError, match="type tuple; a pair of a Generator and its params"):
        own_models.load_generator("mine.made:record")


def test_a_classifier_says_itself_how_images_enter():
    with pytest.raises(InputError, match="which says itself how images enter it; leave out mean"):
        own_models.load_classifier("mine.made:wrapped", SHAPE, {"mean": 0.5})


@pytest.mark.parametrize(
    ("name", "factory"),
    [
        ("a.b:c", True),
        ("a:b.c", True),
        ("runs/rank", False),
        ("mnist_c", False),
        ("C:/models/net", False),
        ("a:b:c", False),
        ("-a:b", False),
        ("a:", False),
    ],
)
def test_what_is_a_factorys_name(name, factory):
    assert own_models.is_factory(name) == factory
