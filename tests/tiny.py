"""A generator of 8x8 images and a linear classifier: real code, small enough for every test."""

import jax
import jax.numpy as jnp

from ganfail_jax.analysis.outputs import Models
from ganfail_jax.nn import stylegan2
from ganfail_jax.types import Classifier

CONFIG = stylegan2.StyleGAN2Config(
    resolution=8,
    img_channels=1,
    num_classes=3,
    z_dim=6,
    w_dim=8,
    mapping_layers=1,
    channel_base=32,
    channel_max=6,
)
CLASS_NAMES = ("a", "b", "c")


def perturb(params, key, scale=0.3):
    """Initial biases and noise strengths are zero: move every parameter, so that all matter."""
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    moved = [x + scale * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(treedef, moved)


def linear_classifier(image_shape=(8, 8, 1), num_classes=3, names=CLASS_NAMES):
    """Logits are dot products of the image with one template per class."""

    def features(params, images):
        return images

    def head(params, features):
        return features.reshape(len(features), -1) @ params

    size = image_shape[0] * image_shape[1] * image_shape[2]
    templates = jax.random.normal(jax.random.key(5), (size, num_classes)) * 0.2
    return Classifier(image_shape, num_classes, names, features, head), templates


def models(config=CONFIG) -> Models:
    params = jax.jit(perturb)(stylegan2.init(config, jax.random.key(1)), jax.random.key(2))
    return Models(stylegan2.build(config), params, *linear_classifier())


def cast(params, dtype):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), params)
