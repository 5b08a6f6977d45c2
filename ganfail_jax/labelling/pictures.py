"""Which picture is sample i? PNG files of samples, rendered when they are asked for."""

import io
from collections.abc import Callable
from threading import Lock

import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ganfail_jax.analysis.ablation import renderer
from ganfail_jax.data.pipelines import to_uint8
from ganfail_jax.types import Generator, Params

STEP = 2**17  # pixels that are rendered at a time: 8 images of 128x128
LARGEST_BATCH = 64
KEPT = 2**27  # pixels whose PNG files are kept in memory


def encode(image: UInt8[np.ndarray, "h w c"]) -> bytes:
    """A PNG file of a grey or RGB image."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "png")
    return file.getvalue()


def pictures(generator: Generator, params: Params, seed: int) -> Callable[[int], bytes]:
    """A function from a sample's index to its PNG file, without truncation; threads may share it.

    It renders the batch that the sample is in, and keeps the latest batches.
    """
    render = renderer(generator, seed)
    pixels = generator.image_shape[0] * generator.image_shape[1]
    size = min(max(STEP // pixels, 1), LARGEST_BATCH)
    limit = max(KEPT // (size * pixels), 1)
    rendered: dict[int, list[bytes]] = {}
    rendering = Lock()

    def batch(start: int) -> list[bytes]:
        with rendering:
            if start not in rendered:
                images = np.asarray(render(params, start + jnp.arange(size), {}))
                if len(rendered) >= limit:
                    rendered.pop(next(iter(rendered)))
                rendered[start] = [encode(image) for image in to_uint8(images)]
            return rendered[start]

    def picture(index: int) -> bytes:
        start = index - index % size
        return (rendered.get(start) or batch(start))[index - start]

    return picture
