"""The Frechet distance of each unit's top images in a result of `analyze.units` (Tousi sec. 3.1).

The larger it is, the more a unit counts as one that draws artifacts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from analyze import flags as common
from ganfail_jax import results
from ganfail_jax.errors import InputError

FID = "fid/"  # prefix of a layer's distances in a file
MADE_BY = ("seed", "num_samples", "fid_top", "measure", "features", "reference")


class UnitFid(NamedTuple):
    """The distances of layers, and what tells them from others, for the identity of a result."""

    fid: Mapping[str, Float64[np.ndarray, " _"]]
    identity: Mapping[str, Any]


def read_unit_fid(folder: str, generator_sha256: str, layers: Sequence[str]) -> UnitFid:
    """The distances of the units of these layers.

    Raises:
        InputError: there are none, or they are of another generator or of other layers.
    """
    result = results.load(folder)
    names = [name for name in result.arrays if name.startswith(FID)]
    found = {name.removeprefix(FID): result.arrays[name] for name in names}
    if not found:
        raise InputError(f"{folder} has no FID of units; analyze.units makes a result that has")
    made = result.provenance["identity"]
    if made.get("generator_sha256") != generator_sha256:
        whose = made.get("generator", "unknown")
        raise InputError(f"the FID of units in {folder} is of another generator: {whose}")
    if missing := [layer for layer in layers if layer not in found]:
        raise InputError(
            f"the FID of units in {folder} lacks {', '.join(missing)}; "
            "give analyze.units these --layers"
        )
    identity = {name: made.get(name) for name in MADE_BY}
    identity["noise"] = common.noise_of(made)
    return UnitFid({layer: found[layer] for layer in layers}, identity)
