"""A generator of 8x8 images and a linear classifier: real code, small enough for every test."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

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


def random_variables(config, seed=1):
    """Variables where every parameter matters: biases and noise strengths start at zero otherwise.

    Those of tRGB are small, so that most pixels lie within [-1, 1], those of the mapping as large
    as its learning rate is small, so that samples differ by more than a level of 8 bits. Drawn by
    numpy, because compiling Flax's own initialisation takes seconds.
    """
    template = jax.eval_shape(lambda: stylegan2.init(config, jax.random.key(0)))
    rng = np.random.default_rng(seed)

    def draw(path, x):
        scales = {"torgb": 0.3, "fc0": 100}
        scale = scales.get(path[-2].key, 1)
        return jnp.asarray(scale * rng.normal(size=x.shape), x.dtype)

    return jax.tree_util.tree_map_with_path(draw, template)


def linear_classifier(image_shape=(8, 8, 1), num_classes=3, names=CLASS_NAMES):
    """Logits are dot products of the image with one template per class."""

    def features(params, images):
        return images

    def head(params, features):
        return features.reshape(len(features), -1) @ params

    size = image_shape[0] * image_shape[1] * image_shape[2]
    rng = np.random.default_rng(5)
    templates = jnp.asarray(rng.normal(size=(size, num_classes)) * 0.2, jnp.float32)
    return Classifier(image_shape, num_classes, names, features, head), templates


@functools.cache
def models(config=CONFIG) -> Models:
    return Models(stylegan2.build(config), random_variables(config), *linear_classifier())


def cast(params, dtype):
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), params)
