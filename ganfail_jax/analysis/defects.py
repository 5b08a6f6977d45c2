"""Which units of a generator draw the artifacts? The defective score (Tousi 2021, definition 1)

DS of a unit is the mean over artifact images of the IoU of two regions: where the unit is active
(A_u > T_u, `quantiles`), and where the classifier sees the artifact (L_a(x), `gradcam`).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.analysis.gradcam import THRESHOLD, enlarge, grad_cam, pseudo_mask
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.errors import InputError
from ganfail_jax.latents import generate
from ganfail_jax.runtime import Sweep
from ganfail_jax.types import Activations

AT_ONCE = 2**20  # pixels of an image's enlarged maps
Order = Literal["threshold_then_upsample", "upsample_then_threshold"]
ORDERS = get_args(Order)
Values = Mapping[str, Float[Array | np.ndarray, " _"]]  # of each unit of each layer


class Defects(NamedTuple):
    """How every unit of each layer meets the artifacts of n images."""

    samples: Mapping[str, Float[np.ndarray, "n _"]]  # IoU, in [0, 1]
    covered: Float[np.ndarray, " n"]  # the share of each image that its mask covers

    @property
    def scores(self) -> dict[str, Float[np.ndarray, " _"]]:
        """DS."""
        return {name: each.mean(axis=0, dtype=np.float64) for name, each in self.samples.items()}

    @property
    def standard_errors(self) -> dict[str, Float[np.ndarray, " _"]]:
        """Of DS, over the images; NaN of a single one."""
        n = len(next(iter(self.samples.values())))
        if n == 1:
            return {name: np.full(each.shape[1], np.nan) for name, each in self.samples.items()}
        return {
            name: each.std(axis=0, ddof=1, dtype=np.float64) / np.sqrt(n)
            for name, each in self.samples.items()
        }


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
    sweep: Sweep,
    *,
    artifact: int,
    seed: int = 0,
    mask_threshold: float = THRESHOLD,
    order: Order = "threshold_then_upsample",
) -> Defects:
    """DS of the units of the layers that have thresholds, over the artifact images X_a.

    Args:
        indices: of the samples that are X_a, all generated with one seed.
        artifact: the classifier's class of them.

    Raises:
        InputError: X_a is empty.
    """
    if not len(indices):
        raise InputError("there are no artifact images to score units by")
    generator = models.generator
    limits = {name: jnp.asarray(values) for name, values in thresholds.items()}

    @jax.jit
    def step(args: Any, positions: Array) -> Defects:
        params, limits, chosen = args
        here = models.with_params(params)
        own = chosen[jnp.minimum(positions, len(chosen) - 1)]
        images, taps = generate(generator, here.generator_params, seed, own)
        masks = artifact_masks(here, images, artifact, mask_threshold)
        covered = jnp.mean(masks, axis=(1, 2))
        return Defects(sample_scores(taps, limits, masks, order), covered)  # pyright: ignore

    given = models.params, limits, np.asarray(indices, np.int32)
    arguments = runtime.replicate(sweep.mesh, given)
    settings = {
        "seed": seed,
        "indices": [int(i) for i in indices],
        "artifact": artifact,
        "mask_threshold": mask_threshold,
        "order": order,
    }
    scored = runtime.gather(partial(step, arguments), len(indices), sweep, settings)
    return scored._replace(samples={name: scored.samples[name] for name in limits})


class Regions(NamedTuple):
    """Of u units, n images each, and where the mask and the unit are."""

    images: Float[np.ndarray, "u n h w c"]
    masks: Bool[np.ndarray, "u n h w"]
    active: Bool[np.ndarray, "u n h w"]


def regions(
    models: Models,
    units: Sequence[tuple[str, int]],
    thresholds: Values,
    indices: Int[np.ndarray, "u n"],
    *,
    artifact: int,
    seed: int = 0,
    mask_threshold: float = THRESHOLD,
    order: Order = ORDERS[0],
) -> Regions:
    """The regions whose overlap the defective score measures, to look at (fig. 1).

    Args:
        units: layer and number of each.
        indices: of the samples to look at, for each unit.
        thresholds, artifact, mask_threshold, order: as for `defective_scores`.
    """

    @jax.jit
    def find(params: Any, own: Array) -> tuple[Array, Array, Array]:
        here = models.with_params(params)
        images, taps = generate(models.generator, here.generator_params, seed, own)
        height, width = images.shape[1:3]
        active = []
        for layer, unit in units:
            limit = jnp.full(len(own), thresholds[layer][unit])
            active.append(active_region(taps[layer][..., unit], limit, height, width, order))
        masks = artifact_masks(here, images, artifact, mask_threshold)
        return images, masks, jnp.stack(active)

    rows = [jax.device_get(find(models.params, own)) for own in indices.astype(np.int32)]
    return Regions(
        np.stack([images for images, _, _ in rows]),
        np.stack([masks for _, masks, _ in rows]),
        np.stack([active[unit] for unit, (_, _, active) in enumerate(rows)]),
    )
