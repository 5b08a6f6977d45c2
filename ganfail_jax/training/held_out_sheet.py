"""Which artifacts does a classifier find and miss, and where does it look? (Tousi 2021, fig. 5)"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import softmax

from ganfail_jax.analysis.gradcam import grad_cam, pseudo_mask
from ganfail_jax.data.image_sets import Images
from ganfail_jax.images import to_float
from ganfail_jax.runtime import in_batches
from ganfail_jax.training.artifact_classifier import ARTIFACT, NORMAL
from ganfail_jax.types import Classifier, Params

KINDS = ("found", "missed", "false")  # artifacts called so and not, normal ones called artifacts
SHOWN = 10  # images of each kind


def sheet(
    network: Classifier,
    params: Params,
    images: Images,
    labels: Int[np.ndarray, " n"],
    logits: Float[np.ndarray, "h k"],
    places: Int[np.ndarray, " h"],
) -> dict[str, np.ndarray]:
    """Of each of KINDS the surest: <kind>_images, _masks (L_a), _places and _scores.

    Args:
        labels: of all images.
        logits: of the held-out ones.
        places: theirs among the images.
    """

    @jax.jit
    def masks(params: Params, x: Float[Array, "b h w c"]) -> Bool[Array, "b h w"]:
        target = jnp.full(len(x), ARTIFACT, jnp.int32)
        return pseudo_mask(grad_cam(network, params, x, target))

    own, score = labels[places], softmax(logits, axis=1)[:, ARTIFACT]
    called = logits.argmax(axis=1) == ARTIFACT
    artifact, normal = own == ARTIFACT, own == NORMAL
    masks_of_kinds = (artifact & called, artifact & ~called, normal & called)
    arrays = {}
    for kind, mine in zip(KINDS, masks_of_kinds, strict=True):
        rows = np.flatnonzero(mine)
        order = score[rows] if kind == "missed" else -score[rows]
        rows = rows[np.argsort(order, kind="stable")][:SHOWN]
        pixels = np.zeros((0, *images.shape[1:]), np.uint8)
        if len(rows):
            pixels = images.take(places[rows])
        arrays[f"{kind}_images"] = pixels
        arrays[f"{kind}_masks"] = in_batches(lambda x: masks(params, to_float(x)), SHOWN, pixels)
        arrays[f"{kind}_places"], arrays[f"{kind}_scores"] = places[rows], score[rows]
    return arrays
