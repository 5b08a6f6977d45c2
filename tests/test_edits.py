"""Edits act where they should and nowhere else, on a real (tiny) generator."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import edits
from ganfail_jax.latents import latents
from tests.tiny import models

LAYERS = ["b0004/conv1", "b0008/conv0", "b0008/conv1"]


@pytest.fixture(scope="module")
def run():
    tiny = models()
    drawn = latents(tiny.generator, 0, jnp.arange(4))
    styles = jax.jit(tiny.generator.styles)(tiny.generator_params, drawn.z, drawn.one_hot)
    # not compiled: two programs that XLA fuses differently differ in the last bit
    return lambda edits: tiny.generator.synthesize(tiny.generator_params, styles, edits)


def test_identity_edits_change_nothing(run):
    image, taps = run({})
    same, same_taps = run({name: edits.scale(jnp.ones(())) for name in LAYERS})
    np.testing.assert_array_equal(image, same)
    for name in LAYERS:
        np.testing.assert_array_equal(taps[name], same_taps[name])


def test_zeroed_neurons_are_zero_and_upstream_is_untouched(run):
    image, before = run({})
    mask = jax.random.bernoulli(jax.random.key(0), 0.5, before["b0008/conv0"].shape[1:])
    edited, after = run({"b0008/conv0": edits.zero_activated(mask)})
    chosen = np.asarray(mask) & (np.asarray(before["b0008/conv0"]) > 0)
    assert chosen.any()
    assert (np.asarray(after["b0008/conv0"])[chosen] == 0).all()
    np.testing.assert_array_equal(
        np.asarray(after["b0008/conv0"])[~chosen], np.asarray(before["b0008/conv0"])[~chosen]
    )
    np.testing.assert_array_equal(after["b0004/conv1"], before["b0004/conv1"])
    assert not np.array_equal(after["b0008/conv1"], before["b0008/conv1"])
    assert not np.array_equal(edited, image)


def test_scale_reaches_units_samples_and_positions(run):
    _, before = run({})
    x = np.asarray(before["b0008/conv1"])
    for shape in [(x.shape[3],), (x.shape[0], 1, 1, 1), (*x.shape[1:3], 1)]:
        factor = jax.random.uniform(jax.random.key(1), shape)
        _, after = run({"b0008/conv1": edits.scale(factor)})
        np.testing.assert_array_equal(after["b0008/conv1"], x * np.asarray(factor))


def test_random_share_of_the_activated_is_zeroed_per_sample(run):
    _, before = run({})
    keys = jax.random.split(jax.random.key(3), 4)
    _, after = run({"b0008/conv1": edits.zero_random_activated(keys, 0.3)})
    x, y = np.asarray(before["b0008/conv1"]), np.asarray(after["b0008/conv1"])
    active = x > 0
    np.testing.assert_array_equal(y[~active], x[~active])
    share = (y[active] == 0).mean()
    spread = np.sqrt(0.3 * 0.7 / active.sum())
    assert abs(share - 0.3) < 4 * spread
    assert not np.array_equal(y[0] == 0, y[1] == 0)


def test_replace_fills_the_mask(run):
    _, before = run({})
    mask = np.zeros(before["b0004/conv1"].shape[1:], bool)
    mask[1, 2, 0] = True
    _, after = run({"b0004/conv1": edits.replace(mask, jnp.asarray(7.0))})
    assert (np.asarray(after["b0004/conv1"])[:, 1, 2, 0] == 7).all()
    rest = ~np.broadcast_to(mask, after["b0004/conv1"].shape)
    np.testing.assert_array_equal(
        np.asarray(after["b0004/conv1"])[rest], np.asarray(before["b0004/conv1"])[rest]
    )


def test_an_unknown_layer_lists_the_layers(run):
    with pytest.raises(ValueError, match=r"unknown layer b0008/conv9; .* b0004/conv1, b0008/conv0"):
        run({"b0008/conv9": edits.scale(jnp.ones(()))})
