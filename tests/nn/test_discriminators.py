"""What both discriminators promise as `types.Discriminator`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.nn import pggan_discriminator, stylegan2_discriminator
from tests.training.tiny_gan import CONDITIONAL, GROWING

CASES = [
    pytest.param(stylegan2_discriminator, CONDITIONAL.discriminator, id="stylegan2"),
    pytest.param(pggan_discriminator, GROWING.discriminator, id="pggan"),
]


def drawn(network, config):
    template = jax.eval_shape(lambda: network.init(config, jax.random.key(0)))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), template)
    return params, jnp.asarray(rng.normal(size=(6, 8, 8, 1)), jnp.float32)


@pytest.mark.parametrize(("network", "config"), CASES)
def test_a_score_does_not_depend_on_the_batch(network, config):
    params, images = drawn(network, config)
    discriminator, labels = network.build(config), jnp.eye(3)[jnp.arange(6) % 3]
    assert discriminator.image_shape == (8, 8, 1)
    assert discriminator.num_classes == 3
    score = jax.jit(discriminator.score)
    together = np.asarray(score(params, images, labels))
    alone = [score(params, images[i : i + 1], labels[i : i + 1]) for i in range(6)]
    spread = np.ptp(together)
    assert spread > 0
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4 * spread)


@pytest.mark.parametrize(("network", "config"), CASES)
def test_a_score_is_the_networks_own_for_copies_of_the_image(network, config):
    """In a group of copies nothing varies either, so training's grouping gives the same."""
    params, images = drawn(network, config)
    discriminator, label = network.build(config), jnp.eye(3)[:1]
    copies = jnp.repeat(images[:1], config.group_size, axis=0)
    if network is pggan_discriminator:
        module = pggan_discriminator.PGGANDiscriminator(config)
        own = jax.jit(module.apply)(params, copies)[0]
    else:
        module = stylegan2_discriminator.StyleGAN2Discriminator(config)
        own = jax.jit(module.apply)(params, copies, jnp.repeat(label, config.group_size, axis=0))
    single = jax.jit(discriminator.score)(params, images[:1], label)
    np.testing.assert_allclose(np.repeat(single, config.group_size), own, rtol=1e-4)


def test_the_label_is_asked_for_where_the_score_depends_on_it():
    params, images = drawn(stylegan2_discriminator, CONDITIONAL.discriminator)
    discriminator = stylegan2_discriminator.build(CONDITIONAL.discriminator)
    with pytest.raises(ValueError, match="wants one-hot labels of 3 classes as label"):
        discriminator.score(params, images, None)
