"""What does an image look like without the units that draw artifacts? (Tousi 2021, sec. 3.2 and 4)

An edit is two choices: the units of each layer (those of the largest defective scores, given ones,
random ones), and what they are multiplied by (lambda (1 - DS), zero, or 1 - L_a(x) where the
artifact is). Edits of one layer are single-layer ablation (fig. 6, 9-11), of all layers up to a
stopping layer sequential correction (algorithm 1).
"""

import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Num

from ganfail_jax import edits
from ganfail_jax.errors import InputError
from ganfail_jax.types import LayerInfo, find_layer

STOP = "tousi:6"  # l, n and lambda of sec. 5
SHARE = 0.2
STRENGTH = 0.9

Units = Mapping[str, Bool[Array | np.ndarray, "*b _"]]  # of each layer, for all or each sample
Scores = Mapping[str, Float[Array | np.ndarray, "*b _"]]


def layers_to(layers: Mapping[str, LayerInfo], stop: str = STOP) -> list[str]:
    """The layers from the first to the stopping layer l, which is corrected too (sec. 4).

    Algorithm 1 by the letter, k = 0 to l, corrects l + 1 as well: name that layer.
    """
    names = list(layers)
    return names[: names.index(find_layer(layers, stop)) + 1]


def number_of_units(share: float, units: int) -> int:
    """The whole number nearest to a share of a layer's units; halves are rounded up.

    Of a share above 0 at least one, so that no correction silently does nothing.

    Raises:
        InputError: it is not a share.
    """
    if not 0 <= share <= 1:
        raise InputError(f"a share of the units is between 0 and 1, not {share}")
    return max(int(share > 0), int(Fraction(str(share)) * units + Fraction(1, 2)))


def top_units(scores: Num[Array | np.ndarray, "*b c"], number: int) -> Bool[Array, "*b c"]:
    """The units with the largest scores; of equal ones the first."""
    order = jnp.argsort(-jnp.asarray(scores), axis=-1, stable=True)
    return jnp.argsort(order, axis=-1) < number


def given_units(units: Sequence[int], size: int) -> Bool[np.ndarray, " c"]:
    """Units by their numbers, in a layer of `size`.

    Raises:
        InputError: there is no such unit.
    """
    if unknown := [u for u in units if not 0 <= u < size]:
        raise InputError(f"no unit {unknown[0]} in a layer of units 0 to {size - 1}")
    chosen = np.zeros(size, bool)
    chosen[list(units)] = True
    return chosen


def random_units(
    layer: str, number: int, size: int, seed: int, draw: int = 0
) -> Bool[np.ndarray, " c"]:
    """Random units of a layer of `size`; of one draw, more of them include the fewer."""
    stream = [seed, zlib.crc32(layer.encode()), draw][: 3 if draw else 2]
    order = np.random.default_rng(stream).permutation(size)
    return given_units([int(u) for u in order[:number]], size)


def _everywhere(factor: Float[Array, "*b c"]) -> Partial:
    return edits.scale(factor[..., None, None, :])


def soft_ablation(units: Units, scores: Scores, strength: float = STRENGTH) -> dict[str, Partial]:
    """Multiply units by lambda (1 - DS) (algorithm 1, line 5); lambda = 0 sets them to zero.

    Args:
        scores: DS in [0, 1] (`defects.normalize`), of the layers of `units` at least; with a sample
            axis each sample's own (sec. 5.4).
        strength: lambda.

    Raises:
        InputError: lambda is outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise InputError(f"the scaling factor lambda is between 0 and 1, not {strength}")
    return {
        layer: _everywhere(jnp.where(chosen, strength * (1 - jnp.asarray(scores[layer])), 1))
        for layer, chosen in units.items()
    }


def hard_ablation(units: Units) -> dict[str, Partial]:
    """Set units to zero (sec. 3.2)."""
    return {layer: _everywhere(jnp.where(chosen, 0.0, 1.0)) for layer, chosen in units.items()}


def shrink(masks: Bool[Array, "b h w"], resolution: int) -> Float[Array, "b {resolution} _"]:
    """The share of each position of a layer that the masks cover; 0 where they cover none of it.

    Raises:
        InputError: positions are not whole numbers of pixels.
    """
    b, height, width = masks.shape
    if height % resolution or width % resolution:
        raise InputError(
            f"a mask of {height}x{width} pixels does not divide into {resolution}x{resolution}"
        )
    blocks = masks.reshape(b, resolution, height // resolution, resolution, width // resolution)
    return jnp.mean(blocks.astype(jnp.float32), axis=(2, 4))


def local_correction(
    units: Units, masks: Bool[Array, "b h w"], layers: Mapping[str, LayerInfo]
) -> dict[str, Partial]:
    """Multiply units by 1 - L_a(x), shrunk to their layer, in place of lambda (1 - DS) (sec. 4.2).

    Args:
        masks: L_a(x) of each sample.
        layers: the generator's.
    """

    def factor(layer: str) -> Float[Array, "b r r c"]:
        covered = shrink(masks, layers[layer].resolution)
        chosen = jnp.asarray(units[layer])[..., None, None, :]
        return jnp.where(chosen, 1 - covered[..., None], 1)

    return {layer: edits.scale(factor(layer)) for layer in units}
