"""PGGAN's own algebra; parity with genforce is in tests/weights/test_importers.py."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate

from ganfail_jax import edits
from ganfail_jax.errors import InputError
from ganfail_jax.nn import pggan, stylegan2
from ganfail_jax.nn.pggan_discriminator import PGGANDiscriminator, PGGANDiscriminatorConfig
from ganfail_jax.types import find_layer

CONFIG = pggan.PGGANConfig(
    resolution=16, img_channels=3, num_classes=0, z_dim=5, channel_base=64, channel_max=6
)


def variables(config=CONFIG):
    rng = np.random.default_rng(1)
    template = jax.eval_shape(lambda: pggan.init(config, jax.random.key(0)))
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), template)


@pytest.fixture(scope="module")
def rendered():
    generator, z = pggan.build(CONFIG), jax.random.normal(jax.random.key(0), (2, 5))
    styles = generator.styles(variables(), z)
    return generator, styles, *jax.jit(generator.synthesize)(variables(), styles)


def test_shapes_and_taps(rendered):
    generator, styles, image, taps = rendered
    assert image.shape == (2, 16, 16, 3)
    assert sorted(taps) == list(generator.layers)
    for name, info in generator.layers.items():
        size = info.resolution
        assert taps[name].shape == (2, size, size, info.channels)
        assert info.channels == min(64 // size, 6)
    assert {name: x.shape for name, x in styles.items()} == {"z": (2, 5)}
    assert generator.style_dims == {"z": 5}
    assert generator.mapping is None


def test_networks_of_1024_px_have_the_papers_number_of_parameters():
    """Table 2: 23.1M in each."""
    generator = pggan.PGGANConfig(1024, 3, 0)
    critic = PGGANDiscriminator(PGGANDiscriminatorConfig(1024, 3, 0))
    images = jnp.zeros((4, 1024, 1024, 3))
    for init in (
        lambda: pggan.init(generator, jax.random.key(0)),
        lambda: critic.init(jax.random.key(0), images),
    ):
        leaves = jax.tree.leaves(jax.eval_shape(init))
        assert round(sum(leaf.size for leaf in leaves) / 1e6, 1) == 23.1


def test_length_of_z_does_not_matter(rendered):
    """Pixel norm on z (up to its epsilon)."""
    generator, styles, image, _ = rendered
    longer = jax.jit(generator.synthesize)(variables(), {"z": 7 * styles["z"]})[0]
    np.testing.assert_allclose(longer, image, rtol=1e-3, atol=1e-3)


def test_upsampling_repeats_every_pixel():
    x = jnp.arange(8.0).reshape(1, 2, 2, 2)
    expected = np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)
    np.testing.assert_array_equal(pggan.upsample_nearest(x), expected)


@pytest.mark.parametrize("size", [4, 6])
def test_convolutions_with_resampling_are_the_two_one_after_the_other(size):
    """Against scipy's convolution in float64."""
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, size, size, 3)), rng.normal(size=(3, 3, 3, 5))

    def convolve(x):
        planes = [
            sum(correlate(image[..., i], kernel[..., i, o], mode="same") for i in range(3))
            for image in x
            for o in range(5)
        ]
        return np.stack(planes).reshape(len(x), 5, *x.shape[1:3]).transpose(0, 2, 3, 1)

    arguments = jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)
    up = convolve(x.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_allclose(pggan.conv2d_upsampled(*arguments), up, atol=2e-5)
    down = convolve(x).reshape(2, size // 2, 2, size // 2, 2, 5).mean(axis=(2, 4))
    np.testing.assert_allclose(pggan.conv2d_downsampled(*arguments), down, atol=2e-5)


def test_discriminator_is_the_papers():
    """NVIDIA's layers by plain formulas in float64, minibatch deviation by hand."""
    config = PGGANDiscriminatorConfig(
        resolution=8, img_channels=3, num_classes=2, channel_base=48, channel_max=16
    )
    images = np.random.default_rng(2).normal(size=(4, 8, 8, 3))
    module = PGGANDiscriminator(config)
    template = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((4, 8, 8, 3))))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), template)
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params["params"])

    def layer(x, name, gain=2**0.5, pool=False):
        weight = p[name]["weight"] * gain / np.sqrt(np.prod(p[name]["weight"].shape[:3]))
        planes = [
            sum(
                correlate(image[..., i], weight[..., i, o], mode="same") for i in range(x.shape[-1])
            )
            for image in x
            for o in range(weight.shape[-1])
        ]
        x = np.stack(planes).reshape(len(x), -1, *x.shape[1:3]).transpose(0, 2, 3, 1)
        if pool:
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).mean(axis=(2, 4))
        return x + p[name]["bias"]

    relu = lambda x: np.where(x > 0, x, 0.2 * x)  # noqa: E731
    x = relu(layer(images, "b0008_fromrgb"))
    x = relu(layer(x, "b0008_conv0"))
    x = relu(layer(x, "b0008_conv1", pool=True))
    assert x.shape == (4, 4, 4, 12)
    deviation = np.sqrt(x.var(axis=0) + 1e-8).mean()  # one group of four
    x = np.concatenate([x, np.full((4, 4, 4, 1), deviation)], axis=-1)
    x = relu(layer(x, "b0004_conv")).reshape(4, 1, 1, -1)
    x = layer(relu(layer(x, "b0004_fc")), "b0004_out", gain=1.0)[:, 0, 0]
    score, classes = jax.jit(module.apply)(params, jnp.asarray(images, jnp.float32))
    np.testing.assert_allclose(score, x[:, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(classes, x[:, 1:], rtol=1e-4, atol=1e-4)


def test_an_edit_acts_at_its_layer_and_after_it(rendered):
    generator, styles, image, taps = rendered
    mask = np.zeros((8, 8, 6), bool)
    mask[2:4, 3] = True
    change = {"b0008/conv0": edits.zero_activated(mask)}
    edited, seen = jax.jit(generator.synthesize)(variables(), styles, change)
    for name in ("b0004/conv0", "b0004/conv1"):
        np.testing.assert_array_equal(seen[name], taps[name])
    inside = np.asarray(seen["b0008/conv0"])[:, mask]
    assert inside.max() <= 0 < np.asarray(taps["b0008/conv0"])[:, mask].max()
    assert (edited != image).any()
    with pytest.raises(ValueError, match=r"unknown layer b0008/torgb; the layers are b0004/conv0"):
        generator.synthesize(variables(), styles, {"b0008/torgb": lambda x: x})


def test_classes_are_a_part_of_the_style():
    config = replace(CONFIG, num_classes=3)
    generator, params = pggan.build(config), variables(config)
    z = jnp.repeat(jax.random.normal(jax.random.key(0), (1, 5)), 3, axis=0)
    styles = generator.styles(params, z, jnp.eye(3))
    assert generator.style_dims == {"z": 5, "label": 3}
    images = np.asarray(jax.jit(generator.synthesize)(params, styles)[0])
    assert (images[0] != images[1]).any()
    total = lambda styles: generator.synthesize(params, styles)[0].sum()  # noqa: E731
    gradient = jax.jit(jax.grad(total))(styles)
    assert float(jnp.abs(gradient["z"]).min()) > 0 == float(jnp.abs(gradient["label"]).max())
    with pytest.raises(ValueError, match="wants one-hot labels of 3 classes as label"):
        generator.styles(params, z)
    with pytest.raises(ValueError, match="wants none as label"):
        pggan.build(CONFIG).styles(variables(), z, jnp.eye(3))


def test_truncation_is_refused():
    generator = pggan.build(CONFIG)
    with pytest.raises(ValueError, match="PGGAN has no truncation: truncation_psi must be 1"):
        generator.styles(variables(), jnp.zeros((1, 5)), None, 0.7)


def test_a_resolution_that_is_no_power_of_two_is_refused():
    with pytest.raises(ValueError, match="resolution is 48, but must be a power of two"):
        pggan.PGGANConfig(resolution=48)


# the papers' index -> the layer
NAMES = [
    (pggan.build(replace(CONFIG, resolution=64, channel_base=256)), "choi:1", "b0004/conv1"),
    (pggan.build(replace(CONFIG, resolution=64, channel_base=256)), "choi:7", "b0032/conv1"),
    (pggan.build(CONFIG), "tousi:6", "b0016/conv1"),
    (pggan.build(CONFIG), "gandissect:layer6", "b0016/conv1"),
    (pggan.build(CONFIG), "genforce:layer5", "b0016/conv1"),
    (stylegan2.build(stylegan2.StyleGAN2Config()), "choi:0", "b0004/conv1"),
    (stylegan2.build(stylegan2.StyleGAN2Config()), "choi:3", "b0016/conv0"),
    (stylegan2.build(stylegan2.StyleGAN2Config()), "choi:5", "b0032/conv0"),
    (stylegan2.build(stylegan2.StyleGAN2Config()), "tousi:6", "b0032/conv0"),
    (stylegan2.build(stylegan2.StyleGAN2Config()), "b16.conv1", "b0016/conv1"),
    (stylegan2.build(stylegan2.StyleGAN2Config()), "b0016/conv1", "b0016/conv1"),
]


@pytest.mark.parametrize(
    ("generator", "name", "tap"), NAMES, ids=lambda x: x if isinstance(x, str) else ""
)
def test_layers_are_found_by_every_name(generator, name, tap):
    assert find_layer(generator.layers, name) == tap


def test_unknown_layer_lists_the_layers():
    with pytest.raises(InputError, match="no layer 'conv7'; the layers are b0004/conv0, b0004/"):
        find_layer(pggan.build(CONFIG).layers, "conv7")


def test_names_are_unique():
    for generator in (pggan.build(CONFIG), stylegan2.build(stylegan2.StyleGAN2Config())):
        names = [n for tap, info in generator.layers.items() for n in (tap, *info.aliases)]
        assert len(names) == len(set(names))
