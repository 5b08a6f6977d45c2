"""Generated images reach classifiers, discriminators and metrics as an 8-bit viewer sees them."""

import ast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime, zoo
from ganfail_jax.analysis import (
    correction_effect,
    correction_methods,
    crossing,
    d_values,
    defects,
    joint,
    outputs,
    push,
    samples,
    shift,
    starts,
)
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.analysis.views import views_of
from ganfail_jax.data import image_sets
from ganfail_jax.images import LEVELS, as_viewed
from ganfail_jax.latents import latents
from ganfail_jax.runtime import Sweep
from ganfail_jax.types import Discriminator, unflatten_styles
from tests.analysis.test_crossing import balanced, check_crossings
from tests.analysis.test_ranking import run
from tests.test_imports import ROOT, SOURCES
from tests.tiny import models

SYNTHESIZE = {  # who may call a generator's networks; all others have images of the first two
    "ganfail_jax/latents.py",
    "ganfail_jax/analysis/outputs.py",
    "ganfail_jax/analysis/unit_activity.py",  # activations, and a viewed image
    "ganfail_jax/nn/stylegan2.py",
    "ganfail_jax/studies/fingerprints.py",  # checks a generator in hand
    "ganfail_jax/training/loop.py",  # sample sheets
    "ganfail_jax/types.py",
}


def test_only_few_call_the_generator_itself():
    calling = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "synthesize":
                calling.add(str(path.relative_to(ROOT)))
    assert calling <= SYNTHESIZE, calling - SYNTHESIZE


@pytest.fixture
def probe():
    """Tiny models, with noise drawn, whose classifier counts the values that it is shown: the
    models, and how many values were on the grid of 256 levels and off it."""
    counts = {"on": 0, "off": 0}

    def count(images):
        on = np.isin(images, LEVELS)
        counts["on"] += int(on.sum())
        counts["off"] += int((~on).sum())

    def features(params, images):
        jax.debug.callback(count, images)
        return plain(params, images)

    tiny = balanced()
    plain = tiny.classifier.feature_map
    generator = tiny.generator.with_noise("random")
    classifier = tiny.classifier._replace(features=features)
    return tiny._replace(generator=generator, classifier=classifier), counts


@pytest.fixture
def judged(probe):
    """The models of `probe`, whose classifier is shown nothing off the grid."""
    judged, counts = probe
    yield judged
    jax.effects_barrier()
    assert counts["on"] > 0
    assert counts["off"] == 0


SWEEP = Sweep(8, runtime.data_mesh(jax.devices()[:1]))


def test_the_probe_finds_what_is_not_viewed(probe, monkeypatch):
    monkeypatch.setattr(outputs, "as_viewed", lambda images: images)
    judged, counts = probe
    samples.collect([judged], 8, SWEEP)
    jax.effects_barrier()
    assert counts["off"] > counts["on"]


def test_rankings_samples_and_pushes(judged):
    ranking = run(models=judged, num_samples=20, batch_size=10)
    samples.collect([judged], 8, SWEEP)
    views = views_of(judged, 8)
    push.push_effect(views, ranking, num_samples=8, first_index=20, top=3)
    push.push_grid(views, ranking, top=2, candidates=10)


def test_searches(judged):
    ranking = run(models=judged, num_samples=20, batch_size=10)
    views = views_of(judged, 10)
    begun = starts.at_samples(views, np.arange(20), truncation_psi=1.0)
    begun = begun.take(begun.softmax > crossing.LEVEL).take(np.arange(2))
    shift.shift_grid(views, ranking, begun.take([0]), np.arange(3), limit=2.0, grid=3)
    dims = np.tile(np.arange(3), (2, 1))
    none = np.full(dims.shape, np.nan)
    std = ranking.style_std
    search = joint.Search(draws=2, paths=2, iterations=2, grid=3)
    joint.smallest_moves(views, begun, dims, std, none, search)


def test_artifact_masks_and_corrections(judged):
    indices = np.arange(4, dtype=np.int32)
    limits = {"b0004/conv1": np.zeros(6)}
    defects.defective_scores(judged, limits, indices, SWEEP, artifact=1)
    layers = {"b0004/conv1": judged.generator.layers["b0004/conv1"]}
    setting = correction_methods.Setting(layers, {"b0004/conv1": 2}, {}, {}, (1,))
    inspect = correction_methods.inspector(judged, 1, 0)
    correct_batch = correction_effect.corrector(
        judged,
        1,
        lambda some: inspect(judged.params, {}, some),
        {"manual": correction_methods.METHODS["manual"]},
        setting,
        0,
    )
    correct_batch(indices)


def test_discriminators_and_features():
    tiny = models()
    score = lambda params, images, label=None: jnp.max(  # noqa: E731
        jnp.min(jnp.abs(images[..., None] - LEVELS), axis=-1), axis=(1, 2, 3)
    )
    judge = Discriminator((8, 8, 1), 3, score)
    pair = tiny.generator, tiny.generator_params
    off = d_values.of_samples(*pair, judge, {}, np.arange(5), seed=0, batch_size=5)
    np.testing.assert_array_equal(off, 0)
    assert image_sets.generated(*pair, 5).take(np.arange(5)).dtype == np.uint8


def test_clipped_pixels_have_no_gradient():
    """Of the sum of an image's pixels: what is black or white in it adds nothing."""
    tiny = models()
    styles, _, _ = jax.jit(lambda i: outputs.sample_styles(tiny, 0, i, 1.0))(jnp.arange(12))
    drawn = latents(tiny.generator, 0, jnp.arange(12))
    assert drawn.noise_keys is None

    def total(styles, mask):
        return jnp.sum(outputs.render(tiny, styles) * mask)

    vectors = unflatten_styles(styles, tiny.generator.style_dims)
    raw = np.asarray(jax.jit(tiny.generator.synthesize)(tiny.generator_params, vectors)[0])
    clipped = np.abs(raw) > 1.001
    assert 0.01 < clipped.mean() < 0.3
    gradient = jax.jit(jax.grad(total))
    np.testing.assert_array_equal(gradient(styles, jnp.asarray(clipped, jnp.float32)), 0)
    assert np.abs(gradient(styles, jnp.asarray(~clipped, jnp.float32))).max() > 0


@pytest.fixture(scope="module")
def bundled():
    return Models(*zoo.load_generator("mnist_c"), *zoo.load_classifier("mnist_c_corrupted"))


@pytest.mark.parametrize("noise", ["const", "random"])
def test_searches_end_at_half_of_what_the_classifier_sees(noise, bundled):
    """Moves from samples of the bundled generator towards samples of other classes."""
    here = bundled._replace(generator=bundled.generator.with_noise(noise))
    with jax.default_matmul_precision("highest"):
        views = views_of(here, batch_size=10)
        found = starts.confident_samples(
            views, range(10), first_index=0, truncation_psi=1.0, tries=3
        )
        towards = np.roll(found.styles, 1, axis=0) - found.styles
        crossed = crossing.search(
            views, found.styles, towards, found.target, found.noise, limit=1.0, grid=4
        )
        some = found.take(np.arange(2))
        dims = np.tile(np.arange(0, 640, 32), (2, 1))
        moved = joint.smallest_moves(
            views,
            some,
            dims,
            np.ones(640),
            np.full(dims.shape, np.nan),
            joint.Search(draws=4, paths=2, iterations=8, grid=8),
        )
    check_crossings(crossed, found.target, least=8)
    reached = np.isfinite(moved.length)
    assert reached.any()
    assert np.abs(moved.softmax[reached] - 0.5).max() < 0.01
    levels = views.images(found.styles, found.noise)
    np.testing.assert_array_equal(levels, np.asarray(as_viewed(jnp.asarray(levels))))
