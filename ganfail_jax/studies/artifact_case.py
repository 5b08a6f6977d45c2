"""Whose artifacts? A generator, and a classifier of its artifacts with the samples that it knows.

An artifact classifier remembers on which labelled samples of which generator it was trained, so
that nothing is measured on them: units are scored on those (X_a of Tousi 2021), corrections on
held-out ones.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from ganfail_jax import runtime
from ganfail_jax.analysis.outputs import Models
from ganfail_jax.data.label_table import LARGEST
from ganfail_jax.data.labels import Labelled, of_kinds
from ganfail_jax.errors import InputError
from ganfail_jax.latents import generate
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies.fingerprints import of_classifier
from ganfail_jax.studies.subject import GeneratorSubject, check_labelled_noise
from ganfail_jax.types import Classifier, Params

ARTIFACT, NORMAL = "artifact", "normal"
SAMPLES = LARGEST["index"] + 1  # of one seed


class ArtifactCase(NamedTuple):
    """A generator and a classifier of its artifacts."""

    models: Models
    artifact: int  # the classifier's class
    seed: int  # of all samples
    train: Labelled
    held_out: Labelled
    identity: Mapping[str, Any]  # of a result: generator, classifier, seed

    @property
    def names(self) -> tuple[str, str]:
        """Of the generator and the samples, for a folder."""
        return self.identity["generator"], str(self.seed)

    @property
    def title(self) -> str:
        """For a person."""
        return f"generator {self.identity['generator']}"

    @property
    def beyond(self) -> int:
        """The first sample after all labelled ones."""
        labelled = np.concatenate([self.train.indices, self.held_out.indices])
        return 1 + int(labelled.max(initial=-1))


def with_classifier(
    subject: GeneratorSubject,
    classifier: Classifier,
    params: Params,
    about: Mapping[str, Any],
    sha256: str | None = None,
    name: str = "the artifact classifier",
) -> ArtifactCase:
    """The generator with a classifier of its artifacts.

    Args:
        about: what the classifier remembers: generator_sha256, seed, and samples: of each part
            (train, held_out) and kind (artifact, normal) the indices.
        sha256: of the classifier; None: its fingerprint.
        name: of the classifier, for messages.

    Raises:
        InputError: it does not remember this, was trained on samples of another generator, or the
            generator's noise is not that of labels.
    """
    check_labelled_noise(subject.generator)
    try:
        of_generator, (seed,) = about["generator_sha256"], _whole([about["seed"]])
        train, held_out = (
            of_kinds(*(_whole(about["samples"][part][kind]) for kind in (ARTIFACT, NORMAL)))
            for part in ("train", "held_out")
        )
        artifact = classifier.class_names.index(ARTIFACT)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} was not made by train.artifact_classifier") from error
    indices = np.concatenate([train.indices, held_out.indices])
    if not 0 <= seed <= LARGEST["seed"] or indices.min(initial=0) < 0:
        raise InputError(f"{name} has samples of a seed or an index that cannot be")
    if len(np.unique(indices)) < len(indices):
        raise InputError(f"{name} has a sample twice: what was trained on may be held out")
    if of_generator != subject.identity["generator_sha256"]:
        whose = about.get("generator", "unknown")
        raise InputError(f"{name} knows the artifacts of another generator: {whose}")
    sha256 = sha256 or of_classifier(classifier, params, subject.generator.image_shape)
    own = {"artifact_classifier_sha256": sha256, "seed": seed}
    return ArtifactCase(
        models=Models(subject.generator, subject.params, classifier, params),
        artifact=artifact,
        seed=seed,
        train=train,
        held_out=held_out,
        identity={**subject.identity, **own},
    )


def _whole(numbers: list[int]) -> list[int]:
    """They themselves; raises ValueError where one is not whole, which numpy would cut."""
    if not all(type(each) is int for each in numbers):
        raise ValueError("not whole numbers")
    return [*numbers]


def check_candidates(case: ArtifactCase, candidates: int) -> None:
    """
    Raises:
        InputError: there are not so many samples beyond the labelled ones.
    """
    most = SAMPLES - case.beyond
    if candidates > most:
        raise InputError(f"--candidates={candidates}, but {most} follow the labelled samples")


def classify_candidates(case: ArtifactCase, candidates: int, sweep: Sweep) -> Labelled:
    """What the classifier itself calls so many samples beyond the labelled ones.

    The classifier's own errors are included: report this with every number measured on these.
    """
    if not candidates:
        return of_kinds([], [])
    models, first = case.models, case.beyond

    @jax.jit
    def step(params: Any, numbers: Array) -> Bool[Array, " b"]:
        here = models.with_params(params)
        images, _ = generate(here.generator, here.generator_params, case.seed, first + numbers)
        logits = models.classifier.logits(here.classifier_params, images)
        return jnp.argmax(logits, axis=1) == case.artifact

    params = runtime.replicate(sweep.mesh, models.params)
    artifact = runtime.gather(partial(step, params), candidates, sweep.named("candidates"))
    return Labelled(first + np.arange(candidates), artifact)
