"""The studies of Choi 2022 from Python: what their plans take, and what identifies a result."""

import json

import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.data.labels import of_kinds
from ganfail_jax.errors import InputError
from ganfail_jax.studies import ablate, activation_rates, detect, heatmaps, label, subject
from tests import tiny

LAYERS = ["b0004/conv1"]


@pytest.fixture(scope="module")
def generator():
    own = tiny.models()
    return subject.of_generator(own.generator, own.generator_params, "g")


@pytest.fixture(scope="module")
def source(generator):
    settings = activation_rates.Settings(num_samples=64)
    return activation_rates.make(generator, LAYERS, settings)


def test_labels_in_hand_are_part_of_the_identity(generator, source):
    settings = detect.Settings(num_samples=64, ends=10)
    known = [
        detect.Known(),
        detect.Known(labels=of_kinds([3, 4], [0, 1])),
        detect.Known(labels=of_kinds([3, 4], [0, 2])),
    ]
    plans = [detect.plan(generator, source, settings, known=each) for each in known]
    labels = [plan.identity["labels"] for plan in plans]
    assert labels[0] is None
    assert len({*labels}) == 3


def test_labels_are_of_constant_noise(generator, source):
    noisy = generator._replace(generator=generator.generator.with_noise("random"))
    known = detect.Known(labels=of_kinds([3, 4], [0, 1]))
    message = "labels are of images with constant noise, not --noise=random"
    with pytest.raises(InputError, match=message):
        detect.plan(noisy, source, detect.Settings(num_samples=64, ends=10), known=known)
    with pytest.raises(InputError, match=message):
        label.plan(noisy, "labels.csv")


@pytest.mark.parametrize("study", [heatmaps, ablate])
def test_indices_may_be_an_array(study, generator, source):
    plans = [
        study.plan(generator, source, study.Settings(indices=indices))
        for indices in (np.asarray([3, 4]), [3, 4])
    ]
    assert plans[0].identity == plans[1].identity
    json.dumps(dict(plans[0].identity))
    with pytest.raises(InputError, match="no samples are given to draw"):
        study.plan(generator, source, study.Settings(indices=[]))


def test_a_stored_generator_is_the_one_that_commands_know():
    loaded = subject.load("mnist_c_v1", noise="random")
    assert loaded.identity == {
        "generator": "mnist_c_v1",
        "generator_sha256": zoo.read_generator("mnist_c_v1").sha256,
        "noise": "random",
    }
    assert loaded.generator.noise == "random"
