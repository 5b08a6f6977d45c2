"""Every method corrects its own units by its own factor; what it does is measured as defined."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

from ganfail_jax.analysis.correction import random_units
from ganfail_jax.analysis.correction_effect import Effect, corrector, effect, summary_of
from ganfail_jax.analysis.correction_methods import METHODS, Inspection, Setting, correct, inspector
from ganfail_jax.analysis.defects import sample_scores
from ganfail_jax.errors import InputError
from ganfail_jax.latents import generate, renderer
from ganfail_jax.types import LayerInfo
from tests import tiny

RNG = np.random.default_rng(3)
LAYERS = {"a": LayerInfo(2, 5), "b": LayerInfo(4, 4)}
NUMBERS = {"a": 2, "b": 3}
SAMPLES, LAMBDA = 3, 0.7
DS = {name: RNG.random(info.channels).astype(np.float32) for name, info in LAYERS.items()}
DS["b"][:2] = 0  # fewer meet a mask than are to be corrected
FID = {"b": np.array([3.0, 9.0, 1.0, 5.0])}
SETTING = Setting(LAYERS, NUMBERS, DS, FID, (3, 0), LAMBDA, seed=2)
MASKS = RNG.random((SAMPLES, 4, 4)) < 0.5
OWN = {k: RNG.random((SAMPLES, each.size)).astype(np.float32) for k, each in DS.items()}
OWN["a"][0] = OWN["b"][0] = 0  # nothing of the first sample meets its mask
OWN["b"][1, 1:] = 0
INSPECTED = Inspection(
    jnp.zeros((SAMPLES, 4, 4, 1)), jnp.zeros((SAMPLES, 2)), jnp.asarray(MASKS), OWN
)


def highest(scores, number):
    return sorted(range(len(scores)), key=lambda u: -scores[u])[:number]


def units_of(name, layer, scores):
    """The units that a method corrects of a sample of these scores."""
    if name == "random":
        return np.flatnonzero(random_units(layer, NUMBERS[layer], LAYERS[layer].channels, 2))
    if name == "fid":
        return [1, 3, 0]
    if name == "manual":
        return [3, 0]
    return highest(scores, NUMBERS[layer])


@pytest.mark.parametrize("per_sample", [False, True], ids=["global", "per sample"])
@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_its_loop(name, per_sample):
    setting = SETTING._replace(scores={}) if per_sample else SETTING
    edits = correct(METHODS[name], setting, INSPECTED)
    several = name in ("sequential", "local")
    assert list(edits) == (["a", "b"] if several else ["b"])
    for layer, edit in edits.items():
        info = LAYERS[layer]
        shape = (SAMPLES, info.resolution, info.resolution, info.channels)
        x = RNG.normal(size=shape).astype(np.float32)
        expected = x.astype(np.float64)
        size = 4 // info.resolution
        for n in range(SAMPLES):
            scores = (OWN[layer][n] if per_sample else DS[layer]).astype(np.float64)
            for unit in units_of(name, layer, scores):
                if name in ("ds", "sequential", "local") and scores[unit] == 0:
                    continue
                for i, j in np.ndindex(info.resolution, info.resolution):
                    factor = 0.0
                    if name == "sequential":
                        factor = LAMBDA * (1 - scores[unit])
                    if name == "local":
                        covered = MASKS[n, i * size : (i + 1) * size, j * size : (j + 1) * size]
                        factor = 1 - covered.mean()
                    expected[n, i, j, unit] *= factor
        np.testing.assert_allclose(edit(jnp.asarray(x)), expected, rtol=1e-6, atol=1e-7)
        assert (expected != x).any()


def test_only_what_depends_on_the_sample_is_inspected():
    inspecting = [name for name, method in METHODS.items() if SETTING.inspects(method)]
    assert inspecting == ["local"]
    own = SETTING._replace(scores={})
    assert [n for n, method in METHODS.items() if own.inspects(method)] == [
        "ds",
        "sequential",
        "local",
    ]
    for name in ("random", "fid", "ds", "sequential", "manual"):
        assert correct(METHODS[name], SETTING)


def test_a_layer_that_meets_no_mask_is_refused():
    setting = SETTING._replace(scores={**DS, "b": np.zeros(4, np.float32)})
    message = (
        "no unit of layer b meets the artifacts' masks: all its defective scores are 0; "
        "other layers, a larger tau, a lower mask threshold or more labelled artifacts may help"
    )
    for name in ("ds", "sequential", "local"):
        with pytest.raises(InputError, match=f"^{message}$"):
            correct(METHODS[name], setting, INSPECTED)
    assert list(correct(METHODS["random"], setting)) == ["b"]


ARTIFACT, SEED, CUT = 2, 1, 0.3
INDICES = np.array([4, 0, 9, 2, 7], np.int32)


@pytest.fixture(scope="module")
def models():
    return tiny.models()


@pytest.fixture(scope="module")
def uncorrected(models):
    made = jax.jit(lambda p: generate(models.generator, p, SEED, jnp.asarray(INDICES)))
    images, taps = jax.device_get(made(models.generator_params))
    assert 0.01 < np.mean(np.abs(images) == 1) < 0.5
    return images, taps


def softmax(models, images):
    """Of the class artifact, and whether it is the largest."""
    logits = images.reshape(len(images), -1) @ np.asarray(models.classifier_params, np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return shares[:, ARTIFACT], logits.argmax(axis=1) == ARTIFACT


def grad_cam_mask(models, image):
    """The classifier is linear in the image, which is its map: alpha is a mean of its template."""
    alpha = np.asarray(models.classifier_params, np.float64)[:, ARTIFACT].mean()
    cam = np.maximum(alpha * image[..., 0].astype(np.float64), 0)
    return cam > CUT * cam.max()


def test_an_inspection_is_of_the_viewed_uncorrected_images(models, uncorrected):
    images, taps = uncorrected
    limits = {k: np.quantile(x, 0.8, axis=(0, 1, 2)).astype(np.float32) for k, x in taps.items()}
    inspected = inspector(models, ARTIFACT, SEED, CUT)(models.params, limits, INDICES)
    np.testing.assert_allclose(inspected.images, images, atol=1e-5)
    masks = np.stack([grad_cam_mask(models, image) for image in images])
    np.testing.assert_array_equal(inspected.masks, masks)
    assert 0.05 < masks.mean() < 0.95
    np.testing.assert_allclose(
        jax.nn.softmax(inspected.logits)[:, ARTIFACT], softmax(models, images)[0], atol=1e-5
    )
    iou = sample_scores(jax.tree.map(jnp.asarray, taps), limits, jnp.asarray(masks))
    for name, each in iou.items():
        expected = np.asarray(each) / np.maximum(np.asarray(each).max(axis=1, keepdims=True), 1e-9)
        np.testing.assert_allclose(inspected.scores[name], expected, atol=1e-6)
        assert expected.max() == 1


def test_every_method_is_rendered_and_the_effect_is_what_its_images_show(models, uncorrected):
    layers = {name: models.generator.layers[name] for name in ("b0004/conv1", "b0008/conv0")}
    scores = {name: RNG.random(info.channels) for name, info in layers.items()}
    setting = Setting(layers, dict.fromkeys(layers, 3), scores, {}, (1, 2))
    inspect = partial(inspector(models, ARTIFACT, SEED, CUT), models.params, {})
    methods = {name: METHODS[name] for name in ("random", "local", "manual")}
    correct_batch = corrector(models, ARTIFACT, inspect, methods, setting, SEED)
    effects = effect(correct_batch, INDICES, 2)
    before, render = uncorrected[0], renderer(models.generator, SEED)
    masks = np.stack([grad_cam_mask(models, image) for image in before])
    inspected = inspect(INDICES)
    for row, method in enumerate([None, *methods.values()]):
        edits = correct(method, setting, inspected) if method else {}
        images = np.asarray(render(models.generator_params, INDICES, edits), np.float64)
        probability, called = softmax(models, images)
        np.testing.assert_allclose(effects.probability[row], probability, atol=1e-5)
        np.testing.assert_array_equal(effects.called[row], called)
        moved = np.abs(images - before)[..., 0] * 127.5
        np.testing.assert_allclose(effects.change[row], moved.mean(axis=(1, 2)), atol=1e-3)
        for n, mask in enumerate(masks):
            assert effects.inside[row, n] == pytest.approx(moved[n][mask].mean(), abs=1e-3)
            assert effects.outside[row, n] == pytest.approx(moved[n][~mask].mean(), abs=1e-3)
        assert (moved.max() > 1) == (method is not None)


def test_the_summary_is_paired():
    n = 400
    before, noise = RNG.random(n), RNG.normal(0, 0.01, n)
    probability = np.stack([before, before - 0.1, before + noise])
    called = np.stack([np.arange(n) < 300, np.arange(n) < 40, np.arange(n) < 0])
    change, nothing = np.stack([np.zeros(n), np.ones(n), np.full(n, 2.0)]), np.full((3, n), np.nan)
    effects = Effect(probability, called, change, change / 2, nothing)
    rows = summary_of(effects, np.random.default_rng(0))
    assert [row["called"]["value"] for row in rows] == [0.75, 0.1, 0]
    np.testing.assert_allclose(
        [row["called"]["interval95"] for row in rows],
        [binomtest(k, n).proportion_ci(method="wilson") for k in (300, 40, 0)],
        atol=1e-4,
    )
    for row, values in zip(rows, probability, strict=True):
        assert row["probability"]["value"] == pytest.approx(values.mean())
        half = np.diff(row["probability"]["interval95"])[0] / 2
        assert half == pytest.approx(1.96 * values.std() / np.sqrt(n), rel=0.15)
    np.testing.assert_allclose(rows[1]["difference"]["interval95"], -0.1, atol=1e-12)
    half = np.diff(rows[2]["difference"]["interval95"])[0] / 2
    assert half == pytest.approx(1.96 * noise.std() / np.sqrt(n), rel=0.15)
    assert [row["change_inside"] for row in rows] == [0, 0.5, 1]
    assert all(np.isnan(row["change_outside"]) for row in rows)
