"""What does each correction do to a batch of samples? The rows of Tousi 2021, fig. 14 and table 2.

random, fid, ds and manual set units of one layer, the stopping layer, to zero: random ones, those
of the highest FID (sec. 3.1), those of the largest defective score (sec. 3.2), given ones (fig. 9).
Section 5.2 does not say at which layers its rows "random", "FID" and "DS" act; fig. 6 and 9 to 11
ablate one layer. sequential multiplies the units of the largest DS at all layers up to the stopping
layer by lambda (1 - DS) (algorithm 1), local by 1 - L_a(x) of the sample itself (sec. 4.2).
What goes by DS leaves units of DS 0 alone: they do not meet the artifacts' masks.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax.analysis.correction import (
    STRENGTH,
    Scores,
    given_units,
    hard_ablation,
    local_correction,
    random_units,
    soft_ablation,
    top_units,
)
from ganfail_jax.analysis.defects import Order, Values, artifact_masks, normalize, sample_scores
from ganfail_jax.analysis.gradcam import THRESHOLD
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.errors import InputError
from ganfail_jax.latents import generate
from ganfail_jax.types import LayerInfo


class Method(NamedTuple):
    """Which units are corrected, where, and how."""

    by: Literal["random", "fid", "ds", "manual"]  # what chooses the units of a layer
    sequential: bool  # at every layer up to the stopping layer, or at that one alone
    factor: Literal["zero", "soft", "mask"]  # 0, lambda (1 - DS), 1 - L_a(x)


METHODS = {
    "random": Method("random", False, "zero"),
    "fid": Method("fid", False, "zero"),
    "ds": Method("ds", False, "zero"),
    "sequential": Method("ds", True, "soft"),
    "local": Method("ds", True, "mask"),
    "manual": Method("manual", False, "zero"),
}


class Setting(NamedTuple):
    """What methods need to know beside a sample."""

    layers: Mapping[str, LayerInfo]  # from the first to the stopping layer
    numbers: Mapping[str, int]  # of corrected units in each of them, at most
    scores: Scores  # DS of every unit, over the largest of its layer; empty: each sample's own
    unit_fid: Values  # of the units of the stopping layer
    manual: Sequence[int] = ()  # units of the stopping layer
    strength: float = STRENGTH  # lambda
    seed: int = 0  # of random units
    draw: int = 0  # of several draws of random units

    def inspects(self, method: Method) -> bool:
        """Whether a method needs to inspect the uncorrected samples."""
        return method.factor == "mask" or (method.by == "ds" and not self.scores)


class Inspection(NamedTuple):
    """Uncorrected samples, as the artifact classifier sees them. k: its classes."""

    images: Float[Array, "b h w c"]  # in [-1, 1]
    logits: Float[Array, "b k"]
    masks: Bool[Array, "b h w"]  # L_a(x)
    scores: Scores  # DS of every unit for each sample [b,c] (sec. 5.4), over the layer's largest


def inspector(
    models: Models,
    artifact: int,
    seed: int,
    mask_threshold: float = THRESHOLD,
    order: Order = "threshold_then_upsample",
) -> Callable[[Any, Values, Int[np.ndarray, " b"]], Inspection]:
    """Compiled: (parameters of the models, T_u of each layer, sample indices) -> Inspection.

    Args:
        artifact: the classifier's class.
        mask_threshold, order: of `defects`.
    """

    @jax.jit
    def inspect(params: Any, thresholds: Values, indices: Array) -> Inspection:
        here = models.with_params(params)
        images, taps = generate(here.generator, here.generator_params, seed, indices)
        masks = artifact_masks(here, images, artifact, mask_threshold)
        scores = sample_scores(taps, thresholds, masks, order)
        logits = here.classifier.logits(here.classifier_params, images)
        return Inspection(images, logits, masks, {name: normalize(x) for name, x in scores.items()})

    return inspect


def correct(
    method: Method, setting: Setting, inspection: Inspection | None = None
) -> dict[str, Partial]:
    """The edits of a batch of samples.

    Args:
        inspection: of these samples, where `setting.inspects(method)`; its masks are of the
            uncorrected images: one pass before the correction is enough.

    Raises:
        InputError: all scores of a layer, over all artifacts, are 0.
    """
    layers = list(setting.layers) if method.sequential else list(setting.layers)[-1:]
    scores = setting.scores or (inspection.scores if inspection is not None else {})
    units = {layer: _units(method, setting, scores, layer) for layer in layers}
    if method.factor == "zero":
        return hard_ablation(units)
    if method.factor == "soft":
        return soft_ablation(units, scores, setting.strength)
    assert inspection is not None
    return local_correction(units, inspection.masks, setting.layers)


def _units(
    method: Method, setting: Setting, scores: Scores, layer: str
) -> Bool[Array | np.ndarray, "*s _"]:
    number, size = setting.numbers[layer], setting.layers[layer].channels
    if method.by == "random":
        return random_units(layer, number, size, setting.seed, setting.draw)
    if method.by == "manual":
        return given_units(setting.manual, size)
    if method.by == "fid":
        return top_units(setting.unit_fid[layer], number)
    meets = jnp.asarray(scores[layer]) > 0
    if setting.scores and not meets.any():
        raise InputError(
            f"no unit of layer {layer} meets the artifacts' masks: all its defective scores are 0; "
            "other layers, a larger tau, a lower mask threshold or more labelled artifacts may help"
        )
    return top_units(scores[layer], number) & meets
