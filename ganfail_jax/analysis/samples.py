"""Generated samples as points of StyleSpace with what classifiers make of them.

The populations that Le Coz 2022 compares: well classified and misclassified (sec. 2.4, 3.2, 3.3).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import runtime
from ganfail_jax.analysis.outputs import Models, render, sample_styles, sampling
from ganfail_jax.runtime import Sweep
from ganfail_jax.types import Generator

SURE = 0.9  # softmax from which a sample without a true class counts as sure


class Samples(NamedTuple):
    """n samples, as m classifiers see them. s: dimensions of StyleSpace, k: classes."""

    indices: Int[np.ndarray, " n"]
    styles: Float[np.ndarray, "n s"]
    logits: Float[np.ndarray, "m n k"]
    target: Int[np.ndarray, " n"]  # the class asked for; unconditional: the first's prediction
    right: Bool[np.ndarray, "m n"]  # see `outcomes`

    @property
    def softmax(self) -> Float[np.ndarray, "m n k"]:
        return scipy.special.softmax(self.logits, axis=2)

    @property
    def predicted(self) -> Int[np.ndarray, "m n"]:
        return self.logits.argmax(axis=2)

    def in_group(self, group: int) -> Bool[np.ndarray, " n"]:
        """Which samples belong to a group of a ranking (0: everything, 1 + i: class i)."""
        return self.target == group - 1 if group else np.ones(len(self.target), bool)


def outcome_names(generator: Generator) -> tuple[str, str]:
    """What the two populations are called: (right, not right)."""
    if generator.num_classes:
        return "well classified", "misclassified"
    return f"sure (softmax at least {SURE:g})", f"unsure (softmax below {SURE:g})"


def outcomes(
    generator: Generator, logits: Float[np.ndarray, "m n k"], target: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, "m n"]:
    """Whether each classifier predicts a sample's class.

    The samples of an unconditional generator have no class but each classifier's own prediction,
    which counts as right where it has a softmax of at least SURE.
    """
    if generator.num_classes:
        return logits.argmax(axis=2) == target
    return scipy.special.softmax(logits, axis=2).max(axis=2) >= SURE


def collect(
    models: Sequence[Models],
    num_samples: int,
    sweep: Sweep,
    *,
    first_index: int = 0,
    seed: int = 0,
    truncation_psi: float = 1.0,
) -> Samples:
    """Generate samples `first_index` .. `first_index + num_samples - 1` and classify them.

    Args:
        models: one generator with one or more classifiers.
        first_index: choose it beyond the samples of a ranking that is tested on these.
    """
    generator = models[0].generator
    samples = sampling(generator, seed, truncation_psi)

    @jax.jit
    def step(given: Any, indices: Array) -> dict[str, Array]:
        params, (seed, truncation_psi), first_index = given
        here = [each.with_params(own) for each, own in zip(models, params, strict=True)]
        chosen = first_index + indices
        styles, labels, noise_keys = sample_styles(here[0], seed, chosen, truncation_psi)
        images = render(here[0], styles, noise_keys)
        logits = [each.classifier.logits(each.classifier_params, images) for each in here]
        rows = {"indices": chosen, "styles": styles, "logits": jnp.stack(logits, 1)}
        return rows if labels is None else rows | {"labels": labels}

    params = [each.params for each in models]
    given = runtime.replicate(sweep.mesh, (params, samples, np.int32(first_index)))
    settings = {"first_index": first_index, "seed": seed, "truncation_psi": truncation_psi}
    rows = runtime.gather(partial(step, given), num_samples, sweep, settings)
    logits = rows["logits"].swapaxes(0, 1)
    target = rows["labels"] if "labels" in rows else logits[0].argmax(axis=1)
    right = outcomes(generator, logits, target)
    return Samples(rows["indices"], rows["styles"], logits, target, right)
