"""The discriminator against stylegan2-ada-pytorch (golden)."""

import jax
import jax.numpy as jnp

from ganfail_jax.nn.stylegan2_discriminator import (
    StyleGAN2Discriminator,
    StyleGAN2DiscriminatorConfig,
)
from ganfail_jax.weights import nvidia
from tests.goldens import deviation, load, nhwc

CONFIG = StyleGAN2DiscriminatorConfig(channel_base=256, channel_max=16, mapping_layers=2)


def test_logits_and_image_gradients_match_the_reference():
    state, arrays = load("stylegan2_ada_discriminator_cond_gray32")
    module, label = StyleGAN2Discriminator(CONFIG), jnp.asarray(arrays["c"])
    images = jnp.asarray(nhwc(arrays["image"]))
    template = jax.eval_shape(lambda: module.init(jax.random.key(0), images, label))
    params = jax.tree.map(jnp.asarray, nvidia.assign(state, template))
    logits = jax.jit(module.apply)(params, images, label)
    assert deviation(logits, arrays["logits"][:, 0]) < 1e-4
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(jnp.asarray(module.apply(params, x, label)))))(
        images
    )
    assert deviation(gradient, nhwc(arrays["grad_image"])) < 1e-3
