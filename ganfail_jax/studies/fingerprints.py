"""What identifies a model in hand: its parameters, and what its functions make of fixed inputs.

Outputs are kept as one number per input to a thousandth of the largest, so that another device or
batch size seldom makes another fingerprint, and another function nearly always does. The same call
of the functions shows whether they keep the contract of `types`.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Float32

from ganfail_jax import pinned
from ganfail_jax.errors import InputError, one_line
from ganfail_jax.types import Classifier, Discriminator, Generator, Params
from ganfail_jax.weights.store import params_hash

PROBES = 8
STEPS = 10  # binary digits of an output, below the largest
TOLERANCE = 1e-3  # of the largest logit


def probe_images(shape: tuple[int, int, int]) -> Float32[np.ndarray, "8 h w c"]:
    """Random ones in [-1, 1] of blocks of 1, 2, 4 and 8 pixels, always the same."""
    rng, (height, width, channels) = np.random.default_rng(0), shape
    images = []
    for i in range(PROBES):
        block = 2 ** (i % 4)
        rows, columns = -(-height // block), -(-width // block)
        grid = rng.uniform(-1, 1, (rows, columns, channels))
        images.append(grid.repeat(block, 0).repeat(block, 1)[:height, :width])
    return np.asarray(images, np.float32)


def of_classifier(classifier: Classifier, params: Params, shape: tuple[int, int, int]) -> str:
    """Fingerprint of a classifier of images of this shape.

    Raises:
        InputError: its functions fail on such images, or return something else than finite logits,
            each of its own image.
    """
    images = probe_images(shape)
    logits = _run(classifier.logits, params, images)
    if logits.shape != (PROBES, classifier.num_classes):
        raise InputError(
            f"returns an array of shape {logits.shape} of {PROBES} images; logits "
            f"{(PROBES, classifier.num_classes)} are wanted"
        )
    if not np.isfinite(logits).all():
        raise InputError("its logits are not finite on random images")
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=1e-3):
        raise InputError(
            "returns probabilities, not logits; say so by --outputs=probabilities, "
            "wrap(..., outputs='probabilities')"
        )
    others = np.concatenate([images[: PROBES // 2], -images[PROBES // 2 :]])
    again = _run(classifier.logits, params, others)
    change = np.abs(again - logits)[: PROBES // 2].max()
    if not change <= TOLERANCE * np.abs(logits).max():
        raise InputError(
            "its logits of an image depend on the other images, or are random; "
            "it must be in evaluation mode"
        )
    return _fingerprint(params, classifier.origin, logits)


def of_generator(generator: Generator, params: Params) -> str:
    """Fingerprint of a generator, without noise.

    Raises:
        InputError: its functions fail, or do not keep the contract of `types.Generator`.
    """
    _check_shapes(generator, params)
    images, styles = _run(_samples(generator.with_noise("none")), params, *_latents(generator))
    if not np.isfinite(images).all():
        raise InputError("its images are not finite")
    return _fingerprint(params, "", images, *styles.values())


def of_discriminator(discriminator: Discriminator, params: Params) -> str:
    """Fingerprint of a discriminator.

    Raises:
        InputError: its function fails.
    """
    images, label = probe_images(discriminator.image_shape), _labels(discriminator.num_classes)
    score = _run(lambda p, x: discriminator.score(p, x, label), params, images)
    return _fingerprint(params, "", score)


def _run(function: Callable[..., Any], params: Params, *inputs: Any) -> Any:
    """The outputs as numpy arrays; whatever fails in a function of the user's is an InputError."""
    try:
        with pinned.settings():
            return jax.tree.map(np.asarray, jax.jit(function)(params, *inputs))
    except InputError:
        raise
    except Exception as error:
        lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
        reason = lines[0 if len(lines) < 2 else -1] if lines else ""  # the last one of a traceback
        raise InputError(f"fails with {type(error).__name__}: {reason[:300]}") from error


def _fingerprint(params: Params, text: str, *outputs: np.ndarray) -> str:
    marks = [mark for output in outputs for mark in _marks(output)]
    content = f"{params_hash(params)} {text} {marks}"
    return hashlib.sha256(content.encode()).hexdigest()


def _marks(outputs: np.ndarray) -> list[int]:
    """A random projection of every row, in a thousandth of the largest."""
    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    weights = np.random.default_rng(1).normal(size=rows.shape[1])
    values = rows @ weights
    exponent = int(np.frexp(np.abs(values).max())[1])
    return [exponent, *np.rint(np.ldexp(values, STEPS - exponent)).astype(int).tolist()]


def _labels(num_classes: int) -> Float[Array, "8 k"] | None:
    return jax.nn.one_hot(np.arange(PROBES) % num_classes, num_classes) if num_classes else None


def _latents(generator: Generator) -> tuple[Float32[np.ndarray, "8 z"], Any]:
    z = np.random.default_rng(0).normal(size=(PROBES, generator.z_dim)).astype(np.float32)
    return z, _labels(generator.num_classes)


def _samples(generator: Generator, edits: Any = None) -> Callable[..., Any]:
    def samples(params: Params, z: Array, label: Array | None) -> Any:
        styles = generator.styles(params, z, label)
        return generator.synthesize(params, styles, edits)[0], dict(styles)

    return samples


def _check_shapes(generator: Generator, params: Params) -> None:
    """
    Raises:
        InputError: styles, images or activations are of other shapes than stated, or a layer's edit
            is not applied.
    """
    shapes = dict[str, tuple[int, ...]]()

    def noting(name: str) -> Callable[[Array], Array]:
        def edit(x: Array) -> Array:
            shapes[name] = x.shape
            return x

        return edit

    def traced(params: Params, z: Array, label: Array | None) -> Any:
        styles = generator.styles(params, z, label)
        edits = {name: noting(name) for name in generator.layers}
        quiet = generator.with_noise("none")
        images, taps = quiet.synthesize(params, styles, edits)
        return dict(styles), images, dict(taps)

    try:
        styles, images, taps = jax.eval_shape(traced, params, *_latents(generator))
    except InputError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise InputError(f"its functions fail with {reason}") from error
    wanted: dict[str, tuple[Any, tuple[int, ...]]] = {
        "images": (images, generator.image_shape),
        **{f"styles {n}": (styles.get(n), (k,)) for n, k in generator.style_dims.items()},
    }
    for name, info in generator.layers.items():
        size = info.resolution
        wanted[f"layer {name}"] = taps.get(name), (size, size, info.channels)
    for name, (array, shape) in wanted.items():
        if array is None or array.shape != (PROBES, *shape):
            got = "missing" if array is None else f"of shape {array.shape}"
            raise InputError(f"{name}: {got}; {(PROBES, *shape)} is wanted")
    idle = [name for name in generator.layers if name not in shapes]
    if idle:
        raise InputError(f"synthesis does not apply the edits of layer {', '.join(idle)}")
