"""The FID of every unit (Tousi 2021, sec. 3.1), from a result of `analyze.units`."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ganfail_jax import results
from ganfail_jax.errors import InputError


def read_unit_fid(
    folder: str, generator_sha256: str, layers: Sequence[str]
) -> dict[str, Float[np.ndarray, " _"]]:
    """Of the units of these layers.

    Raises:
        InputError: there are none, or they are of another generator or of other layers.
    """
    result = results.load(folder)
    made = result.provenance["identity"]
    if made.get("generator_sha256") != generator_sha256:
        whose = made.get("generator", "unknown")
        raise InputError(f"the FIDs of units in {folder} are of another generator: {whose}")
    if missing := [layer for layer in layers if f"fid/{layer}" not in result.arrays]:
        raise InputError(f"{folder} has no FIDs of the units of {', '.join(missing)}")
    return {layer: result.arrays[f"fid/{layer}"] for layer in layers}
