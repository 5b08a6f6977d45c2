"""Extraction is the network's own output, whatever the batches and devices."""

import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.metrics.features import (
    SHARD,
    Features,
    classifier_features,
    extract_features,
)
from ganfail_jax.types import Classifier
from ganfail_jax.zoo import load_classifier
from tests.metrics.first_pixels import EXPECTED, IMAGES, PIXELS, extractor


@pytest.mark.parametrize("batch_size", [1, 7, 47, 100])
def test_rows_are_the_images_in_order_whatever_the_batch(batch_size):
    found = extract_features(extractor()[0], IMAGES, batch_size=batch_size)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, EXPECTED)


def test_the_extractor_sees_batches_of_one_size_only():
    sizes = set()

    def extract(images):
        sizes.add(len(images))
        return np.zeros((len(images), 1), np.float32)

    extract_features(Features("zeros", 1, extract), IMAGES, batch_size=9)
    assert sizes == {9}


def test_no_batch_is_much_larger_than_the_set():
    sizes = set()

    def extract(images):
        sizes.add(len(images))
        return np.zeros((len(images), 1), np.float32)

    extract_features(Features("zeros", 1, extract), IMAGES, batch_size=200_000)
    assert sizes == {SHARD}


@pytest.mark.parametrize("shape", [(5,), (0, 4, 3), (2, 2, 0)])
def test_a_classifier_without_feature_maps_is_refused(shape):
    def features(params, images):
        return jnp.zeros((len(images), *shape))

    classifier = Classifier((8, 8, 1), 2, ("a", "b"), features, lambda params, x: x)
    with pytest.raises(InputError, match="classifier net has no feature maps; give other --feat"):
        classifier_features("net", classifier, {})


def test_classifier_features_are_its_pooled_last_feature_map():
    classifier, params = load_classifier("mnist_c_clean")
    images = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 1), np.uint8)
    features = classifier_features("mnist_c_clean", classifier, params)
    found = extract_features(features, in_memory(images), batch_size=2)
    expected = np.asarray(classifier.feature_map(params, jnp.asarray(to_float(images))))
    np.testing.assert_allclose(found, expected.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    assert features.name == "mnist_c_clean classifier features"
    assert features.dim == found.shape[1] == expected.shape[3]


DEVICES = """
import jax, numpy as np
from ganfail_jax.data.image_sets import generated, in_memory
from ganfail_jax.images import to_float
from ganfail_jax.metrics.features import classifier_features, extract_features
from ganfail_jax.zoo import load_classifier
from tests.tiny import models
assert jax.device_count() == 8
classifier, params = load_classifier("mnist_c_clean")
pixels = np.random.default_rng(1).integers(0, 256, (21, 32, 32, 1), np.uint8)
features, sizes = classifier_features("mnist_c_clean", classifier, params), set()
def extract(images):
    rows = features.extract(images)
    sizes.add(len(images))
    assert len(rows.sharding.device_set) == 8 and rows.addressable_shards[0].data.shape[0] == 2
    return rows
found = extract_features(features._replace(extract=extract), in_memory(pixels), batch_size=9)
assert sizes == {16}
maps = jax.jit(classifier.features)(params, to_float(pixels))
assert len(maps.sharding.device_set) == 1
np.testing.assert_allclose(found, maps.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
generator, params = models()[:2]
images, numbers = generated(generator, params, 30), np.arange(16)
np.testing.assert_array_equal(images.take(numbers[5:8]), images.take(numbers)[5:8])
"""


def test_all_devices_take_their_share_and_the_result_is_the_same():
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    root = str(Path(__file__).parents[2])
    environment = {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": root}
    command = [sys.executable, "-c", DEVICES]
    done = subprocess.run(
        command, cwd=root, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_cpu_takes_no_more_at_once_than_it_is_fast_with():
    sizes = set()

    def extract(images):
        sizes.add(len(images))
        return np.zeros((len(images), 1), np.float32)

    features = Features("zeros", 1, extract, at_once=4)
    extract_features(features, IMAGES, batch_size=9)
    extract_features(features, IMAGES, batch_size=3)
    assert sizes == {4, 3}


def test_what_cannot_be_extracted_is_refused():
    with pytest.raises(InputError, match="no images to extract first pixels from"):
        extract_features(extractor()[0], IMAGES.first(0))
    with pytest.raises(InputError, match=r"4 features of 2 images wanted, .* shape \(2, 3\)"):
        extract_features(extractor()[0]._replace(dim=4), IMAGES, batch_size=2)


def test_generic_classifiers_too():
    """Any Classifier of types.py, here a linear one."""
    linear = Classifier((4, 4, 1), 2, ("a", "b"), lambda params, x: x @ params, lambda params, x: x)
    features = classifier_features("linear", linear, jnp.ones((1, 6)), weights="w")
    assert features.dim == 6
    found = extract_features(features, IMAGES)
    np.testing.assert_allclose(found[:, 0], to_float(PIXELS).mean((1, 2, 3)), atol=1e-6)
