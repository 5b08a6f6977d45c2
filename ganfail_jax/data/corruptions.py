"""How is an image blurred and made noisy? ImageNet-C's constants, as MNIST-C uses them.

Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", sec. 3; applied by Le Coz 2022, sec. 3.1. Severity 0 means untouched.
"""

import numpy as np
import scipy
from jaxtyping import Float, Integer

SEVERITIES = (1, 2, 3)
GAUSSIAN_BLUR_SIGMA = {1: 1.0, 2: 2.0, 3: 3.0}  # pixels
GAUSSIAN_NOISE_SIGMA = {1: 0.08, 2: 0.12, 3: 0.18}  # on [0, 1]


def gaussian_blur(
    images: Float[np.ndarray, "n h w"], severity: Integer[np.ndarray, " n"]
) -> Float[np.ndarray, "n h w"]:
    """Images in [0, 1], each blurred at its own severity; severity 0 returns it bit for bit.

    Raises:
      ValueError: a severity is none of 0..3.
    """
    _check(severity)
    blurred = images.copy()
    for level in SEVERITIES:
        chosen = severity == level
        blurred[chosen] = scipy.ndimage.gaussian_filter(
            images[chosen], GAUSSIAN_BLUR_SIGMA[level], axes=(1, 2), mode="nearest", truncate=4.0
        )
    return np.clip(blurred, 0.0, 1.0)


def gaussian_noise(
    images: Float[np.ndarray, "n h w"],
    severity: Integer[np.ndarray, " n"],
    standard_normal: Float[np.ndarray, "n h w"],
) -> Float[np.ndarray, "n h w"]:
    """Images in [0, 1] plus sigma(severity) times the given standard normal draws, clipped.

    The draws are an argument, so that the caller decides what they depend on.

    Raises:
      ValueError: a severity is none of 0..3.
    """
    _check(severity)
    sigma = np.array([0.0, *(GAUSSIAN_NOISE_SIGMA[level] for level in SEVERITIES)], images.dtype)
    return np.clip(images + sigma[severity][:, None, None] * standard_normal, 0.0, 1.0)


def _check(severity: Integer[np.ndarray, " n"]) -> None:
    wrong = np.setdiff1d(severity, (0, *SEVERITIES))
    if wrong.size:
        raise ValueError(f"severity {wrong[0]} is unknown; severities are 0 (untouched), 1, 2, 3")
