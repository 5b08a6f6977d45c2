"""How images enter the ImageNet networks: each convention is a function of images in [-1, 1]."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from ganfail_jax.errors import InputError
from ganfail_jax.nn import frozen

RESOLUTION = 224
MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # torchvision's, of images in [0, 1]
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
Normalize = Callable[[Array], Array]


def resize(images: Float[Array, "b h w c"]) -> Float[Array, "b 224 224 c"]:
    """To the size of training, as torch's `interpolate`: half-pixel centres, no antialiasing."""
    return frozen.resize_bilinear(images, (RESOLUTION, RESOLUTION), half_pixel=True)


def unit_range(images: Float[Array, "b h w c"]) -> Float[Array, "b h w 3"]:
    """Grey or colour images in [0, 1]: torchvision's `ToTensor` alone, as some fine-tunings do.

    Raises:
        InputError: neither one nor three channels.
    """
    if images.shape[3] not in (1, 3):
        raise InputError(f"images of {images.shape[3]} channels; ImageNet's networks take 1 or 3")
    return frozen.grey_to_rgb(images) / 2 + 0.5


def standardize(images: Float[Array, "b h w c"]) -> Float[Array, "b h w 3"]:
    """Less the mean, by the deviation: of torchvision's published weights, and of LPIPS (Zhang et
    al. 2018), which states the same numbers for [-1, 1].

    Raises:
        InputError: neither one nor three channels.
    """
    return (unit_range(images) - MEAN) / DEVIATION


class Entry(NamedTuple):
    """What a publisher's network takes for an image in [-1, 1] of any size."""

    text: str
    resize: Callable[[Array], Array]
    normalize: Normalize


TORCHVISION = Entry(
    f"bilinear resizing to {RESOLUTION}, torchvision's mean and deviation", resize, standardize
)
NVIDIA = Entry(  # of vgg16.pt, as public ports of it have it; the file itself was not at hand
    f"TensorFlow 1's bilinear resizing to {RESOLUTION}, torchvision's mean and deviation",
    lambda images: frozen.resize_bilinear(images, (RESOLUTION, RESOLUTION), half_pixel=False),
    standardize,
)
UNIT_RANGE = Entry(f"bilinear resizing to {RESOLUTION}, [0, 1]", resize, unit_range)
