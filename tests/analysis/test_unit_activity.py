"""The samples that activate a unit most, against all of them sorted; their representative image."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.analysis import unit_activity
from ganfail_jax.analysis.unit_activity import Top
from ganfail_jax.errors import InputError
from ganfail_jax.images import as_viewed, to_float, to_uint8
from ganfail_jax.latents import activations, generate
from ganfail_jax.nn import pggan
from ganfail_jax.runtime import Sweep
from tests import tiny

LAYERS = ["b0004/conv1", "b0008/conv0"]
SAMPLES, K, SEED = 41, 3, 2
CONFIG = pggan.PGGANConfig(
    resolution=8, img_channels=2, num_classes=0, z_dim=5, channel_base=64, channel_max=6
)


@pytest.fixture(scope="module")
def taps():
    """Of all samples at once."""
    models = tiny.models()
    run = jax.jit(lambda params, indices: activations(models.generator, params, SEED, indices))
    return jax.device_get(run(models.generator_params, jnp.arange(SAMPLES)))


@pytest.mark.parametrize(("measure", "batch_size"), [("max", 8), ("mean", 64)])
def test_they_are_the_first_of_all_sorted(taps, measure, batch_size):
    """The last batch is padded; the first case also drops samples on the way."""
    models = tiny.models()
    found = unit_activity.top_samples(
        models.generator,
        models.generator_params,
        LAYERS,
        K,
        SAMPLES,
        Sweep(batch_size, runtime.data_mesh()),
        measure=measure,
        seed=SEED,
    )
    assert list(found) == LAYERS
    for name in LAYERS:
        values = getattr(taps[name], measure)(axis=(1, 2))
        order = np.argsort(-values, axis=0)[:K]
        np.testing.assert_array_equal(found[name].indices, order)
        expected = np.take_along_axis(values, order, axis=0)
        np.testing.assert_allclose(found[name].values, expected, rtol=1e-4, atol=1e-5)


def test_of_equal_samples_the_first_are_kept_however_they_come():
    values = np.random.default_rng(0).integers(0, 3, size=(20, 4)).astype(np.float32)
    rows = Top(values, np.broadcast_to(np.arange(20)[:, None], values.shape))
    parts = [Top(*(x[i : i + 4] for x in rows)) for i in range(0, 20, 4)]
    found = parts[0]
    for part in parts[1:]:
        found = unit_activity.keep(runtime.append_rows(found, part), 5)
    for c in range(4):
        expected = sorted(range(20), key=lambda i: (-values[i, c], i))[:5]
        assert found.indices[:, c].tolist() == expected


def test_more_than_all_samples():
    models = tiny.models()
    with pytest.raises(InputError, match=r"^there are no top 5 of 4 samples$"):
        unit_activity.top_samples(
            models.generator,
            models.generator_params,
            LAYERS,
            5,
            4,
            Sweep(4, runtime.data_mesh()),
        )


def test_the_representative_image_is_that_of_the_mean_feature_map():
    """At the last layer of PGGAN, after which there are pixel norm and one product."""
    rng = np.random.default_rng(1)
    template = jax.eval_shape(lambda: pggan.init(CONFIG, jax.random.key(0)))
    params = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), template)
    generator = pggan.build(CONFIG)
    styles = {"z": jnp.asarray(rng.normal(size=(4, 5)), jnp.float32)}
    taps = jax.jit(generator.synthesize)(params, styles)[1]
    mean = np.asarray(taps["b0008/conv1"], np.float64).mean(axis=0)
    normed = mean / np.sqrt(np.square(mean).mean(axis=2, keepdims=True) + 1e-8)
    own = params["params"]["b0008_torgb"]
    expected = normed @ (np.asarray(own["weight"], np.float64)[0, 0] / np.sqrt(6)) + own["bias"]
    run = jax.jit(partial(unit_activity.representative_image, generator, layer="b0008/conv1"))
    viewed = to_float(to_uint8(np.asarray(expected, np.float32)))
    np.testing.assert_allclose(run(params, styles)[0], viewed, atol=0.01)  # a level


def test_one_sample_represents_itself():
    """Also where later layers have styles."""
    models = tiny.models()
    rng = np.random.default_rng(3)
    sizes = models.generator.style_dims
    styles = {k: jnp.asarray(rng.normal(size=(1, n)), jnp.float32) for k, n in sizes.items()}

    @jax.jit
    def run(params, styles):
        image = as_viewed(models.generator.synthesize(params, styles)[0])
        made = partial(unit_activity.representative_image, models.generator, params, styles)
        return image, made("b0004/conv1")

    image, found = run(models.generator_params, styles)
    np.testing.assert_allclose(found, image, atol=0.01)  # a level


def test_a_unit_sees_its_own_map(taps):
    models, indices = tiny.models(), jnp.asarray([7, 2])

    @jax.jit
    def run(params, unit):
        return unit_activity.images_and_map(
            models.generator, params, LAYERS[1], unit, indices, SEED
        ), generate(models.generator, params, SEED, indices)[0]

    (images, maps), expected = run(models.generator_params, jnp.asarray(3))
    np.testing.assert_allclose(maps, taps[LAYERS[1]][[7, 2], ..., 3], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(images, expected, atol=0.01)  # a level
