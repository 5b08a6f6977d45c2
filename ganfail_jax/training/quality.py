"""How good is a generator now? Three numbers from fixed latents, to keep the best snapshot by.

- `agreement`: share of the images in which a classifier sees the class that was asked for
  (conditional generators only).
- `clean_share`: share of the images that look neither noisy nor blurred (`metrics/corruption.py`).
- `score`: Frechet distance between generated and real images over the classifier's last feature
  map, averaged over its pixels, with the population covariance. Lower is better. No FID of the
  literature: its features are not Inception's.

Images are judged as 8-bit pictures, rendered with the noise inputs "const" and without truncation.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from ganfail_jax.data.image_sets import in_memory
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float, to_uint8
from ganfail_jax.latents import latents
from ganfail_jax.metrics.corruption import looks_clean
from ganfail_jax.metrics.features import (
    Features,
    classifier_features,
    extract_features,
    over_devices,
)
from ganfail_jax.metrics.frechet import FeatureMoments, feature_moments, frechet_distance
from ganfail_jax.types import Classifier, Generator


def evaluator(
    generator: Generator,
    classifier: Classifier,
    classifier_params: Any,
    real: UInt8[np.ndarray, "n h w c"],
    *,
    num_samples: int = 2000,
    num_real: int = 10_000,
    batch_size: int = 100,
    seed: int = 0,
) -> Callable[[Any], dict[str, float]]:
    """A function of the generator's variables that measures the three numbers by name.

    Latents, labels and the choice of `num_real` (at most all) real images are fixed by `seed`.

    Raises:
        InputError: the images or the classes of generator, classifier and data do not fit together.
    """
    shapes = (generator.image_shape, classifier.image_shape, real.shape[1:])
    if len(set(shapes)) > 1:
        raise InputError(
            "images of generator, classifier and data are {}, {} and {}".format(*shapes)
        )
    if generator.num_classes not in (0, classifier.num_classes):
        raise InputError(
            f"the generator has {generator.num_classes} classes, "
            f"the classifier {classifier.num_classes}"
        )

    @jax.jit
    def render(variables: Any, indices: Array) -> Array:
        drawn = latents(generator, seed, indices)
        styles = generator.styles(variables, drawn.z, drawn.one_hot)
        return generator.synthesize(variables, styles)[0]

    classify = over_devices(classifier.logits, classifier_params)
    logits = Features(
        name="class logits",
        dim=classifier.num_classes,
        extract=lambda images: classify(to_float(images)),
    )
    pooled = classifier_features("the", classifier, classifier_params)

    def seen(features: Features, images: UInt8[np.ndarray, "n h w c"]) -> np.ndarray:
        return extract_features(features, in_memory(images), batch_size=batch_size)

    asked = latents(generator, seed, jnp.arange(num_samples)).labels
    order = np.random.default_rng(seed).permutation(len(real))

    @cache
    def reference() -> FeatureMoments:
        return feature_moments(seen(pooled, real[order[:num_real]]))

    def evaluate(variables: Any) -> dict[str, float]:
        indices = _batches(np.arange(num_samples, dtype=np.int32), batch_size)
        rendered = np.concatenate([render(variables, part) for part in indices])
        images = to_uint8(rendered[:num_samples])
        generated = feature_moments(seen(pooled, images))
        measured = {
            "score": frechet_distance(generated, reference(), "population"),
            "clean_share": float(np.mean(looks_clean(images))),
        }
        if asked is not None:
            predicted = seen(logits, images).argmax(axis=1)
            measured["agreement"] = float(np.mean(predicted == np.asarray(asked)))
        return measured

    return evaluate


def _batches(array: np.ndarray, size: int) -> list[np.ndarray]:
    """Pieces of `size` rows, the last filled up with row 0, so that one compilation serves all."""
    filled = np.concatenate([array, np.repeat(array[:1], -len(array) % size, axis=0)])
    return np.split(filled, len(filled) // size)
