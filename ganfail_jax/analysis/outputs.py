"""What does the classifier say of a point of StyleSpace? (Le Coz 2022, sec. 2.2: C_i(G(s)))"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ganfail_jax.images import as_viewed
from ganfail_jax.latents import Seed, latents
from ganfail_jax.types import (
    Activations,
    Classifier,
    Generator,
    Params,
    flatten_styles,
    unflatten_styles,
)


class Models(NamedTuple):
    """A generator and the classifier it tests."""

    generator: Generator
    generator_params: Params
    classifier: Classifier
    classifier_params: Params

    @property
    def params(self) -> tuple[Params, Params]:
        """The arrays, which cross `jit` as arguments; the rest is static."""
        return self.generator_params, self.classifier_params

    def with_params(self, params: tuple[Params, Params]) -> "Models":
        return self._replace(generator_params=params[0], classifier_params=params[1])


def _true(values: Float[Array, "b k"], target: Int[Array, " b"]) -> Float[Array, " b"]:
    return jnp.take_along_axis(values, target[:, None], axis=1)[:, 0]


def softmax_score(logits: Float[Array, "b k"], target: Int[Array, " b"]) -> Float[Array, " b"]:
    """Softmax output of the true class: the paper's C_i."""
    return _true(jax.nn.softmax(logits), target)


def logit_score(logits: Float[Array, "b k"], target: Int[Array, " b"]) -> Float[Array, " b"]:
    """Logit of the true class: no saturation."""
    return _true(logits, target)


def margin_score(logits: Float[Array, "b k"], target: Int[Array, " b"]) -> Float[Array, " b"]:
    """Logit of the true class minus the best other logit: negative when misclassified."""
    others = jnp.where(jax.nn.one_hot(target, logits.shape[1], dtype=bool), -jnp.inf, logits)
    return _true(logits, target) - jnp.max(others, axis=1)


def likelihood_score(logits: Float[Array, "b k"], target: Int[Array, " b"]) -> Float[Array, " b"]:
    """Minus the cross-entropy, so that, as for the other scores, less is worse."""
    return _true(jax.nn.log_softmax(logits), target)


SCORES: dict[str, Callable[[Array, Array], Array]] = {
    "softmax": softmax_score,
    "logit": logit_score,
    "margin": margin_score,
    "cross_entropy": likelihood_score,
}


def target_classes(
    labels: Int[Array, " b"] | None, logits: Float[Array, "b k"]
) -> Int[Array, " b"]:
    """The class a sample was generated for; unconditional: the classifier's own prediction."""
    return jnp.argmax(logits, axis=1) if labels is None else labels


class Sampling(NamedTuple):
    """Which samples there are: an argument of compiled programs, which so serve all settings."""

    seed: Any  # uint32
    truncation_psi: Any  # float32; None: the generator has no truncation


def sampling(generator: Generator, seed: int, truncation_psi: float) -> Sampling:
    """The samples of a seed with this truncation.

    Raises:
        ValueError: truncation is wanted of a generator that has none.
    """
    if generator.mapping is not None:
        return Sampling(np.uint32(seed), np.float32(truncation_psi))
    if truncation_psi != 1:
        raise ValueError("this generator has no truncation: truncation_psi must be 1")
    return Sampling(np.uint32(seed), None)


def sample_styles(
    models: Models, seed: Seed, indices: Int[Array, " b"], truncation_psi: float | Array | None
) -> tuple[Float[Array, "b s"], Int[Array, " b"] | None, Array | None]:
    """S vectors, labels and noise keys of samples by index.

    Args:
        truncation_psi: None: of a generator that has no truncation.
    """
    generator = models.generator
    drawn = latents(generator, seed, indices)
    psi = () if truncation_psi is None else (truncation_psi,)
    styles = generator.styles(models.generator_params, drawn.z, drawn.one_hot, *psi)
    return flatten_styles(styles, generator.style_dims), drawn.labels, drawn.noise_keys


def view(
    models: Models, styles: Float[Array, "b s"], noise_keys: Array | None = None
) -> tuple[Float[Array, "b h w c"], Activations]:
    """Images of S vectors, as they are viewed, and what every layer computes for them.

    Args:
        noise_keys: of the samples, which keep theirs wherever they are moved
            (`latents.noise_keys`).
    """
    generator = models.generator
    vectors = unflatten_styles(styles, generator.style_dims)
    images, taps = generator.synthesize(models.generator_params, vectors, None, noise_keys)
    return as_viewed(images), taps


def render(
    models: Models, styles: Float[Array, "b s"], noise_keys: Array | None = None
) -> Float[Array, "b h w c"]:
    """Images of S vectors; see `view`."""
    return view(models, styles, noise_keys)[0]


def logits_of(
    models: Models, styles: Float[Array, "b s"], noise_keys: Array | None = None
) -> Float[Array, "b k"]:
    """Class logits of the images of S vectors; see `render`."""
    return models.classifier.logits(models.classifier_params, render(models, styles, noise_keys))
