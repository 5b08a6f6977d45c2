"""What does a set of images look like to a network? One row of features per image.

A metric is always of some extractor's features, which every output names.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, UInt8
from tqdm import tqdm

from ganfail_jax.data.pipelines import to_float
from ganfail_jax.errors import InputError
from ganfail_jax.metrics import feature_cache
from ganfail_jax.types import Classifier, Params

SHARD = 1000  # images extracted between two writes to the cache, or one batch if that is more


class Features(NamedTuple):
    """An extractor; `extract` must not depend on what else is in the batch."""

    name: str  # such as "mnist_c_corrupted classifier features"
    dim: int
    extract: Callable[[UInt8[np.ndarray, "b h w c"]], Array | np.ndarray]  # -> [b, dim]
    preprocessing: str = ""  # from 8-bit images to the network's input
    weights: str = ""  # SHA-256, or what else tells them from others; needed for a cache
    at_once: int | None = None  # larger batches make a CPU slower

    @property
    def identity(self) -> dict[str, str | int]:
        """All that the features of an image depend on."""
        return {
            "extractor": self.name,
            "dim": self.dim,
            "preprocessing": self.preprocessing,
            "weights": self.weights,
        }


def classifier_features(
    name: str, classifier: Classifier, params: Params, weights: str = ""
) -> Features:
    """The last feature map of a classifier, averaged over its pixels.

    Args:
        name: of the classifier.
    """

    @jax.jit
    def pooled(params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b d"]:
        return jnp.mean(classifier.features(params, images), axis=(1, 2))

    image = jax.ShapeDtypeStruct((1, *classifier.image_shape), np.float32)
    return Features(
        name=f"{name} classifier features",
        dim=jax.eval_shape(pooled, params, image).shape[1],
        extract=lambda images: pooled(params, to_float(images)),
        preprocessing="[-1, 1]",
        weights=weights,
    )


def extract_features(
    features: Features,
    images: UInt8[np.ndarray, "n h w c"] | Iterable[UInt8[np.ndarray, "_ h w c"]],
    *,
    batch_size: int = 100,
    cache: Path | None = None,
    progress: str | None = None,
) -> Float32[np.ndarray, "n d"]:
    """Features of all images, a batch of images in memory at a time.

    Args:
        images: an array, or batches of any size; of the latter none is asked for if `cache` has
            all features, and those that it has are passed over.
        cache: from `feature_cache.open_cache`.
        progress: description of a progress bar; None: silent.

    Raises:
        InputError: no images, or an extractor of other than `dim` features.
    """
    parts: list[np.ndarray] = []
    if cache is not None:
        whole = feature_cache.read_whole(cache, features.dim)
        if whole is not None:
            return whole
        parts += feature_cache.read_shards(cache, features.dim)
    arrays, total = ([images], len(images)) if isinstance(images, np.ndarray) else (images, None)
    done, fresh = sum(map(len, parts)), []
    bar = tqdm(total=total, initial=done, desc=progress, unit="img", disable=progress is None)
    with bar:
        for batch in _batches(_after(arrays, done), batch_size):
            fresh.append(_extract(features, batch, batch_size))
            bar.update(len(batch))
            if cache is not None and sum(map(len, fresh)) >= SHARD:
                start, rows, fresh = sum(map(len, parts)), np.concatenate(fresh), []
                feature_cache.write_shard(cache, start, rows)
                parts.append(rows)
    if not parts and not fresh:
        raise InputError(f"no images to extract {features.name} from")
    found = np.concatenate([*parts, *fresh])
    if cache is not None:
        feature_cache.write_whole(cache, found)
    return found


def _extract(
    features: Features, batch: UInt8[np.ndarray, "b h w c"], size: int
) -> Float32[np.ndarray, "b d"]:
    """Of a batch filled up to its full size, so that one compilation serves all."""
    filled = np.concatenate([batch, np.repeat(batch[:1], size - len(batch), axis=0)])
    rows = np.asarray(features.extract(filled), np.float32)
    if rows.shape != (size, features.dim):
        raise InputError(
            f"{features.name}: {features.dim} features of {size} images wanted, "
            f"not an array of shape {rows.shape}"
        )
    return rows[: len(batch)]


def _after(arrays: Iterable[np.ndarray], skip: int) -> Iterator[np.ndarray]:
    """All rows but the first `skip`."""
    for array in arrays:
        passed = min(skip, len(array))
        skip -= passed
        if passed < len(array):
            yield array[passed:]


def _batches(arrays: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same rows in pieces of `size`, but for the last."""
    rest: np.ndarray | None = None
    for array in arrays:
        joined = array if rest is None else np.concatenate([rest, array])
        whole = len(joined) // size * size
        yield from (joined[start : start + size] for start in range(0, whole, size))
        rest = joined[whole:]
    if rest is not None and len(rest):
        yield rest
