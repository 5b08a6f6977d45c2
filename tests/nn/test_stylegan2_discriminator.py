"""The discriminator against stylegan2-ada-pytorch (golden)."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.nn import stylegan2_discriminator
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


def test_class_head_judges_beside_the_score_and_does_not_look_at_the_label():
    with_head = replace(CONFIG, class_head=True)
    params = stylegan2_discriminator.init(with_head, jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (8, 32, 32, 1), minval=-1)
    module = StyleGAN2Discriminator(with_head)
    judge = jax.jit(partial(module.apply, params, method="judge"))
    score, classes = judge(images, jnp.eye(10)[:8])
    _, again = judge(images, jnp.eye(10)[jnp.full(8, 3)])
    assert classes.shape == (8, 10)
    np.testing.assert_array_equal(classes, again)
    head = params["params"]["b0004"].pop("classes")
    assert head["weight"].shape == (CONFIG.channels(4), 10)
    plain = jax.jit(StyleGAN2Discriminator(CONFIG).apply)(params, images, jnp.eye(10)[:8])
    np.testing.assert_allclose(score, plain, rtol=1e-5)


def test_class_head_without_classes_is_refused():
    with pytest.raises(ValueError, match="class_head needs classes, but num_classes is 0"):
        replace(CONFIG, num_classes=0, class_head=True)
