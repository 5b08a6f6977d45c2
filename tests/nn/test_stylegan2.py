"""StyleGAN2 against stylegan2-ada-pytorch (goldens) and its own algebra.

Tolerances: 1e-4 standard deviations for values, 1e-3 for gradients: float32 sums in another order.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.latents import latents
from ganfail_jax.nn import stylegan2
from ganfail_jax.types import dimension_names, flatten_styles, unflatten_styles
from ganfail_jax.weights import nvidia
from tests.goldens import deviation, load, nhwc, our_name
from tests.tiny import CONFIG, models, random_variables

SMALL = stylegan2.StyleGAN2Config(z_dim=24, w_dim=20, channel_max=16)
CONFIGS = {
    "stylegan2_ada_cond_gray32": replace(
        SMALL, resolution=32, num_classes=10, img_channels=1, mapping_layers=2, channel_base=256
    ),
    "stylegan2_ada_uncond_rgb64": replace(
        SMALL, resolution=64, num_classes=0, img_channels=3, mapping_layers=8, channel_base=512
    ),
}


@pytest.fixture(scope="module", params=CONFIGS)
def golden(request):
    config = CONFIGS[request.param]
    state, arrays = load(request.param)
    template = jax.eval_shape(lambda: stylegan2.init(config, jax.random.key(0)))
    params = jax.tree.map(jnp.asarray, nvidia.assign(state, template))
    label = jnp.asarray(arrays["c"]) if config.num_classes else None
    return stylegan2.build(config), params, jnp.asarray(arrays["z"]), label, arrays


def test_w_matches_the_reference_and_is_truncated_towards_its_average(golden):
    generator, params, z, label, arrays = golden
    mapping = jax.jit(generator.mapping)
    assert deviation(mapping(params, z, label), arrays["w"]) < 1e-4
    average = np.broadcast_to(params["buffers"]["w_avg"], arrays["w"].shape)
    np.testing.assert_array_equal(mapping(params, z, label, 0.0), average)
    halfway = (average + arrays["w"]) / 2
    assert deviation(mapping(params, z, label, 0.5), halfway) < 1e-4


def test_styles_match_the_reference(golden):
    generator, params, z, label, arrays = golden
    styles = jax.jit(generator.styles)(params, z, label)
    reference = {our_name(k[6:]): v for k, v in arrays.items() if k.startswith("style/")}
    assert set(styles) == set(reference)
    for name, values in reference.items():
        assert deviation(styles[name], values) < 1e-4, name


def test_activations_and_image_match_the_reference(golden):
    generator, params, z, label, arrays = golden
    image, taps = jax.jit(generator.synthesize)(params, generator.styles(params, z, label))
    reference = {our_name(k[11:]): nhwc(v) for k, v in arrays.items() if k[:11] == "activation/"}
    assert list(generator.layers) == sorted(taps) == sorted(reference)
    for name, values in reference.items():
        assert deviation(taps[name], values) < 1e-4, name
    assert deviation(image, nhwc(arrays["image"])) < 1e-4


def test_truncated_and_noiseless_images_match_the_reference(golden):
    generator, params, z, label, arrays = golden

    @jax.jit
    def images(params):
        truncated = generator.styles(params, z, label, 0.5, 4)
        plain = generator.styles(params, z, label)
        noiseless = generator.with_noise("none").synthesize(params, plain)[0]
        return generator.synthesize(params, truncated)[0], noiseless

    truncated, noiseless = images(params)
    assert deviation(truncated, nhwc(arrays["image_trunc_psi0.5_cutoff4"])) < 1e-4
    assert deviation(noiseless, nhwc(arrays["image_noise_none"])) < 1e-4


def test_style_gradients_match_the_reference(golden):
    """At the reference's own styles: a last-bit difference may flip a leaky ReLU near zero."""
    generator, params, _, _, arrays = golden
    probe = nhwc(arrays["grad/probe"])
    names = {our_name(k[6:]): k[6:] for k in arrays if k.startswith("style/")}
    styles = {name: jnp.asarray(arrays[f"style/{theirs}"]) for name, theirs in names.items()}
    gradient = jax.grad(lambda styles: jnp.sum(generator.synthesize(params, styles)[0] * probe))
    ours = jax.jit(gradient)(styles)
    for name, theirs in names.items():
        assert deviation(ours[name], arrays[f"grad/style/{theirs}"]) < 1e-3, name


SIZES = [  # resolution, channel_base, dimensions of S, of which tRGB, layers, num_ws
    (1024, 32768, 9088, 3040, 26, 18),
    (256, 32768, 8704, None, 20, 14),
    (32, 16384, 5632, None, 11, 8),
]


@pytest.mark.parametrize(("resolution", "base", "total", "torgb", "layers", "num_ws"), SIZES)
def test_style_space_has_the_published_size(resolution, base, total, torgb, layers, num_ws):
    config = stylegan2.StyleGAN2Config(resolution=resolution, channel_base=base)
    dims = stylegan2.style_dims(config)
    assert (sum(dims.values()), len(dims), config.num_ws) == (total, layers, num_ws)
    if torgb is not None:
        assert sum(size for name, size in dims.items() if name.endswith("torgb")) == torgb


def test_style_vector_round_trip_and_names():
    tiny = models()
    dims = tiny.generator.style_dims
    vector = jnp.arange(2.0 * sum(dims.values())).reshape(2, -1)
    np.testing.assert_array_equal(flatten_styles(unflatten_styles(vector, dims), dims), vector)
    names = dimension_names(dims)
    assert len(names) == len(set(names)) == vector.shape[1]
    assert names[0] == "b0004/conv1[0]"
    with pytest.raises(ValueError, match=f"of 3 dimensions, but S has {vector.shape[1]}"):
        unflatten_styles(jnp.zeros((1, 3)), dims)


def test_unused_layers_cost_nothing():
    config = stylegan2.StyleGAN2Config(
        resolution=32, z_dim=8, w_dim=8, mapping_layers=1, channel_base=512, channel_max=16
    )
    generator = stylegan2.build(config)
    params = jax.eval_shape(lambda: stylegan2.init(config, jax.random.key(0)))
    styles = {
        name: jax.ShapeDtypeStruct((2, n), "float32") for name, n in generator.style_dims.items()
    }

    def flops(what):
        return jax.jit(what).lower(params, styles).compile().cost_analysis()["flops"]  # pyright: ignore

    image = flops(lambda p, s: generator.synthesize(p, s)[0])
    early = flops(lambda p, s: jnp.sum(generator.synthesize(p, s)[1]["b0004/conv1"] > 0, axis=0))
    assert early < image / 20


def test_noise_modes():
    """Noise is added in every layer: const the planes of the weights, random other ones."""
    tiny = models()
    drawn = latents(tiny.generator, 0, jnp.arange(2))
    styles = tiny.generator.styles(tiny.generator_params, drawn.z, drawn.one_hot)
    keys = jax.random.split(jax.random.key(0), 4).reshape(2, 2)

    def taps(noise, keys=None):
        generator = tiny.generator.with_noise(noise)
        run = jax.jit(lambda p, s, k: generator.synthesize(p, s, None, k)[1])
        return jax.device_get(run(tiny.generator_params, styles, keys))

    found = [taps("const"), taps("none"), taps("random", keys[0]), taps("random", keys[1])]
    for name in tiny.generator.layers:
        for i, one in enumerate(found):
            for other in found[:i]:
                assert not np.isclose(one[name], other[name], atol=1e-3).all()
    np.testing.assert_array_equal(taps("random", keys[0])["b0008/conv1"], found[2]["b0008/conv1"])
    with pytest.raises(ValueError, match="random noise needs a key for each sample"):
        taps("random")
    with pytest.raises(ValueError, match="1 noise keys for 2 samples"):
        taps("random", keys[0, :1])


def test_random_noise_is_that_of_the_samples_key_in_every_layer():
    """With noise alone: 0.3 * noise, leaky ReLU, gain, of a layer whose weights are zero."""
    generator = models().generator.with_noise("random")
    zero = jax.tree.map(jnp.zeros_like, models().generator_params)
    zero = jax.tree_util.tree_map_with_path(
        lambda path, x: x + 0.3 if path[-1].key == "noise_strength" else x, zero
    )
    styles = {name: jnp.zeros((3, n)) for name, n in generator.style_dims.items()}
    keys = jax.random.split(jax.random.key(5), 3)
    _, taps = jax.jit(lambda p, s, k: generator.synthesize(p, s, None, k))(zero, styles, keys)
    for number, (name, info) in enumerate(generator.layers.items()):
        plane = (info.resolution, info.resolution, 1)
        for key, found in zip(keys, taps[name], strict=True):
            layer = jax.random.fold_in(key, (0, 3, 2)[number])
            noise = 0.3 * np.asarray(jax.random.normal(layer, plane))
            expected = np.sqrt(2) * np.maximum(noise, 0.2 * noise)
            np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-5)


def test_bfloat16_compute_stays_close_and_returns_float32():
    tiny = models()
    half = stylegan2.build(replace(CONFIG, dtype="bfloat16"))
    drawn = latents(tiny.generator, 0, jnp.arange(4))
    styles = tiny.generator.styles(tiny.generator_params, drawn.z, drawn.one_hot)
    image = jax.jit(tiny.generator.synthesize)(tiny.generator_params, styles)[0]
    rough, taps = jax.jit(half.synthesize)(tiny.generator_params, styles)
    assert rough.dtype == jnp.float32
    assert taps["b0008/conv1"].dtype == jnp.bfloat16
    # bfloat16 keeps 8 bits: a few per cent after five layers
    assert 0 < deviation(np.asarray(rough), np.asarray(image)) < 0.1


def test_convolutions_are_clamped_after_their_gain():
    """stylegan2-ada-pytorch clamps what leaves a layer at conv_clamp itself."""
    config = replace(CONFIG, conv_clamp=0.25)
    generator, params = stylegan2.build(config), random_variables(config)
    styles = generator.styles(params, jnp.ones((2, 6)), jnp.eye(3)[:2])
    _, taps = generator.synthesize(params, styles)
    for values in taps.values():
        assert float(jnp.abs(values).max()) == 0.25


def test_a_label_is_asked_for_or_refused():
    tiny = models()
    z = jnp.zeros((1, CONFIG.z_dim))
    assert tiny.generator.mapping is not None
    for function in (tiny.generator.styles, tiny.generator.mapping):
        with pytest.raises(ValueError, match="wants one-hot labels of 3 classes as label"):
            function(tiny.generator_params, z)
    with pytest.raises(ValueError, match="wants none as label"):
        stylegan2.build(replace(CONFIG, num_classes=0)).styles(
            tiny.generator_params, z, jnp.zeros((1, 3))
        )


def test_a_resolution_that_is_no_power_of_two_is_refused():
    with pytest.raises(ValueError, match="resolution is 48, but must be a power of two"):
        stylegan2.StyleGAN2Config(resolution=48)
