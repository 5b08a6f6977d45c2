"""What each phase of a training step changes and what it leaves alone, against plain formulas."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float, to_uint8
from ganfail_jax.nn.stylegan2 import StyleGAN2
from ganfail_jax.nn.stylegan2_discriminator import StyleGAN2Discriminator
from ganfail_jax.training import stylegan2_step
from ganfail_jax.training.losses import r1_penalty
from ganfail_jax.training.stylegan2_run import PRESETS
from tests.training.tiny_gan import AUGMENTED, CONDITIONAL, dataset

MESH = runtime.data_mesh()
PHASES = stylegan2_step.phases(CONDITIONAL, MESH)
IMAGES = jnp.asarray(dataset().images.whole()[:4] / 127.5 - 1, jnp.float32)
LABEL = jnp.eye(3)[jnp.array([0, 2, 1, 1])]


@pytest.fixture(scope="module")
def start():
    return jax.device_get(stylegan2_step.init(CONDITIONAL))


def run(phase, state, *inputs):
    """One phase, on the devices as in a training run, which shares the compilation."""
    inputs = runtime.shard_batch(MESH, inputs)
    return jax.device_get(phase(runtime.replicate(MESH, state), *inputs))


def changed(before, after):
    """The fields of the state that differ."""
    same = lambda a, b: all(map(np.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))  # noqa: E731
    pairs = zip(stylegan2_step.TrainState._fields, before, after, strict=True)
    return {name for name, a, b in pairs if not same(a, b)}


# The configuration


@pytest.mark.parametrize("name", PRESETS)
def test_presets_follow_nvidias_rules(name):
    config = PRESETS[name]
    gamma = 0.0002 * config.generator.resolution**2 / config.batch_size
    assert config.r1_gamma == pytest.approx(gamma)
    assert config.ema_kimg == config.batch_size * 10 / 32
    assert (config.learning_rate, config.generator.mapping_layers) == (0.0025, 2)
    assert (config.r1_interval, config.pl_interval) == (16, 4)
    assert config.generator.num_ws == 8


def test_paper32_is_nvidias_auto_for_32_px_on_4_gpus():
    config = PRESETS["paper32"]
    assert (config.batch_size, config.augment, config.style_mixing) == (64, True, 0.9)
    assert (config.pl_weight, config.pl_decay) == (2, 0.01)
    assert (config.ada_target, config.ada_interval, config.ada_kimg) == (0.6, 4, 500)
    for network in (config.generator, config.discriminator):
        assert (network.channel_base, network.channel_max) == (16384, 512)
        assert (network.conv_clamp, network.num_classes) == (256, 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size 0 must be at least 1 and, above 4, a multiple of 4"),
        ({"batch_size": 6}, "batch_size 6 must be at least 1 and, above 4, a multiple of 4"),
        ({"batch_size": 1}, "batch_size 1 must be at least 2: path length takes that part of a"),
        ({"seed": -1}, "seed must be at least 0 and total_kimg above 0, not -1 and 0.04"),
        ({"total_kimg": 0.0}, "total_kimg above 0, not 3 and 0.0"),
        ({"discriminator": AUGMENTED.discriminator}, "resolution is 8 in the generator, 4 in"),
        ({"decay_kimg": -1.0}, "decay_kimg must be at least 0, not -1.0"),
        ({"class_weight": 0.5}, "class_weight 0.5 needs a discriminator with class_head"),
    ],
)
def test_configurations_that_cannot_train_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(CONDITIONAL, **changes)


# Optimisers


@pytest.mark.parametrize(("which", "interval"), [(0, 2), (1, 4)])
def test_adam_is_corrected_for_lazy_regularisation(which, interval):
    ratio = interval / (interval + 1)
    rate, beta2 = 0.0025 * ratio, 0.99**ratio
    optimizer = stylegan2_step.optimizers(CONDITIONAL)[which]
    x, state, second = jnp.array(1.0), optimizer.init(jnp.array(1.0)), 0.0
    for step, gradient in enumerate([0.5, -2.0, 0.1], 1):
        update, state = optimizer.update(jnp.array(gradient), state, x)
        second = beta2 * second + (1 - beta2) * gradient**2
        expected = -rate * gradient / (np.sqrt(second / (1 - beta2**step)) + 1e-8)
        assert float(jnp.asarray(update)) == pytest.approx(expected, rel=1e-5)


# Phases


def test_generator_phase_leaves_the_discriminator_and_the_average_alone(start):
    after, metrics = run(PHASES.generator, start, LABEL)
    assert changed(start, after) == {"generator", "generator_opt"}
    assert changed_noise(start, after) == 0
    assert 0 < metrics["loss/g"] < 10


def changed_noise(before, after):
    noise = [state.generator["buffers"]["synthesis"] for state in (before, after)]
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: abs(a - b).max(), *noise)))


def test_path_length_phase_changes_the_generator_and_its_mean(start):
    after, metrics = run(PHASES.path_length, start, LABEL)
    assert changed(start, after) == {"generator", "generator_opt", "pl_mean"}
    assert after.pl_mean == metrics["path_length"] > 0
    doubled = start._replace(pl_mean=np.float32(2.0))
    again, _ = run(PHASES.path_length, doubled, LABEL)
    assert again.pl_mean - after.pl_mean == pytest.approx(0.99 * 2, rel=1e-5)


def test_discriminator_phase_leaves_the_generator_alone(start):
    after, metrics = run(PHASES.discriminator, start, IMAGES, LABEL)
    changes = changed(start, after)
    assert changes - {"real_signs"} == {"discriminator", "discriminator_opt", "real_count"}
    assert after.real_count == 4
    assert after.real_signs == pytest.approx(4 * metrics["logits/real_sign"])
    assert 0 < metrics["loss/d"] < 10


def test_every_step_draws_its_own_latents(start):
    next_step = start._replace(step=np.int32(1))
    for phase, name, inputs in [
        (PHASES.generator, "loss/g", (LABEL,)),
        (PHASES.path_length, "path_length", (LABEL,)),
        (PHASES.discriminator, "logits/fake", (IMAGES, LABEL)),
    ]:
        assert run(phase, start, *inputs)[1][name] != run(phase, next_step, *inputs)[1][name]


def test_r1_phase_descends_half_gamma_times_the_interval_times_the_penalty(start):
    after, metrics = run(PHASES.r1, start, IMAGES, LABEL)
    assert changed(start, after) == {"discriminator", "discriminator_opt"}

    @jax.jit
    @jax.value_and_grad
    def penalty(params):
        critic = StyleGAN2Discriminator(CONDITIONAL.discriminator)
        return r1_penalty(lambda x: jnp.asarray(critic.apply({"params": params}, x, LABEL)), IMAGES)

    value, gradient = penalty(start.discriminator)
    assert metrics["r1"] == pytest.approx(float(value), rel=1e-4)
    used = after.discriminator_opt[0].mu  # the gradient itself, as beta1 = 0
    for ours, plain in zip(jax.tree.leaves(used), jax.tree.leaves(gradient), strict=True):
        expected = np.asarray(plain) * CONDITIONAL.r1_gamma / 2 * 4
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-8)


def test_w_average_moves_by_half_a_percent_towards_the_batch(start):
    mapping = start.generator["params"]["mapping"]
    constant = {"weight": np.zeros_like(mapping["fc0"]["weight"]), "bias": np.arange(8.0) * 100}
    params = start.generator["params"] | {"mapping": mapping | {"fc0": constant}}
    average = np.linspace(-1, 1, 8)
    buffers = start.generator["buffers"] | {"w_avg": average}
    state = start._replace(generator={"params": params, "buffers": buffers})
    state = jax.tree.map(lambda x: x.astype(np.float32) if x.dtype == np.float64 else x, state)
    after, _ = run(PHASES.generator, state, LABEL)
    w = np.sqrt(2) * np.arange(8.0)  # bias times 0.01, leaky ReLU times sqrt(2)
    result = after.generator["buffers"]["w_avg"]
    np.testing.assert_allclose(result, w + 0.995 * (average - w), rtol=1e-5)


@pytest.mark.parametrize(
    ("step", "horizon"), [(7, 7 * 4 * 0.05), (99, 99 * 4 * 0.05), (1000, 20.0)]
)
def test_average_halves_after_its_horizon_which_grows_with_the_run(start, step, horizon):
    ema = jax.tree.map(np.zeros_like, start.ema)
    after = run(PHASES.finish, start._replace(step=np.int32(step), ema=ema))
    assert changed(start, after) == {"step", "ema"}
    assert after.step == step + 1
    share = 1 - 0.5 ** (4 / horizon)
    for ours, live in zip(
        jax.tree.leaves(after.ema["params"]),
        jax.tree.leaves(start.generator["params"]),
        strict=True,
    ):
        np.testing.assert_allclose(ours, share * live, rtol=1e-5, atol=1e-8)


def test_average_starts_as_the_generator_and_takes_its_buffers(start):
    ema = jax.tree.map(np.zeros_like, start.ema)
    after = run(PHASES.finish, start._replace(ema=ema))
    jax.tree.map(np.testing.assert_array_equal, after.ema, start.generator)


@pytest.mark.parametrize(("mesh", "split"), [(MESH, True), (None, False)])
def test_latents_are_split_over_the_mesh_even_without_labels(mesh, split):
    """Four devices then do a quarter of the generator's work each: 0.26 of the operations."""
    state = jax.eval_shape(lambda: stylegan2_step.init(AUGMENTED))
    traced = jax.make_jaxpr(stylegan2_step.phases(AUGMENTED, mesh).generator)(state, None)
    assert ("sharding_constraint" in str(traced)) == split


# Classes judged beside the score, images as a viewer sees them

JUDGING = replace(
    CONDITIONAL,
    discriminator=replace(CONDITIONAL.discriminator, class_head=True),
    class_weight=0.5,
    view_images=True,
)


@pytest.fixture(scope="module")
def judging():
    return jax.device_get(stylegan2_step.init(JUDGING))


@jax.jit
def judge(state, images, label):
    critic = StyleGAN2Discriminator(JUDGING.discriminator)
    return critic.apply({"params": state.discriminator}, images, label, method="judge")


def test_discriminator_learns_classes_from_real_images_alone(judging):
    unweighted = stylegan2_step.phases(replace(JUDGING, class_weight=0.0), MESH)
    weighted = stylegan2_step.phases(JUDGING, MESH)
    after, metrics = run(weighted.discriminator, judging, IMAGES, LABEL)
    before, _ = run(unweighted.discriminator, judging, IMAGES, LABEL)

    @jax.jit
    @jax.value_and_grad
    def real_loss(params):
        _, classes = judge(judging._replace(discriminator=params), IMAGES, LABEL)
        return -jnp.mean(jnp.sum(LABEL * jax.nn.log_softmax(classes), axis=1))

    value, gradient = real_loss(judging.discriminator)
    assert metrics["loss/class"] == pytest.approx(float(value), rel=1e-4)
    used = jax.tree.map(  # the gradients themselves, as beta1 = 0
        np.subtract, after.discriminator_opt[0].mu, before.discriminator_opt[0].mu
    )
    for ours, plain in zip(jax.tree.leaves(used), jax.tree.leaves(gradient), strict=True):
        np.testing.assert_allclose(ours, 0.5 * plain, rtol=1e-3, atol=1e-6)


def test_generator_learns_the_class_that_the_head_recognises(judging):
    heavy = stylegan2_step.phases(replace(JUDGING, class_weight=1e4, learning_rate=0.01), MESH)
    after, _ = run(heavy.generator, judging, LABEL)
    label = jnp.eye(3)[jnp.arange(60) % 3]

    @jax.jit
    def loss(state):
        network = StyleGAN2(JUDGING.generator)
        z = jax.random.normal(jax.random.key(9), (60, JUDGING.generator.z_dim))
        _, classes = judge(judging, network.apply(state.generator, z, label), label)
        return -jnp.mean(jnp.sum(label * jax.nn.log_softmax(classes), axis=1))

    assert loss(after) < loss(judging) - 0.01


def test_discriminator_sees_generated_images_as_8_bit_pictures(judging):
    """A generator whose image is 0.3 everywhere: 0.3 lies between two levels."""
    synthesis = dict(judging.generator["params"]["synthesis"])
    for name, block in synthesis.items():
        torgb = {**block["torgb"], "weight": np.zeros_like(block["torgb"]["weight"])}
        torgb["bias"] = np.full_like(torgb["bias"], 0.3 if name == "b0008" else 0.0)
        synthesis[name] = {**block, "torgb": torgb}
    params = {**judging.generator["params"], "synthesis": synthesis}
    state = judging._replace(generator={**judging.generator, "params": params})
    _, metrics = run(stylegan2_step.phases(JUDGING, MESH).discriminator, state, IMAGES, LABEL)
    picture = to_float(to_uint8(np.full((4, 8, 8, 1), 0.3, np.float32)))
    viewed, raw = (
        float(jnp.mean(judge(state, jnp.asarray(image), LABEL)[0]))
        for image in (picture, np.full_like(picture, 0.3))
    )
    assert metrics["logits/fake"] == pytest.approx(viewed, abs=1e-6)
    assert abs(raw - viewed) > 1e-5


@pytest.mark.parametrize(("step", "factor"), [(0, 1), (4, 1), (5, 1), (7, 0.6), (10, 0)])
def test_learning_rate_falls_to_zero_over_the_last_images(step, factor):
    config = replace(CONDITIONAL, decay_kimg=0.02)  # the last 5 of 10 steps
    assert float(stylegan2_step.learning_rate_factor(config, jnp.int32(step))) == pytest.approx(
        factor, abs=1e-6
    )


def test_steps_follow_the_learning_rate(start):
    config = replace(CONDITIONAL, decay_kimg=0.08)  # half the rate from the start
    decaying = stylegan2_step.phases(config, MESH)
    for name, inputs in (("generator", (LABEL,)), ("discriminator", (IMAGES, LABEL))):
        full, half = (run(getattr(p, name), start, *inputs)[0] for p in (PHASES, decaying))
        params = [
            state.generator["params"] if name == "generator" else state.discriminator
            for state in (start, full, half)
        ]
        for before, whole, part in zip(*map(jax.tree.leaves, params), strict=True):
            np.testing.assert_allclose(part - before, (whole - before) / 2, rtol=1e-2, atol=3e-5)


# Style mixing


def test_style_mixing_hands_over_once_at_every_layer_equally_often_but_never_at_the_first():
    ws, other = jnp.zeros((2, 4, 3)), jnp.ones((2, 3))
    keys = jax.random.split(jax.random.key(0), (4000, 2))
    mix = jax.jit(jax.vmap(lambda key: stylegan2_step.mix_styles(ws, other, key, 0.9)))
    mixed = np.asarray(mix(keys))
    assert np.ptp(mixed, axis=(1, 3)).max() == 0
    layers = mixed[:, 0, :, 0]
    assert (np.diff(layers, axis=1) >= 0).all()
    counts = np.bincount(layers.sum(axis=1).astype(int), minlength=5)
    expected = 4000 * np.array([0.1, 0.3, 0.3, 0.3, 0])
    assert (abs(counts - expected) <= 4 * np.sqrt(expected)).all()


# The augmentation's controller


@pytest.mark.parametrize(
    ("step", "signs", "expected"), [(1, 6.0, 0.34), (1, -6.0, 0.14), (0, 6.0, 0.24)]
)
def test_augmentation_moves_when_due_by_the_sign_of_the_real_logits(step, signs, expected):
    config = replace(AUGMENTED, ada_target=0.5, ada_kimg=0.08)  # a step is 4 * 2 / 80
    start = jax.device_get(stylegan2_step.init(config))
    state = start._replace(
        step=np.int32(step),
        augment_p=np.float32(0.24),
        real_signs=np.float32(signs),
        real_count=np.float32(8),
    )
    after = run(stylegan2_step.phases(config).finish, state)
    assert after.augment_p == pytest.approx(expected)
    assert (after.real_signs, after.real_count) == ((0, 0) if step else (signs, 8))
