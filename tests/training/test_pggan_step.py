"""Growing, and what each phase of a step changes, against plain formulas."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganfail_jax import runtime
from ganfail_jax.errors import InputError
from ganfail_jax.nn import pggan
from ganfail_jax.nn.pggan import PGGAN
from ganfail_jax.nn.pggan_discriminator import PGGANDiscriminator, PGGANDiscriminatorConfig
from ganfail_jax.training import pggan_step
from ganfail_jax.training.losses import class_loss, discriminator_loss, r1_penalty
from ganfail_jax.training.pggan_step import PRESETS, Stage
from tests.training.tiny_gan import GROWING, dataset

MESH = runtime.data_mesh()
IMAGES = jnp.asarray(dataset().images.whole()[:4] / 127.5 - 1, jnp.float32)
LABEL = jnp.eye(3)[jnp.array([0, 2, 1, 1])]
R1 = replace(GROWING, loss="r1", r1_gamma=2.0, class_weight=0.5)


@pytest.fixture(scope="module")
def start():
    return jax.device_get(pggan_step.init(GROWING))


def step(config, state, number):
    inputs = runtime.shard_batch(MESH, (IMAGES, LABEL))
    state = runtime.replicate(MESH, state)
    return jax.device_get(pggan_step.train_step(config, MESH, state, number, *inputs))


def moved(before, after):
    """The names of the layers that differ."""
    return {
        name for name in before for k in before[name] if (before[name][k] != after[name][k]).any()
    }


# Growing


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (0, Stage(4, 1.0)),
        (799_984, Stage(4, 1.0)),
        (800_000, Stage(8, 0.0)),
        (1_200_000, Stage(8, 0.5)),
        (1_600_000, Stage(8, 1.0)),
        (3_600_000, Stage(16, 1.0)),
        (4_400_000, Stage(32, 0.5)),
        (4_800_000, Stage(32, 1.0)),
        (90_000_000, Stage(32, 1.0)),
    ],
)
def test_paper_fades_in_and_trains_800_kimg_per_resolution(images, expected):
    config = PRESETS["paper32"]
    assert pggan_step.stage(config, images // config.batch_size) == expected


def test_growing_can_begin_late_and_without_fading():
    at = lambda config, step: pggan_step.stage(config, step).resolution  # noqa: E731
    assert at(replace(GROWING, first_resolution=8), 0) == 8
    assert [at(replace(GROWING, fade_kimg=0.0), n) for n in range(5)] == [4, 4, 4, 8, 8]


def test_fade_in_goes_from_the_smaller_networks_image_to_the_larger_ones():
    params = {"params": pggan_step.init(GROWING).generator["params"]}
    z = jax.random.normal(jax.random.key(0), (2, 9))
    large, small = (PGGAN(replace(GROWING.generator, resolution=r)) for r in (8, 4))
    low = np.repeat(np.repeat(np.asarray(small.apply(params, z)), 2, axis=1), 2, axis=2)
    high = np.asarray(large.apply(params, z))
    for alpha in (0.0, 0.3, 1.0):
        faded = np.asarray(large.apply(params, z, None, alpha))
        np.testing.assert_allclose(faded, (1 - alpha) * low + alpha * high, atol=1e-6)


def test_discriminator_is_faded_in_likewise():
    params = {"params": pggan_step.init(GROWING).discriminator}
    large, small = (
        PGGANDiscriminator(replace(GROWING.discriminator, resolution=r)) for r in (8, 4)
    )
    halves = np.asarray(IMAGES).reshape(4, 4, 2, 4, 2, 1).mean(axis=(2, 4))
    np.testing.assert_allclose(
        np.asarray(large.apply(params, IMAGES, 0.0)[0]),
        np.asarray(small.apply(params, jnp.asarray(halves))[0]),
        rtol=1e-5,
    )
    for ours, theirs in zip(
        large.apply(params, IMAGES, 1.0), large.apply(params, IMAGES), strict=True
    ):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=1e-5)


def test_real_images_are_faded_like_the_generated_ones():
    x = np.asarray(IMAGES)
    halves = x.reshape(4, 4, 2, 4, 2, 1).mean(axis=(2, 4))
    blocks = np.repeat(np.repeat(halves, 2, axis=1), 2, axis=2)
    found = pggan_step.shrink(IMAGES, 8, jnp.float32(0.25))
    np.testing.assert_allclose(found, 0.75 * blocks + 0.25 * x, atol=1e-6)
    np.testing.assert_allclose(pggan_step.shrink(IMAGES, 4, None), halves, atol=1e-6)
    np.testing.assert_array_equal(pggan_step.shrink(IMAGES, 8, None), x)


def test_layers_of_later_resolutions_wait(start):
    after, _ = step(GROWING, start, 0)
    now = {"b0004_conv0", "b0004_conv1", "b0004_torgb"}
    assert moved(start.generator["params"], after.generator["params"]) == now
    now = {"b0004_conv", "b0004_fc", "b0004_out", "b0004_fromrgb"}
    assert moved(start.discriminator, after.discriminator) == now


def test_while_fading_everything_learns_and_then_the_smaller_outputs_rest(start):
    fading, _ = step(GROWING, start, 4)
    for before, after in [
        (start.generator["params"], fading.generator["params"]),
        (start.discriminator, fading.discriminator),
    ]:
        assert moved(before, after) == set(before)
    grown, _ = step(GROWING, start, 7)
    rest = set(start.discriminator) - moved(start.discriminator, grown.discriminator)
    assert rest == {"b0004_fromrgb"}


def test_optimizers_start_afresh_when_a_resolution_comes_in(start):
    used = jax.tree.map(lambda x: x + np.ones((), x.dtype), start.generator_opt)
    worn = start._replace(generator_opt=used)
    count = lambda state: int(state.generator_opt[0].count)  # noqa: E731
    assert [count(step(GROWING, worn, n)[0]) for n in (2, 3, 4)] == [2, 1, 2]


# Losses


def scores(config, params, images):
    params = {"params": jax.device_put(params)}
    score, classes = PGGANDiscriminator(config.discriminator).apply(params, images)
    return jnp.asarray(score), jnp.asarray(classes)


def discriminator_metrics(config, start):
    """Of the phase at full resolution, and the images that the generator made in it."""
    run = pggan_step.phases(config, 8, False, MESH)
    _, metrics = run.penalised(
        runtime.replicate(MESH, start), jnp.float32(1), *runtime.shard_batch(MESH, (IMAGES, LABEL))
    )
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(config.seed), 0), 0)
    keys = jax.random.split(key)
    z = jnp.concatenate([jax.random.normal(keys[0], (4, 6)), LABEL], axis=1)
    fakes = jnp.asarray(PGGAN(config.generator).apply(jax.device_put(start.generator), z))
    return jax.device_get(metrics), fakes, keys[1]


def test_wgan_gp_is_the_distance_of_the_means_with_a_penalised_gradient(start):
    metrics, fakes, key = discriminator_metrics(GROWING, start)
    judge = lambda x: scores(GROWING, start.discriminator, x)[0]  # noqa: E731
    real, fake = np.asarray(judge(IMAGES)), np.asarray(judge(fakes))
    drift = 0.001 * np.mean(real**2)
    np.testing.assert_allclose(metrics["loss/d"], fake.mean() - real.mean() + drift, rtol=1e-4)
    share = np.asarray(jax.random.uniform(key, (4, 1, 1, 1)))
    between = np.asarray(IMAGES) * (1 - share) + np.asarray(fakes) * share
    gradient = np.asarray(jax.grad(lambda x: judge(x).sum())(jnp.asarray(between)))
    norms = np.sqrt(np.square(gradient).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(metrics["penalty"], 10 * np.mean((norms - 1) ** 2), rtol=1e-4)


def test_r1_loss_is_stylegan2s(start):
    metrics, fakes, _ = discriminator_metrics(R1, start)
    judge = lambda x: scores(R1, start.discriminator, x)[0]  # noqa: E731
    expected = discriminator_loss(judge(IMAGES), judge(fakes))
    np.testing.assert_allclose(metrics["loss/d"], expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["penalty"], 2.0 / 2 * r1_penalty(judge, IMAGES), rtol=1e-4)


def test_discriminator_learns_the_classes_of_real_and_generated_images(start):
    """With zero scores (a discriminator of zeros but for the biases) only the classes teach."""
    metrics, fakes, _ = discriminator_metrics(R1, start)
    both = [class_loss(scores(R1, start.discriminator, x)[1], LABEL) for x in (IMAGES, fakes)]
    np.testing.assert_allclose(metrics["loss/class"], sum(both) / 2, rtol=1e-4)


def test_step_is_adam_on_the_whole_loss(start):
    """The discriminator's update from the formulas above, with their weights."""
    _, fakes, _ = discriminator_metrics(R1, start)

    def loss(params):
        (real, real_class), (fake, fake_class) = (scores(R1, params, x) for x in (IMAGES, fakes))
        classes = class_loss(real_class, LABEL) + class_loss(fake_class, LABEL)
        penalty = r1_penalty(lambda x: scores(R1, params, x)[0], IMAGES)
        return discriminator_loss(real, fake) + 0.5 * classes + 2 * (2.0 / 2) * penalty

    adam = optax.adam(0.001, b1=0.0, b2=0.99, eps=1e-8)
    gradient = jax.jit(jax.grad(loss))(start.discriminator)
    updates, _ = adam.update(gradient, adam.init(start.discriminator))
    run = pggan_step.phases(R1, 8, False, MESH)
    after, _ = run.penalised(
        runtime.replicate(MESH, start), jnp.float32(1), *runtime.shard_batch(MESH, (IMAGES, LABEL))
    )
    expected = optax.apply_updates(start.discriminator, updates)
    # Adam's first step is the sign of the gradient, which rounding may turn where it is near zero
    wrong = jax.tree.map(
        lambda a, b: np.mean(abs(a - b) > 1e-5), expected, jax.device_get(after.discriminator)
    )
    assert np.mean(jax.tree.leaves(wrong)) < 0.01


def test_average_follows_with_its_half_life(start):
    after, _ = step(GROWING, start, 7)
    decay = 0.5 ** (4 / 20)
    for average, live, first in zip(
        *(jax.tree.leaves(x) for x in (after.ema, after.generator, start.ema)), strict=True
    ):
        np.testing.assert_allclose(
            average, decay * first + (1 - decay) * live, rtol=1e-5, atol=1e-6
        )


# The configuration


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_resolution": 16}, "first_resolution must be one of 4, 8, not 16"),
        ({"stable_kimg": 0.0}, "stable_kimg must be above 0, fade_kimg at least 0, not 0.0 and"),
        ({"fade_kimg": -1.0}, "stable_kimg must be above 0, fade_kimg at least 0, not 0.012 and"),
        ({"penalty_interval": 0}, "penalty_interval must be at least 1, not 0"),
        ({"batch_size": 6}, "batch_size 6 must be at least 1 and, above 4, a multiple of 4"),
        ({"discriminator": PGGANDiscriminatorConfig(16)}, "resolution is 8 in the gen"),
    ],
)
def test_configurations_that_cannot_train_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(GROWING, **changes)


def test_paper32_is_the_papers():
    config = PRESETS["paper32"]
    assert (config.loss, config.gp_weight, config.drift) == ("wgan_gp", 10, 0.001)
    assert (config.learning_rate, config.stable_kimg, config.fade_kimg) == (0.001, 800, 800)
    assert 0.5 ** (config.batch_size / (config.ema_kimg * 1000)) == pytest.approx(0.999, abs=1e-6)
    assert [config.generator.channels(r) for r in (4, 32)] == [512, 512]
    assert pggan.PGGANConfig(1024).channels(1024) == 16
