"""Which units of a generator draw the artifacts? The defective score (Tousi 2021, definition 1)

DS of a unit is the mean over artifact images of the IoU of two regions: where the unit is active
(A_u > T_u, `quantiles`), and where the classifier sees the artifact (L_a(x), `gradcam`).
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.accumulate import batch_moments, merge_moments, standard_error
from ganfail_jax.analysis.gradcam import THRESHOLD, enlarge, grad_cam, pseudo_mask
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.errors import InputError
from ganfail_jax.latents import latents
from ganfail_jax.types import Activations

AT_ONCE = 2**20  # pixels of an image's enlarged maps
Order = Literal["threshold_then_upsample", "upsample_then_threshold"]
Values = Mapping[str, Float[Array | np.ndarray, " _"]]  # of each unit of each layer


class Defects(NamedTuple):
    """Scores of every unit of each layer, over `num_samples` artifact images."""

    scores: Mapping[str, Float[np.ndarray, " _"]]  # DS, in [0, 1]
    standard_errors: Mapping[str, Float[np.ndarray, " _"]]
    num_samples: int


def active_region(
    maps: Float[Array, "*n h w"],
    threshold: Float[Array, "*n"],
    height: int,
    width: int,
    order: Order,
) -> Bool[Array, "*n {height} {width}"]:
    """Where maps are above their thresholds, enlarged bilinearly to the size of an image.

    Args:
        order: threshold_then_upsample is the paper's text (sec. 3.2); the enlarged region is made
            one of yes and no again at 1/2. upsample_then_threshold is GAN Dissection's.
    """
    limit = threshold[..., None, None]
    if order == "upsample_then_threshold":
        return enlarge(maps, height, width) > limit
    return enlarge((maps > limit).astype(jnp.float32), height, width) > 0.5


def sample_scores(
    activations: Activations,
    thresholds: Values,
    masks: Bool[Array, "b h w"],
    order: Order = "threshold_then_upsample",
) -> dict[str, Float[Array, "b _"]]:
    """The IoU of every unit's region with the mask, for each sample by itself (sec. 5.4).

    0 where both regions are empty.

    Args:
        activations: of layers that include those of `thresholds`.
    """

    def unit(own: tuple[Array, Array]) -> Float[Array, " b"]:
        maps, threshold = own
        limits = jnp.broadcast_to(threshold, len(maps))
        region = active_region(maps, limits, masks.shape[1], masks.shape[2], order)
        both, either = (jnp.sum(x, axis=(1, 2)) for x in (region & masks, region | masks))
        return both / jnp.maximum(either, 1)

    def layer(maps: Float[Array, "b h w c"], limits: Float[Array, " c"]) -> Float[Array, "b c"]:
        together = max(1, AT_ONCE // masks[0].size)
        units = jnp.einsum("bhwc->cbhw", maps), limits
        return lax.map(unit, units, batch_size=together).T

    return {name: layer(activations[name], jnp.asarray(x)) for name, x in thresholds.items()}


def normalize(scores: Float[Array | np.ndarray, "*b c"]) -> Float[Array, "*b c"]:
    """Scores of one layer over the largest of them, so that they reach from 0 to 1 (sec. 4).

    The paper does not say how; a unit that never meets the mask stays at 0, as do scores all of 0.
    """
    largest = jnp.max(scores, axis=-1, keepdims=True)
    return jnp.where(largest > 0, scores / jnp.where(largest > 0, largest, 1), 0)


def artifact_masks(
    models: Models, images: Float[Array, "b h w c"], artifact: int, threshold: float = THRESHOLD
) -> Bool[Array, "b h w"]:
    """L_a(x) of images.

    Args:
        artifact: the classifier's class of them.
        threshold: of `gradcam.pseudo_mask`.
    """
    target = jnp.full(len(images), artifact)
    maps = grad_cam(models.classifier, models.classifier_params, images, target)
    return pseudo_mask(maps, threshold)


def defective_scores(
    models: Models,
    thresholds: Values,
    indices: Int[np.ndarray, " n"],
    *,
    artifact: int,
    batch_size: int,
    mesh: Mesh,
    seed: int = 0,
    mask_threshold: float = THRESHOLD,
    order: Order = "threshold_then_upsample",
    checkpoint: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    progress: str | None = None,
) -> Defects:
    """DS of the units of the layers that have thresholds, over the artifact images X_a.

    Args:
        indices: of the samples that are X_a, all generated with one seed.
        artifact: the classifier's class of them.
        checkpoint, identity, progress: see `runtime.sweep`.

    Raises:
        InputError: X_a is empty.
    """
    if not len(indices):
        raise InputError("there are no artifact images to score units by")
    generator = models.generator
    limits = {name: jnp.asarray(values) for name, values in thresholds.items()}

    @jax.jit
    def step(args: Any, positions: Array, mask: Array) -> Any:
        params, limits, chosen = args
        here = models.with_params(params)
        drawn = latents(generator, seed, chosen[jnp.minimum(positions, len(chosen) - 1)])
        styles = generator.styles(here.generator_params, drawn.z, drawn.one_hot)
        images, taps = generator.synthesize(here.generator_params, styles)
        masks = artifact_masks(here, images, artifact, mask_threshold)
        weights = mask[:, None].astype(jnp.float32)
        found = sample_scores(taps, limits, masks, order)
        return {name: batch_moments(each, weights) for name, each in found.items()}

    arguments = runtime.replicate(mesh, (models.params, limits, np.asarray(indices, np.int32)))
    total = runtime.sweep(
        partial(step, arguments),
        lambda a, b: {name: merge_moments(a[name], b[name]) for name in a},
        len(indices),
        batch_size,
        mesh=mesh,
        checkpoint=checkpoint,
        identity={
            "seed": seed,
            "indices": [int(i) for i in indices],
            "artifact": artifact,
            "mask_threshold": mask_threshold,
            "order": order,
            **(identity or {}),
        },
        progress=progress,
    )
    return Defects(
        {name: np.asarray(total[name].mean[0], np.float64) for name in limits},
        {name: standard_error(total[name])[0] for name in limits},
        len(indices),
    )
