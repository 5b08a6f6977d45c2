"""Which picture is sample i? PNG files of samples, rendered on request."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager

import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ganfail_jax import pinned
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import renderer
from ganfail_jax.types import Generator, Params

STEP = 2**17  # pixels that are rendered at a time: 8 images of 128x128
LARGEST_BATCH = 64
KEPT = 2**27  # pixels whose PNG files are kept in memory


def encode(image: UInt8[np.ndarray, "h w c"]) -> bytes:
    """A PNG file of a grey or RGB image."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "png")
    return file.getvalue()


@contextmanager
def pictures(generator: Generator, params: Params, seed: int) -> Iterator[Callable[[int], bytes]]:
    """A function from a sample's index to its PNG file, without truncation; threads may share it.

    It renders the batch that the sample is in, and keeps the latest batches. All is rendered by one
    thread, which has ended when the block has: a process must not end while XLA works in a thread.
    From then on the function raises ConnectionError, as it does in those who still wait for it.
    """
    render = renderer(generator, seed)
    pixels = generator.image_shape[0] * generator.image_shape[1]
    size = min(max(STEP // pixels, 1), LARGEST_BATCH)
    limit = max(KEPT // (size * pixels), 1)
    rendered: dict[int, list[bytes]] = {}
    worker = ThreadPoolExecutor(1)

    @pinned.settings()
    def batch(start: int) -> list[bytes]:
        if start not in rendered:
            images = np.asarray(render(params, start + jnp.arange(size), {}))
            if len(rendered) >= limit:
                rendered.pop(next(iter(rendered)))
            rendered[start] = [encode(image) for image in to_uint8(images)]
        return rendered[start]

    def wait_for(start: int) -> list[bytes]:
        try:
            job = worker.submit(batch, start)
        except RuntimeError as error:
            raise ConnectionError("nothing is rendered any more") from error
        try:
            return job.result()
        except CancelledError as error:
            raise ConnectionError("nothing is rendered any more") from error

    def picture(index: int) -> bytes:
        start = index - index % size
        return (rendered.get(start) or wait_for(start))[index - start]

    try:
        yield picture
    finally:
        worker.shutdown(cancel_futures=True)
