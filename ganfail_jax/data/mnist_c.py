"""Which digits of `mnist_c` are blurred and noisy, and how much? Le Coz 2022, sec. 3.1.

"half" is the paper's text: the first half stays clean, the second half is blurred, then noised,
at independent severities uniform in 1..3. A probability is the authors' scripts' option.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Integer, UInt8, UInt64

from ganfail_jax.data.corruptions import SEVERITIES, gaussian_blur, gaussian_noise
from ganfail_jax.data.mnist import DataError

PAD = 2  # 28 -> 32
STREAMS = {"train": 0, "test": 1}
CHUNK = 4096  # images in float64 at a time: 34 MB each for pixels and noise

Corruption = str | float  # "half" or a probability


class CorruptedDigits(NamedTuple):
    images: UInt8[np.ndarray, "n 32 32 1"]
    blur_severity: UInt8[np.ndarray, " n"]  # 0 = clean
    noise_severity: UInt8[np.ndarray, " n"]  # 0 = clean


def corrupt(
    images28: UInt8[np.ndarray, "n 28 28"],
    *,
    corruption: Corruption = "half",
    seed: int,
    split: str,
    start: int = 0,
    total: int | None = None,
) -> CorruptedDigits:
    """Digits padded to 32x32 with zeros, some of them blurred and then noised.

    What happens to an image depends on (seed, split, its index) alone, besides `corruption`, so
    any chunk equals the same rows of the whole. With probabilities p < q, the images corrupted
    at p are among those corrupted at q, with the same severities and noise.

    Args:
      images28: the digits; row i has index `start + i` in its split.
      corruption: "half" (the first `total // 2` indices stay clean) or a probability per image.
      seed: non-negative.
      split: "train" or "test"; each has its own random stream.
      start: index of the first row.
      total: size of the split, needed for "half" when `images28` is a chunk; by default the rows
        end the split.

    Raises:
      DataError: unknown split, or a corruption that is neither "half" nor in [0, 1].
    """
    if split not in STREAMS:
        raise DataError(f"mnist_c has no split {split!r}; splits are {', '.join(STREAMS)}")
    if isinstance(corruption, str) and corruption != "half":
        raise DataError(f'corruption {corruption!r} is unknown; give "half" or a probability')
    if not isinstance(corruption, str) and not 0.0 <= corruption <= 1.0:
        raise DataError(f"corruption probability {corruption} is outside [0, 1]")
    index = start + np.arange(len(images28))
    if isinstance(corruption, str):
        size = start + len(images28) if total is None else total
        probability = (index >= size // 2).astype(np.float64)
    else:
        probability = np.full(len(index), float(corruption))
    key = np.random.SeedSequence([seed, STREAMS[split]]).generate_state(2, np.uint64)

    images = np.pad(images28, ((0, 0), (PAD, PAD), (PAD, PAD)))
    severities = np.zeros((len(images), 2), np.uint8)
    for first in range(0, len(images), CHUNK):
        rows = slice(first, first + CHUNK)
        severities[rows], normal = _draw(key, index[rows], probability[rows])
        blur, noise = severities[rows].T
        changed = np.flatnonzero(blur)
        blurred = gaussian_blur(images[rows][changed] / 255.0, blur[changed])
        noised = gaussian_noise(blurred, noise[changed], normal[changed])
        images[first + changed] = np.rint(noised * 255.0).astype(np.uint8)
    return CorruptedDigits(images[..., None], severities[:, 0], severities[:, 1])


def _draw(
    key: UInt64[np.ndarray, "2"],
    index: Integer[np.ndarray, " n"],
    probability: Float64[np.ndarray, " n"],
) -> tuple[UInt8[np.ndarray, "n 2"], Float64[np.ndarray, "n 32 32"]]:
    """Blur and noise severity and standard normal pixels, all zero for images that stay clean."""
    severities = np.zeros((len(index), 2), np.uint8)
    normal = np.zeros((len(index), 32, 32))
    for row in np.flatnonzero(probability):
        # The highest word of Philox's counter is the index: each image has its own numbers.
        counter = np.array([0, 0, 0, index[row]], np.uint64)
        rng = np.random.Generator(np.random.Philox(key=key, counter=counter))
        if rng.random() < probability[row]:
            severities[row] = rng.integers(SEVERITIES[0], SEVERITIES[-1] + 1, size=2)
            rng.standard_normal(out=normal[row])
    return severities, normal
