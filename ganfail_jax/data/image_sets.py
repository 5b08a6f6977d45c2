"""Sets of images that are looked up by number, so that they need not be in memory at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int, UInt8

from ganfail_jax import runtime
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import generate
from ganfail_jax.types import Generator, Params


class Images(NamedTuple):
    """8-bit images of one size."""

    shape: tuple[int, int, int, int]  # n, h, w, c
    take: Callable[[Int[np.ndarray, " b"]], UInt8[np.ndarray, "b h w c"]]  # of numbers below n
    read_ahead: bool = False  # whether a thread may call `take`, which reads files

    def first(self, n: int) -> "Images":
        return self._replace(shape=(n, *self.shape[1:]))

    def select(self, numbers: Int[np.ndarray, " m"]) -> "Images":
        """These of them, in this order."""
        shape = (len(numbers), *self.shape[1:])
        return self._replace(shape=shape, take=lambda rows: self.take(numbers[rows]))

    def whole(self) -> UInt8[np.ndarray, "n h w c"]:
        """All of them, in memory."""
        return self.take(np.arange(self.shape[0]))

    def batches(
        self, parts: Iterable[Int[np.ndarray, " _"]]
    ) -> Iterator[UInt8[np.ndarray, "_ h w c"]]:
        """The images of each part; of those in files the next part is read ahead, in a thread."""
        if not self.read_ahead:
            yield from map(self.take, parts)
            return
        ahead = deque()
        with ThreadPoolExecutor(1) as pool:
            for part in parts:
                ahead.append(pool.submit(self.take, part))
                if len(ahead) == 2:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def in_memory(images: UInt8[np.ndarray, "n h w c"]) -> Images:
    n, h, w, c = images.shape
    return Images((n, h, w, c), images.__getitem__)


def generated(
    generator: Generator, params: Params, n: int, *, seed: int = 0, truncation_psi: float = 1.0
) -> Images:
    """The first n samples of a generator, each batch rendered over all devices.

    Other sizes of batches compile anew; the images are the same.
    """
    mesh = runtime.data_mesh()
    psi = None if truncation_psi == 1 else np.float32(truncation_psi)

    @jax.jit
    def render(params: Params, seed: jax.Array, psi: Any, indices: jax.Array) -> Any:
        return generate(generator, params, seed, indices, truncation_psi=psi)[0]

    def take(numbers: Int[np.ndarray, " b"]) -> UInt8[np.ndarray, "b h w c"]:
        filled = np.resize(numbers, -(-len(numbers) // mesh.size) * mesh.size).astype(np.int32)
        images = np.asarray(render(params, np.uint32(seed), psi, runtime.shard_batch(mesh, filled)))
        return to_uint8(images[: len(numbers)])

    return Images((n, *generator.image_shape), take)
