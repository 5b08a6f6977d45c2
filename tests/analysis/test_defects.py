"""Definition 1 of Tousi 2021 against its transcription by loops, on the tiny generator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.analysis import defects
from ganfail_jax.errors import InputError
from ganfail_jax.images import as_viewed
from ganfail_jax.latents import latents
from ganfail_jax.runtime import Sweep
from tests import tiny
from tests.analysis import plain

ARTIFACT, SEED, CUT = 2, 5, 0.3
INDICES = np.array([3, 4, 11, 17, 40])
ORDERS = ["threshold_then_upsample", "upsample_then_threshold"]


@pytest.fixture(scope="module")
def generated():
    """Images and activations of X_a, and thresholds that a fifth of the activations exceed."""
    models = tiny.models()
    drawn = latents(models.generator, SEED, jnp.asarray(INDICES))

    @jax.jit
    def run(params, z, one_hot):
        styles = models.generator.styles(params, z, one_hot)
        images, taps = models.generator.synthesize(params, styles)
        return as_viewed(images), taps

    images, taps = jax.device_get(run(models.generator_params, drawn.z, drawn.one_hot))
    limits = {name: np.quantile(x, 0.8, axis=(0, 1, 2)) for name, x in taps.items()}
    limits = {name: x.astype(np.float32) for name, x in limits.items()}
    limits["b0008/conv0"][0] = np.inf  # never active
    return models, images, taps, limits


def grad_cam_mask(models, image):
    """The classifier is linear in the image, which is its map: alpha is a mean of its template."""
    alpha = np.asarray(models.classifier_params, np.float64)[:, ARTIFACT].mean()
    cam = np.maximum(alpha * image[..., 0].astype(np.float64), 0)
    return cam > CUT * cam.max()


def by_loops(maps, limit, mask, order):
    """IoU of one unit of one image, pixel by pixel."""
    if order == "upsample_then_threshold":
        region = plain.enlarge(maps, *mask.shape) > limit
    else:
        region = plain.enlarge((maps > limit).astype(float), *mask.shape) > 0.5
    both = either = 0
    for i, j in np.ndindex(mask.shape):
        both += region[i, j] and mask[i, j]
        either += region[i, j] or mask[i, j]
    return both / either if either else 0.0


def scores_by_loops(generated, order):
    models, images, taps, limits = generated
    masks = [grad_cam_mask(models, image) for image in images]
    return {
        name: np.array(
            [
                [
                    by_loops(taps[name][n, ..., u].astype(np.float64), limit, mask, order)
                    for u, limit in enumerate(limits[name])
                ]
                for n, mask in enumerate(masks)
            ]
        )
        for name in limits
    }


@pytest.fixture(scope="module")
def expected_scores(generated):
    return {order: scores_by_loops(generated, order) for order in ORDERS}


@pytest.mark.parametrize("order", ORDERS)
def test_it_is_definition_1(generated, expected_scores, order):
    models, images, _, limits = generated
    expected = expected_scores[order]
    (other,) = (each for name, each in expected_scores.items() if name != order)
    found = defects.defective_scores(
        models,
        limits,
        INDICES,
        Sweep(2, runtime.data_mesh()),  # the last batch is padded
        artifact=ARTIFACT,
        seed=SEED,
        mask_threshold=CUT,
        order=order,
    )
    masks = [grad_cam_mask(models, image) for image in images]
    np.testing.assert_allclose(found.covered, np.mean(masks, axis=(1, 2)), atol=1e-6)
    assert list(found.scores) == list(limits)
    for name, each in expected.items():
        np.testing.assert_allclose(found.samples[name], each, atol=1e-6)
        np.testing.assert_allclose(found.scores[name], each.mean(axis=0), atol=1e-6)
        error = each.std(axis=0, ddof=1) / np.sqrt(len(each))
        np.testing.assert_allclose(found.standard_errors[name], error, atol=1e-6)
    assert np.abs(found.samples["b0004/conv1"] - other["b0004/conv1"]).max() > 0.01
    assert found.scores["b0008/conv0"][0] == 0
    assert max(scores.max() for scores in found.scores.values()) > 0.1


def test_samples_are_scored_by_themselves(generated, expected_scores):
    models, images, taps, limits = generated
    masks = np.stack([grad_cam_mask(models, image) for image in images])
    masks[1] = False  # nothing to see
    found = jax.jit(defects.sample_scores)(taps, limits, masks)
    expected = expected_scores[ORDERS[0]]
    for name, each in found.items():
        np.testing.assert_allclose(
            np.delete(each, 1, 0), np.delete(expected[name], 1, 0), rtol=1e-6
        )
        np.testing.assert_array_equal(each[1], 0)
    assert found["b0008/conv0"][1, 0] == 0  # both regions are empty


def test_the_scores_of_a_layer_reach_to_1():
    scores = np.array([[0.1, 0.4, 0.0], [0.0, 0.0, 0.0]])
    expected = np.array([[0.25, 1, 0], [0, 0, 0]], np.float32)
    np.testing.assert_array_equal(defects.normalize(scores), expected)
    np.testing.assert_array_equal(defects.normalize(scores[0]), expected[0])


def test_artifact_images_are_needed(generated):
    models, _, _, limits = generated
    with pytest.raises(InputError, match=r"^there are no artifact images to score units by$"):
        defects.defective_scores(
            models, limits, INDICES[:0], Sweep(1, runtime.data_mesh()), artifact=0
        )
