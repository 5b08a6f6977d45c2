"""Which digits of `mnist_c` are blurred and noisy, and how much? Le Coz 2022, sec. 3.1.

"half" is the paper's text: the first half stays clean, the second half is blurred, then noised,
at independent severities uniform in 1..3. A probability is the authors' scripts' option.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, UInt8, UInt64

from ganfail_jax.data.corruptions import SEVERITIES, gaussian_blur, gaussian_noise
from ganfail_jax.data.mnist import DataError

PAD = 2  # 28 -> 32
STREAMS = {"train": 0, "test": 1}
CHUNK = 4096  # images in float64 at a time: 34 MB each for pixels and noise

Corruption = str | float  # "half" or a probability


class CorruptedDigits(NamedTuple):
    images: UInt8[np.ndarray, "n 32 32 1"]
    blur_severity: UInt8[np.ndarray, "n"]  # 0 = clean
    noise_severity: UInt8[np.ndarray, "n"]  # 0 = clean


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
    clean_below = (start + len(images28) if total is None else total) // 2
    probability = None if isinstance(corruption, str) else corruption
    key = np.random.SeedSequence([seed, STREAMS[split]]).generate_state(2, np.uint64)

    padded = np.pad(images28, ((0, 0), (PAD, PAD), (PAD, PAD)))
    severities = np.zeros((2, len(images28)), np.uint8)
    for first in range(0, len(images28), CHUNK):
        rows = slice(first, first + CHUNK)
        normal = np.zeros(padded[rows].shape)
        for row in range(len(normal)):
            index = start + first + row
            if probability is None and index < clean_below:
                continue
            rng = _stream(key, index)
            if rng.random() >= (1.0 if probability is None else probability):
                continue
            severities[:, first + row] = rng.integers(SEVERITIES[0], SEVERITIES[-1] + 1, size=2)
            rng.standard_normal(out=normal[row])
        changed = first + np.flatnonzero(severities[0, rows])
        padded[changed] = _quantise(
            _blur_then_noise(padded[changed], *severities[:, changed], normal[changed - first])
        )
    return CorruptedDigits(padded[..., None], *severities)


def _stream(key: UInt64[np.ndarray, "2"], index: int) -> np.random.Generator:
    """The image's own random numbers: the highest word of Philox's counter is its index."""
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, index]))


def _blur_then_noise(
    images: UInt8[np.ndarray, "n h w"],
    blur_severity: UInt8[np.ndarray, "n"],
    noise_severity: UInt8[np.ndarray, "n"],
    standard_normal: Float64[np.ndarray, "n h w"],
) -> Float64[np.ndarray, "n h w"]:
    return gaussian_noise(
        gaussian_blur(images / 255.0, blur_severity), noise_severity, standard_normal
    )


def _quantise(images: Float64[np.ndarray, "n h w"]) -> UInt8[np.ndarray, "n h w"]:
    """[0, 1] to the nearest of 0..255."""
    return np.rint(images * 255.0).astype(np.uint8)
