"""Samples as a person sees them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from ganfail_jax.data.pipelines import to_picture
from ganfail_jax.errors import InputError
from ganfail_jax.latents import renderer
from ganfail_jax.runtime import in_batches
from ganfail_jax.studies.subject import GeneratorSubject

AT_ONCE = 8  # images


def plain_indices(indices: Sequence[int] | Int[np.ndarray, " n"] | None) -> list[int] | None:
    """Indices of samples, as they are kept in an identity; None stays None.

    Raises:
        InputError: there is none.
    """
    if indices is not None and not len(indices):
        raise InputError("no samples are given to draw")
    return None if indices is None else [int(index) for index in indices]


def pictures(
    subject: GeneratorSubject, indices: Int[np.ndarray, " n"], seed: int
) -> UInt8[np.ndarray, "n h w c"]:
    """8-bit images of samples; large ones are shrunk."""
    render = renderer(subject.generator, seed)
    return to_picture(in_batches(lambda rows: render(subject.params, rows, {}), AT_ONCE, indices))
