"""What does a set of images look like to a network? One row of features per image.

A metric is always of some extractor's features, which every output names.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Shaped, UInt8

from ganfail_jax import pinned, runtime
from ganfail_jax.data.image_sets import Images
from ganfail_jax.errors import InputError
from ganfail_jax.images import to_float
from ganfail_jax.metrics import feature_cache
from ganfail_jax.types import Classifier, Params

ON_ACCELERATOR = 10  # times as many images at once as on a CPU; more need gigabytes
SHARD = 1000  # images extracted between two writes to the cache, or one batch if that is more


class Features(NamedTuple):
    """An extractor; `extract` must not depend on what else is in the batch."""

    name: str  # such as "mnist_c_corrupted classifier features"
    dim: int
    extract: Callable[[UInt8[np.ndarray, "b h w c"]], Array | np.ndarray]  # -> [b, dim]
    preprocessing: str = ""  # from 8-bit images to the network's input
    weights: str = ""  # SHA-256, or what else tells them from others; needed for a cache
    at_once: int | None = None  # more images per device and step make a CPU slower, see below

    @property
    def identity(self) -> dict[str, str | int]:
        """All that the features of an image depend on."""
        return {
            "extractor": self.name,
            "dim": self.dim,
            "preprocessing": self.preprocessing,
            "weights": self.weights,
        }


def over_devices(
    run: Callable[[Params, Array], Array], params: Params
) -> Callable[[Shaped[np.ndarray, "b h w c"]], Array]:
    """Compile `run(params, images)` for all devices, each of which takes its share of a batch."""
    mesh, compiled = runtime.data_mesh(), jax.jit(run)
    everywhere = runtime.replicate(mesh, params)
    return lambda images: compiled(everywhere, runtime.shard_batch(mesh, images))


def classifier_features(
    name: str,
    classifier: Classifier,
    params: Params,
    weights: str = "",
    image_shape: tuple[int, int, int] | None = None,
) -> Features:
    """The last feature map of a classifier, averaged over its pixels.

    Args:
        name: of the classifier.
        image_shape: of the images; None: the classifier's own.

    Raises:
        InputError: the classifier has no feature map.
    """
    shape = image_shape or classifier.image_shape
    if shape is None:
        raise InputError(f"classifier {name} takes any images; say of which shape")
    image = jax.ShapeDtypeStruct((1, *shape), np.float32)
    maps = jax.eval_shape(classifier.feature_map, params, image)
    if len(maps.shape) != 4 or not maps.size:
        raise InputError(f"classifier {name} has no feature maps; give other --features")

    def pooled(params: Params, images: Float[Array, "b h w c"]) -> Float[Array, "b d"]:
        return jnp.mean(classifier.feature_map(params, images), axis=(1, 2))

    spread = over_devices(pooled, params)
    return Features(
        name=f"{name} classifier features",
        dim=maps.shape[-1],
        extract=lambda images: spread(to_float(images)),
        preprocessing="[-1, 1]",
        weights=weights,
    )


@pinned.settings()
def extract_features(
    features: Features,
    images: Images,
    *,
    batch_size: int = 100,
    cache: Path | None = None,
    progress: str | None = None,
) -> Float32[np.ndarray, "n d"]:
    """Features of all images, a batch of images in memory at a time.

    Args:
        batch_size: rounded up to a multiple of the devices.
        cache: from `feature_cache.open_cache`; images whose features it has are not looked at.
        progress: description of a progress bar; None: silent.

    Raises:
        InputError: no images, an extractor of other than `dim` features or of such that are not
            finite, or no room in the cache.
    """
    n = images.shape[0]
    if not n:
        raise InputError(f"no images to extract {features.name} from")
    none = np.empty((0, features.dim), np.float32)
    kept = none if cache is None else feature_cache.read(cache, features.dim, n)
    if len(kept) == n:
        return kept
    parts, fresh, saved = [kept], list[np.ndarray](), len(kept)
    batch_size = _batch_size(features, min(batch_size, max(n, SHARD)))
    with runtime.progress_bar(progress, n, saved) as bar:
        starts = range(saved, n, batch_size)
        # the last batch is filled up with the last image, so that one compilation serves all
        numbers = (np.minimum(np.arange(s, s + batch_size), n - 1) for s in starts)
        for start, batch in zip(starts, images.batches(numbers), strict=True):
            fresh.append(_extract(features, batch, start, n))
            bar.update(len(fresh[-1]))
            if cache is not None and sum(map(len, fresh)) >= SHARD:
                parts, fresh = [*parts, np.concatenate(fresh)], []
                feature_cache.write_shard(cache, saved, parts[-1])
                saved += len(parts[-1])
    found = np.concatenate([*parts, *fresh])
    if cache is not None:
        feature_cache.write_whole(cache, found)
    return found


def _batch_size(features: Features, asked: int) -> int:
    devices = runtime.data_mesh().size
    if features.at_once is not None:
        times = 1 if jax.default_backend() == "cpu" else ON_ACCELERATOR
        asked = min(asked, times * features.at_once * devices)
    return -(-asked // devices) * devices


def _extract(
    features: Features, batch: UInt8[np.ndarray, "s h w c"], start: int, n: int
) -> Float32[np.ndarray, "b d"]:
    """Of the images from number `start` on, of n; what fills the batch up is left out."""
    rows = np.asarray(features.extract(batch), np.float32)
    if rows.shape != (len(batch), features.dim):
        raise InputError(
            f"{features.name}: {features.dim} features of {len(batch)} images wanted, "
            f"not an array of shape {rows.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        raise InputError(
            f"{features.name} of image {min(start + bad[0], n - 1):,} are not finite; "
            "the network's weights or this image are at fault"
        )
    return rows[: n - start]
