"""Samples as a person sees them."""

import numpy as np
from jaxtyping import Int, UInt8

from ganfail_jax.data.pipelines import to_picture
from ganfail_jax.latents import renderer
from ganfail_jax.runtime import in_batches
from ganfail_jax.studies.subject import GeneratorSubject

AT_ONCE = 8  # images


def pictures(
    subject: GeneratorSubject, indices: Int[np.ndarray, " n"], seed: int
) -> UInt8[np.ndarray, "n h w c"]:
    """8-bit images of samples; large ones are shrunk."""
    render = renderer(subject.generator, seed)
    return to_picture(in_batches(lambda rows: render(subject.params, rows, {}), AT_ONCE, indices))
