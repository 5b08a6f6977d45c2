"""The flag that says where a search in StyleSpace starts, and the styles of the file it names."""

from pathlib import Path

import numpy as np
from absl.flags import FlagValues
from jaxtyping import Shaped

from ganfail_jax import files, npz
from ganfail_jax.cli.paths import DEFINE_path
from ganfail_jax.errors import InputError

LARGEST = 2**28  # bytes of styles: 1,000 classes of 9,088 dimensions have 2**27 in float64


def define_start(flags: FlagValues) -> None:
    text = "mean: of each class; a number: the first confident sample of each class from this "
    text += "index on; a file: a style [s] or one per class [k,s], as .npy, or .npz of one array."
    DEFINE_path("start", "mean", text, flag_values=flags)


def styles_from(flags: FlagValues) -> Shaped[np.ndarray, "..."] | None:
    """The array of the file --start; None: it does not name one.

    Raises:
        InputError: it cannot be read, or does not hold exactly one array.
    """
    path = Path(flags.start)
    if path.suffix not in (".npy", ".npz"):
        return None
    try:
        content = files.read(path, LARGEST)  # which counts, not the suffix
        several = npz.is_npz(content)
        arrays = [*npz.read(content, LARGEST).values()] if several else [npz.parse_array(content)]
    except (OSError, InputError) as error:
        raise InputError(f"cannot read styles from {path}: {error}") from error
    if len(arrays) != 1:
        raise InputError(f"{path} holds {len(arrays)} arrays; styles are a file of one")
    return arrays[0]
