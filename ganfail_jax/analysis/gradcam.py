"""Where is what makes a classifier call an image an artifact? (Tousi 2021, sec. 3.2, fig. 5)

Grad-CAM (Selvaraju et al. 2017, eq. 1 and 2) on the last feature map A, by the class's logit y:
alpha_c is the mean over the positions of dy / dA_c, the map is ReLU(sum_c alpha_c A_c).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax.analysis.outputs import logit_score
from ganfail_jax.errors import InputError
from ganfail_jax.types import Classifier, Params

THRESHOLD = 0.15  # of the maximum: Selvaraju et al. 2017, sec. 4.1; Tousi 2021 gives none


def enlarge(
    maps: Float[Array | np.ndarray, "*n h w"], height: int, width: int
) -> Float[Array, "*n {height} {width}"]:
    """Bilinear, from pixel centre to pixel centre; constant beyond the outermost centres."""
    return jax.image.resize(maps, (*maps.shape[:-2], height, width), "bilinear")


def coarse_map(
    classifier: Classifier,
    params: Params,
    images: Float[Array, "b h w c"],
    target: Int[Array, " b"],
) -> Float[Array, "b _ _"]:
    """ReLU(sum_c alpha_c A_c) of each image for its target class, of the size of A.

    Raises:
        InputError: the classifier has no feature map.
    """
    features = classifier.feature_map(params, images)
    gradient = jax.grad(lambda a: jnp.sum(logit_score(classifier.head(params, a), target)))
    alpha = jnp.mean(gradient(features), axis=(1, 2))
    return jax.nn.relu(jnp.einsum("bc,bhwc->bhw", alpha, features, precision="highest"))


def grad_cam(
    classifier: Classifier,
    params: Params,
    images: Float[Array, "b h w c"],
    target: Int[Array, " b"],
) -> Float[Array, "b h w"]:
    """The map in the size of the images, over its maximum: in [0, 1].

    A map without anything above zero stays zero, and so does what the classifier does not see.
    """
    rows, columns = classifier.margins
    height, width = images.shape[1] - 2 * rows, images.shape[2] - 2 * columns
    maps = enlarge(coarse_map(classifier, params, images, target), height, width)
    largest = jnp.max(maps, axis=(1, 2), keepdims=True)
    maps = jnp.where(largest > 0, maps / jnp.where(largest > 0, largest, 1), 0)
    return jnp.pad(maps, ((0, 0), (rows, rows), (columns, columns)))


def pseudo_mask(maps: Float[Array, "b h w"], threshold: float = THRESHOLD) -> Bool[Array, "b h w"]:
    """L_a(x): where a map of `grad_cam` is above the threshold.

    Raises:
        InputError: no map can be above it.
    """
    if not 0 <= threshold < 1:
        raise InputError(f"a mask's threshold is at least 0 and less than 1, not {threshold}")
    return maps > threshold
