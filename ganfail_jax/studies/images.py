"""Sets of images that a study compares, with what identifies each; features are kept on disk."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from ganfail_jax.data import image_sets
from ganfail_jax.data.image_sets import Images
from ganfail_jax.metrics.feature_cache import images_hash, open_cache
from ganfail_jax.metrics.features import Features, extract_features
from ganfail_jax.studies.subject import GeneratorSubject


class ImageSet(NamedTuple):
    """A named set of images."""

    name: str
    images: Images
    key: str  # what determines the images, but for their number

    def features(
        self, features: Features, batch_size: int, progress: str
    ) -> Float32[np.ndarray, "n d"]:
        """Features of all images, kept on disk."""
        cache = open_cache(features.identity, self.name, self.key)
        return extract_features(
            features, self.images, batch_size=batch_size, cache=cache, progress=progress
        )


def of_images(name: str, images: Images) -> ImageSet:
    """A set whose pixels identify it."""
    return ImageSet(name, images, images_hash(images))


def of_samples(
    subject: GeneratorSubject, num_samples: int, *, seed: int = 0, truncation_psi: float = 1.0
) -> ImageSet:
    """The first samples of a generator."""
    images = image_sets.generated(
        subject.generator, subject.params, num_samples, seed=seed, truncation_psi=truncation_psi
    )
    source = {
        "generator_sha256": subject.identity["generator_sha256"],
        "seed": seed,
        "noise": subject.identity["noise"],
        "truncation_psi": truncation_psi,
    }
    if subject.generator.label_shares:
        source["label_shares"] = subject.generator.label_shares
    return ImageSet(subject.name, images, str(source))


def shuffled(images: Images, seed: int = 0) -> Images:
    """In an order that is always the same: the first by name would be those of one subfolder."""
    return images.select(np.random.default_rng(seed).permutation(images.shape[0]))
