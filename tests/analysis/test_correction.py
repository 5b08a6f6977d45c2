"""Edits of Tousi 2021: exactly their factor, on their units alone, and only where they may act."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from ganfail_jax.analysis import correction
from ganfail_jax.errors import InputError
from ganfail_jax.latents import latents
from ganfail_jax.nn import pggan, stylegan2
from tests import tiny
from tests.analysis.test_ablation import LAYERS, Toy

RNG = np.random.default_rng(0)
SAMPLES, SIZE = 3, 16
PGGAN_CONFIG = pggan.PGGANConfig(
    resolution=SIZE, img_channels=1, num_classes=0, z_dim=5, channel_base=64, channel_max=5
)
STYLEGAN2_CONFIG = stylegan2.StyleGAN2Config(
    resolution=SIZE,
    img_channels=1,
    num_classes=0,
    z_dim=5,
    w_dim=5,
    mapping_layers=1,
    channel_base=64,
    channel_max=5,
)
PGGAN = pggan.build(PGGAN_CONFIG)


def made(layers, *samples):
    """Scores of every unit, and the upper half of the units."""
    scores = {k: RNG.random((*samples, size)).astype(np.float32) for k, size in layers.items()}
    return scores, {k: correction.top_units(x, x.shape[-1] // 2) for k, x in scores.items()}


def test_it_is_algorithm_1():
    """Line by line, in float64."""
    x = RNG.normal(size=(SAMPLES, 2, 2, 3)).astype(np.float32)
    params = Toy().init(jax.random.key(1), x, None)
    scores, _ = made(dict.fromkeys(LAYERS, 3))
    units = {k: correction.top_units(scores[k], 2) for k in LAYERS[:2]}
    h = x.astype(np.float64)
    for k in LAYERS:
        weight = np.asarray(params["params"][k], np.float64)
        h = (h + np.roll(h, 1, axis=1)) @ weight
        h = np.where(h > 0, h, 0.01 * h)
        if k in LAYERS[:2]:
            for j in sorted(range(3), key=lambda j: -scores[k][j])[:2]:
                h[..., j] *= 0.9 * (1 - float(scores[k][j]))
    found = Toy().apply(params, x, correction.soft_ablation(units, scores))
    np.testing.assert_allclose(np.asarray(found), h, atol=2e-5)


@pytest.mark.parametrize("samples", [(), (SAMPLES,)], ids=["shared", "per sample"])
@pytest.mark.parametrize("strength", [0.9, 0.35, 0.0])
def test_the_factor_is_exactly_lambda_times_1_minus_ds(samples, strength):
    scores, units = made({"a": 6}, *samples)
    x = RNG.normal(size=(SAMPLES, 2, 2, 6)).astype(np.float32)
    found = np.asarray(correction.soft_ablation(units, scores, strength)["a"](jnp.asarray(x)))
    for n, h, w, c in np.ndindex(x.shape):
        own = (n, c) if samples else (c,)
        factor = np.float32(strength) * (np.float32(1) - scores["a"][own])
        expected = x[n, h, w, c] * factor if units["a"][own] else x[n, h, w, c]
        assert found[n, h, w, c] == expected


def test_lambda_0_is_hard_ablation():
    scores, units = made({"a": 6})
    x = RNG.normal(size=(SAMPLES, 2, 2, 6)).astype(np.float32)
    soft, hard = correction.soft_ablation(units, scores, 0.0), correction.hard_ablation(units)
    found = hard["a"](jnp.asarray(x))
    np.testing.assert_array_equal(soft["a"](jnp.asarray(x)), found)
    np.testing.assert_array_equal(found, np.where(units["a"], 0, x))
    assert int(units["a"].sum()) == 3


def test_lambda_1_without_defects_is_the_identity():
    """Bit for bit; not compiled, because two programs differ in the last bit."""
    models = tiny.models()
    drawn = latents(models.generator, 0, jnp.arange(4))
    styles = jax.jit(models.generator.styles)(models.generator_params, drawn.z, drawn.one_hot)
    zeros = {name: np.zeros(info.channels) for name, info in models.generator.layers.items()}
    units = {name: x == 0 for name, x in zeros.items()}
    given = correction.soft_ablation(units, zeros, 1.0)
    run = models.generator.synthesize
    image, taps = run(models.generator_params, styles)
    same, same_taps = run(models.generator_params, styles, given)
    np.testing.assert_array_equal(image, same)
    for name in taps:
        np.testing.assert_array_equal(taps[name], same_taps[name])


def reach(generator, layers, masks, dilation):
    """What may change in the image [n h w]: 3x3 convolutions, and `dilation` after doubling.

    An image that is the sum of enlarged ones (StyleGAN2's; its filter has 4 taps) adds theirs.
    """
    structure = np.ones((1, 3, 3), bool)
    support = np.zeros((len(masks), 4, 4), bool)
    image = support
    for name, info in generator.layers.items():
        wider = 1
        if len(support[0]) < info.resolution:
            image, support = (x.repeat(2, 1).repeat(2, 2) for x in (image, support))
            image, wider = np.asarray(binary_dilation(image, structure)), dilation
        support = np.asarray(binary_dilation(support, structure, wider))
        if name in layers:
            r = info.resolution
            support |= masks.reshape(-1, r, SIZE // r, r, SIZE // r).any(axis=(2, 4))
        image = np.logical_or(image, support)
    return image if dilation > 1 else support


NETWORKS = {"pggan": (pggan, PGGAN_CONFIG, 1), "stylegan2": (stylegan2, STYLEGAN2_CONFIG, 2)}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_does_not_see_the_mask_is_untouched(name):
    module, config, dilation = NETWORKS[name]
    generator = module.build(config)
    template = jax.eval_shape(lambda: module.init(config, jax.random.key(0)))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), template)
    masks = np.zeros((SAMPLES, SIZE, SIZE), bool)
    masks[0, :2, :2] = masks[1, 13:, 4:6] = True  # nothing in the last sample
    units = {k: np.arange(5) % 2 == 0 for k in ("b0008/conv1", "b0016/conv0")}
    units["b0016/conv0"] = units["b0016/conv0"][: generator.layers["b0016/conv0"].channels]

    @jax.jit
    def run(params, z, masks):
        given = correction.local_correction(units, masks, generator.layers)
        return generator.synthesize(params, generator.styles(params, z), given)[0]

    z = rng.normal(size=(SAMPLES, 5)).astype(np.float32)
    before, after = (np.asarray(run(params, z, x))[..., 0] for x in (masks & False, masks))
    free = np.logical_not(reach(generator, units, masks, dilation))
    assert 0.3 < free[:2].mean() < 0.9
    np.testing.assert_array_equal(after[free], before[free])
    assert (after != before)[:2][masks[:2]].all()
    np.testing.assert_array_equal(after[2], before[2])


def test_the_local_factor_is_what_the_mask_leaves():
    masks = np.zeros((1, SIZE, SIZE), bool)
    masks[0, :4, :6] = True  # of 4x4 pixels per position: one and a half
    units = {"b0004/conv0": np.array([True, False, True, False, False])}
    x = RNG.normal(size=(1, 4, 4, 5)).astype(np.float32)
    found = correction.local_correction(units, jnp.asarray(masks), PGGAN.layers)
    expected = x.copy()
    expected[0, 0, 0, [0, 2]] = 0
    expected[0, 0, 1, [0, 2]] *= 0.5
    np.testing.assert_array_equal(found["b0004/conv0"](jnp.asarray(x)), expected)


def test_the_layers_up_to_the_stopping_layer():
    names = list(PGGAN.layers)
    assert (
        correction.layers_to(PGGAN.layers)
        == names[:6]
        == correction.layers_to(PGGAN.layers, "tousi:6")
    )
    assert correction.layers_to(PGGAN.layers, "b0004/conv0") == names[:1]
    with pytest.raises(InputError, match="no layer 'tousi:7'; the layers are b0004/conv0"):
        correction.layers_to(PGGAN.layers, "tousi:7")


@pytest.mark.parametrize(
    ("share", "units", "number"),
    [(0.2, 512, 102), (0.2, 256, 51), (0.5, 5, 3), (0.0, 9, 0), (0.005, 64, 1), (1.0, 9, 9)],
)
def test_the_number_of_a_share(share, units, number):
    assert correction.number_of_units(share, units) == number


def test_top_units_are_the_largest_and_of_equal_ones_the_first():
    scores = np.array([[0.1, 0.3, 0.3, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = correction.top_units(scores, 2)
    np.testing.assert_array_equal(found, [[0, 1, 1, 0], [1, 1, 0, 0]])
    np.testing.assert_array_equal(correction.top_units(scores[0], 1), [0, 1, 0, 0])


def test_random_units_are_so_many_and_grow():
    drawn = [correction.random_units("b0008/conv0", n, 30, seed=4) for n in (5, 12)]
    assert [x.sum() for x in drawn] == [5, 12]
    assert (drawn[1] | ~drawn[0]).all()
    again = correction.random_units("b0008/conv0", 5, 30, seed=4)
    np.testing.assert_array_equal(again, drawn[0])
    others = [
        correction.random_units(*x) for x in (("b0008/conv1", 5, 30, 4), ("b0008/conv0", 5, 30, 5))
    ]
    assert all((x != drawn[0]).any() for x in others)


def test_given_units():
    np.testing.assert_array_equal(correction.given_units([3, 0], 4), [1, 0, 0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: correction.given_units([1, 4], 4), "no unit 4 in a layer of units 0 to 3"),
        (lambda: correction.given_units([-1], 4), "no unit -1 in a layer of units 0 to 3"),
        (
            lambda: correction.number_of_units(1.2, 4),
            "a share of the units is between 0 and 1, not 1.2",
        ),
        (
            lambda: correction.soft_ablation({}, {}, 1.5),
            "the scaling factor lambda is between 0 and 1, not 1.5",
        ),
        (
            lambda: correction.shrink(jnp.zeros((1, 20, 16), bool), 16),
            "a mask of 20x16 pixels does not divide into 16x16",
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        call()
