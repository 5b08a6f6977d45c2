"""The Frechet distance of each unit's top images in a result of `analyze.units` (Tousi sec. 3.1).

The larger it is, the more a unit counts as one that draws artifacts.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from ganfail_jax import results
from ganfail_jax.errors import InputError
from ganfail_jax.studies import earlier

FID = "fid/"  # prefix of a layer's distances in a file
MADE_BY = ("seed", "num_samples", "fid_top", "measure", "features", "reference")


class UnitFid(NamedTuple):
    """The distances of layers, and what distinguishes them, for the identity of a result."""

    fid: Mapping[str, Float64[np.ndarray, " _"]]
    identity: Mapping[str, Any]


def read(folder: str, identity: Mapping[str, Any], sizes: Mapping[str, int]) -> UnitFid:
    """The distances of the units of these layers.

    Args:
        identity: of the study that reads them.
        sizes: units of each layer.

    Raises:
        InputError: there are none, or they are of another generator, of other layers, or not of
            finite numbers.
    """
    with results.of_this_version(folder):
        result = earlier.read(folder, "distances of units", identity)
        names = [name for name in result.arrays if name.startswith(FID)]
        known = {name.removeprefix(FID): result.arrays[name] for name in names}
        if not known:
            raise InputError(f"{folder} has no FID of units; analyze.units makes a result that has")
        if missing := [layer for layer in sizes if layer not in known]:
            raise InputError(
                f"the FID of units in {folder} lacks {', '.join(missing)}; "
                "give analyze.units these --layers"
            )
        shapes = {layer: (size,) for layer, size in sizes.items()}
        earlier.check_arrays(f"the FID of units in {folder}", known, shapes)
        made = result.provenance["identity"]
        own = {name: made.get(name) for name in MADE_BY} | {"noise": earlier.noise(made)}
        return UnitFid({layer: known[layer] for layer in sizes}, own)
