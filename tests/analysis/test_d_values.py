"""D-values and what they separate, from their definitions."""

import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.analysis import d_values
from ganfail_jax.latents import generate
from ganfail_jax.types import Discriminator
from tests import tiny


def score(params, images, label=None):
    """Linear, with a vector of its own for every class."""
    return jnp.einsum("bhwc,hwck,bk->b", images, params, label)


LINEAR = Discriminator((8, 8, 1), 3, score)
PARAMS = np.random.default_rng(0).normal(size=(8, 8, 1, 3)).astype(np.float32)


@pytest.mark.parametrize("batch_size", [2, 7])
def test_samples_are_judged_with_their_classes(batch_size):
    models, indices = tiny.models(), np.asarray([4, 0, 11, 2, 3])
    found = d_values.of_samples(
        models.generator,
        models.generator_params,
        LINEAR,
        PARAMS,
        indices,
        seed=5,
        batch_size=batch_size,
    )
    images = generate(models.generator, models.generator_params, 5, jnp.asarray(indices))[0]
    expected = [
        float((np.asarray(image, np.float64) * PARAMS[..., index % 3]).sum())
        for image, index in zip(images, indices, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_real_images_are_judged_with_their_classes():
    rng = np.random.default_rng(1)
    images, labels = rng.normal(size=(5, 8, 8, 1)).astype(np.float32), np.asarray([2, 0, 1, 1, 2])
    found = d_values.of_images(LINEAR, PARAMS, images.__getitem__, labels, batch_size=2)
    expected = [(x * PARAMS[..., k]).sum() for x, k in zip(images, labels, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def chance_of_lower(first, second):
    return np.mean([(a < b) + 0.5 * (a == b) for a in first for b in second])


def test_areas_are_chances_that_the_first_has_the_lower_value():
    rng = np.random.default_rng(2)
    values, real = rng.normal(size=40), rng.normal(1, 1, size=9)
    artifact, classes = rng.random(40) < 0.3, np.arange(40) % 2
    values[artifact] -= 1
    areas = d_values.areas(values, artifact, classes, real)
    for name, first, second in (
        ("artifact from normal", values[artifact], values[~artifact]),
        ("normal from real", values[~artifact], real),
        ("artifact from real", values[artifact], real),
    ):
        table = areas[name]
        assert (table["positive"], table["negative"]) == (len(first), len(second))
        area = table["auc"]["d_value"]
        assert area["value"] == pytest.approx(chance_of_lower(first, second))
        assert area["interval95"][0] < area["value"] < area["interval95"][1]
    assert "auc_within_classes" in areas["artifact from normal"]
    assert list(d_values.areas(values, artifact, None, real[:0])) == ["artifact from normal"]


def test_shown_samples_are_spread_over_the_ranks_of_both_kinds():
    values = np.asarray([5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 0.0])
    artifact = np.asarray([True, False, False, False, True, False, False, False])
    shown = d_values.spread(values, artifact, 3)
    assert values[shown].tolist() == [0.0, 2.0, 5.0, 7.0, 9.0]
