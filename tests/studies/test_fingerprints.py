"""Two models have one fingerprint only if they compute the same; broken contracts are one line."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.nn.wrapped import wrap
from ganfail_jax.studies import d_values, fingerprints, subject
from ganfail_jax.types import Classifier, Discriminator
from tests import tiny

SHAPE = (8, 8, 1)
LINEAR, TEMPLATES = tiny.linear_classifier()


def with_head(head):
    return LINEAR._replace(head=head)


def mark(classifier, params: Any = TEMPLATES):
    return fingerprints.of_classifier(classifier, params, SHAPE)


def test_a_change_of_functions_alone_is_seen():
    """Each of these had the same hash when it was of the parameters alone."""
    others = [
        LINEAR,
        with_head(lambda p, x: LINEAR.head(p, x) * 1.01),
        with_head(lambda p, x: LINEAR.head(p, x) + 0.01),
        with_head(lambda p, x: LINEAR.head(p, jnp.round(x * 16) / 16)),
        with_head(lambda p, x: LINEAR.head(p, x.at[:, 7, 7].set(0))),
        LINEAR._replace(origin="other weights"),
    ]
    assert len({mark(each) for each in others}) == len(others)
    assert mark(LINEAR) == mark(LINEAR, np.asarray(TEMPLATES))
    assert mark(LINEAR) != mark(LINEAR, TEMPLATES.at[0, 0].add(1e-6))


def test_entries_are_seen():
    settings = [{}, {"mean": 0.5}, {"std": 2}, {"range": (-1, 1)}, {"size": 8, "resize": "crop"}]
    marks = {mark(*wrap(LINEAR.head, TEMPLATES, class_names="abc", **each)) for each in settings}
    assert len(marks) == len(settings)


def test_a_little_noise_is_not_seen():
    """As of another device; a thousandth of the largest output counts."""
    noise = 1e-7 * np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    assert mark(with_head(lambda p, x: LINEAR.head(p, x) + noise)) == mark(LINEAR)


def test_generators_and_discriminators_are_seen():
    own = tiny.models()
    generator, params = own.generator, own.generator_params

    def inverted(params, styles, edits, noise, keys):
        images, taps = generator.synthesis(params, styles, edits, noise, keys)
        return -images, taps

    def halved(*args):
        return {name: 0.5 * x for name, x in generator.styles(*args).items()}

    others = generator._replace(synthesis=inverted), generator._replace(styles=halved)
    found = [subject.of_generator(each, params, "g") for each in (generator, *others)]
    assert len({each.identity["generator_sha256"] for each in found}) == 3
    scores = [lambda p, x, label=None: x.mean((1, 2, 3)), lambda p, x, label=None: x.sum((1, 2, 3))]
    judges = [d_values.judge(Discriminator(SHAPE, 0, each), {}, "d") for each in scores]
    assert len({judge.identity["discriminator_sha256"] for judge in judges}) == 2


counter = itertools.count()
BAD = [
    (lambda p, x: x[:, 0, 0], "returns an array of shape (8, 1) of 8 images; logits (8, 3)"),
    (lambda p, x: LINEAR.head(p, x) * jnp.nan, "its logits are not finite on random images"),
    (lambda p, x: jax.nn.softmax(LINEAR.head(p, x)), "returns probabilities, not logits"),
    (lambda p, x: LINEAR.head(p, x) - LINEAR.head(p, x).mean(0), "depend on the other images"),
    (lambda p, x: x.reshape(2, 3), "fails with TypeError: cannot reshape array"),
]


@pytest.mark.parametrize(("head", "message"), BAD, ids=[message for _, message in BAD])
def test_a_classifier_that_breaks_the_contract_is_one_line(head, message):
    own = tiny.models()
    generator = subject.of_generator(own.generator, own.generator_params, "g")
    with pytest.raises(InputError) as caught:
        subject.with_classifiers(generator, {"mine": (with_head(head), TEMPLATES)})
    assert str(caught.value).startswith("classifier mine: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_random_outputs_and_failures_of_the_host_are_one_line():
    def random(images):
        return np.random.default_rng(next(counter)).normal(size=(len(images), 3))

    def failing(images):
        raise ConnectionError("no answer")

    how = {"class_names": "abc", "gradient": False}
    with pytest.raises(InputError, match="depend on the other images, or are random"):
        mark(*wrap(random, **how))
    with pytest.raises(InputError, match="fails with JaxRuntimeError: ConnectionError: no answer"):
        mark(*wrap(failing, **how))


def test_a_generator_that_breaks_the_contract_is_one_line():
    own = tiny.models()
    good = own.generator
    layer, size = next(iter(good.style_dims.items()))

    def deaf(params, styles, edits, noise, keys):
        return good.synthesis(params, styles, None, noise, keys)

    def broken(*args):
        raise ZeroDivisionError("of styles")

    for generator, message in (
        (good._replace(synthesis=deaf), "synthesis does not apply the edits of layer b0004/"),
        (good._replace(image_shape=(9, 8, 1)), "images: of shape (8, 8, 8, 1); (8, 9, 8, 1) is"),
        (good._replace(style_dims={layer: size + 1}), f"styles {layer}: of shape (8, {size});"),
        (good._replace(style_dims={"none": 1}), "styles none: missing; (8, 1) is wanted"),
        (good._replace(styles=broken), "its functions fail with ZeroDivisionError: of styles"),
    ):
        with pytest.raises(InputError) as caught:
            subject.of_generator(generator, own.generator_params, "mine")
        assert str(caught.value).startswith("generator mine: ")
        assert message in str(caught.value)


def test_what_needs_a_feature_map_says_so():
    without = Classifier(SHAPE, 3, ("a", "b", "c"), None, LINEAR.head)
    images = jnp.zeros((1, *SHAPE))
    np.testing.assert_array_equal(without.logits(TEMPLATES, images), 0)
    with pytest.raises(InputError, match="has no feature map; Grad-CAM and features need one"):
        without.feature_map(TEMPLATES, images)
