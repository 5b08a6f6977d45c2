"""How good is a generator now? Numbers from fixed latents, to keep the best snapshot by.

- `score`: Frechet distance between generated and real images, with the population covariance, over
  Inception's features or else over a classifier's last feature map, averaged over its pixels, or
  its logits where it shows no map. Lower is better. It is comparable within a run only: a few
  thousand images bias it upwards.
- `agreement`: share of the images in which a classifier sees the class that was requested
  (conditional generators only); `agreement_clean` and `agreement_corrupted` of those that look so.
- `clean_share`: share of the images that look neither noisy nor blurred (`metrics/corruption.py`).
- `black_share`: share of the values that are exactly 0 of 255.

Images are judged as 8-bit pictures, with noise drawn for each sample and without truncation.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import numpy as np

from ganfail_jax.data.image_sets import Images, in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float, to_uint8
from ganfail_jax.latents import generate, sample_labels
from ganfail_jax.metrics.corruption import looks_clean
from ganfail_jax.metrics.features import (
    Features,
    classifier_features,
    extract_features,
    over_devices,
)
from ganfail_jax.metrics.frechet import FeatureMoments, feature_moments, frechet_distance
from ganfail_jax.runtime import in_batches
from ganfail_jax.types import Classifier, Generator


def evaluator(
    generator: Generator,
    classifier: Classifier,
    classifier_params: Any,
    real: Images,
    *,
    features: Features | None = None,
    num_samples: int = 2000,
    num_real: int = 10_000,
    batch_size: int = 100,
    seed: int = 0,
) -> Callable[[Any], dict[str, float]]:
    """A function of the generator's variables that measures these numbers by name.

    Latents, labels and the choice of `num_real` (at most all) real images are fixed by `seed`.

    Args:
        features: of the score; None: the classifier's.

    Raises:
        InputError: the images or the classes of generator, classifier and data do not fit together.
    """
    taken = classifier.image_shape or generator.image_shape
    shapes = (generator.image_shape, taken, real.shape[1:])
    if len(set(shapes)) > 1:
        raise InputError(
            "images of generator, classifier and data are {}, {} and {}".format(*shapes)
        )
    if generator.num_classes not in (0, classifier.num_classes):
        raise InputError(
            f"the generator has {generator.num_classes} classes, "
            f"the classifier {classifier.num_classes}"
        )

    noisy = generator.with_noise("random")
    render = jax.jit(lambda variables, indices: generate(noisy, variables, seed, indices)[0])
    classify = over_devices(classifier.logits, classifier_params)
    logits = Features(
        name="class logits",
        dim=classifier.num_classes,
        extract=lambda images: classify(to_float(images)),
    )
    if features is None and classifier.features is None:
        features = logits
    features = features or classifier_features(
        "the", classifier, classifier_params, image_shape=taken
    )

    def extract(features: Features, images: Images) -> np.ndarray:
        return extract_features(features, images, batch_size=batch_size)

    labels = sample_labels(generator, np.arange(num_samples))
    order = np.random.default_rng(seed).permutation(real.shape[0])

    @cache
    def reference() -> FeatureMoments:
        return feature_moments(extract(features, real.select(order[:num_real])))

    def evaluate(variables: Any) -> dict[str, float]:
        indices = np.arange(num_samples, dtype=np.int32)
        images = to_uint8(in_batches(partial(render, variables), batch_size, indices))
        clean = looks_clean(images)
        pictures = in_memory(images)
        generated = feature_moments(extract(features, pictures))
        measured = {
            "score": frechet_distance(generated, reference(), "population"),
            "clean_share": float(np.mean(clean)),
            "black_share": float(np.mean(images == 0)),
        }
        if labels is None:
            return measured
        right = extract(logits, pictures).argmax(axis=1) == labels
        groups = {"": slice(None), "_clean": clean, "_corrupted": ~clean}
        named = {f"agreement{name}": right[rows] for name, rows in groups.items()}
        return measured | {name: float(np.mean(part)) for name, part in named.items() if len(part)}

    return evaluate
