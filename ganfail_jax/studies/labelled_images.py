"""Which images is a classifier of artifacts trained on, and which are held out?"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from ganfail_jax.data.labels import Labelled
from ganfail_jax.metrics.features import Features
from ganfail_jax.studies.images import ImageSet, of_samples
from ganfail_jax.studies.subject import GeneratorSubject, check_labelled_noise
from ganfail_jax.training.artifact_classifier import ARTIFACT, CLASSES, NORMAL, REAL, Split, split


class LabelledImages(NamedTuple):
    """n images: those with a person's label first, then the real ones."""

    generated: ImageSet
    real: ImageSet | None
    indices: Int[np.ndarray, " n"]  # of generated samples; places among the real images
    class_names: tuple[str, ...]
    identity: Mapping[str, Any]  # of the images and their labels, beside the generator's
    labels: Int[np.ndarray, " n"]
    split: Split

    def features(self, features: Features, batch_size: int) -> Float32[np.ndarray, "n d"]:
        """Features of all images, kept on disk."""
        rows = self.generated.features(features, batch_size, "generated images")
        if self.real is None:
            return rows
        return np.concatenate([rows, self.real.features(features, batch_size, "real images")])

    def parts(self) -> dict[str, dict[str, list[int]]]:
        """Part and class -> indices, ascending."""
        return {
            part: {
                name: sorted(self.indices[places[self.labels[places] == k]].tolist())
                for k, name in enumerate(self.class_names)
            }
            for part, places in self.split._asdict().items()
        }


def label(
    subject: GeneratorSubject,
    labels: Labelled,
    real: ImageSet | None = None,
    *,
    seed: int = 0,
    held_out: float = 0.3,
) -> LabelledImages:
    """Samples of a seed with a person's labels, and real images.

    Args:
        real: None: there are two classes.
        held_out: the share of every class that is not trained on.

    Raises:
        InputError: a class has too few images, or the generator's noise is not that of labels.
    """
    check_labelled_noise(subject.generator)
    number = 0 if real is None else real.images.shape[0]
    classes = np.where(labels.artifact, ARTIFACT, NORMAL)
    classes = np.concatenate([classes, np.full(number, REAL)])
    samples = of_samples(subject, 1, seed=seed)
    which = hashlib.sha256(labels.indices.tobytes()).hexdigest()
    return LabelledImages(
        generated=samples._replace(
            images=samples.images.select(labels.indices), key=f"{samples.key} of {which}"
        ),
        real=real,
        indices=np.concatenate([labels.indices, np.arange(number)]),
        class_names=CLASSES[: 2 if real is None else 3],
        identity={
            "labels": labels.key,
            "real": real and {"name": real.name, "images": real.key, "number": number},
        },
        labels=classes,
        split=split(classes, held_out, np.random.default_rng(seed)),
    )
