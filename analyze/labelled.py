"""Which samples does a person call artifacts, and how do they look? What several analyses ask."""

import numpy as np
from absl import flags
from jaxtyping import Int, UInt8

from ganfail_jax.analysis.ablation import renderer
from ganfail_jax.analysis.views import in_batches
from ganfail_jax.data.labels import Labels, read_labels
from ganfail_jax.data.pipelines import to_picture
from ganfail_jax.errors import InputError
from ganfail_jax.types import Generator, Params

FLAGS = flags.FLAGS
RENDERED = 8  # images at once


def define_labels() -> None:
    text = "CSV of index, seed and label: normal or artifact."
    flags.DEFINE_string("labels", None, text)


def read_labelled(generator_sha256: str) -> Labels:
    """--labels.

    Raises:
        InputError: unreadable, of another generator, or without two samples of each kind.
    """
    labels = read_labels(FLAGS.labels, FLAGS.seed, generator_sha256)
    counts = [int((labels.artifact == kind).sum()) for kind in (True, False)]
    if min(counts) < 2:
        raise InputError(
            f"{FLAGS.labels} has {counts[0]} artifact and {counts[1]} normal samples of "
            f"--seed={FLAGS.seed}; at least two of each are needed"
        )
    return labels


def pictures(
    generator: Generator, params: Params, indices: Int[np.ndarray, " n"]
) -> UInt8[np.ndarray, "n h w c"]:
    """Images of samples for the eye: large ones are shrunk."""
    render = renderer(generator, FLAGS.seed)
    return to_picture(in_batches(lambda rows: render(params, rows, {}), RENDERED, indices))
