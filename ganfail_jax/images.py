"""What a viewer sees of an image: pixels of 8 bits, 0..255, which stand for [-1, 1].

A generator's output is any float; a picture is not. Classifiers, discriminators and metrics get
generated images as `as_viewed` (or `to_uint8`) gives them, so that real and generated images reach
them in the same form; `latents.generate` and `analysis.outputs.render`, from which analyses have
images, see to it. The convention is stylegan2-ada-pytorch's: `x * 127.5 + 128`, clipped and
truncated.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, UInt8

from ganfail_jax.errors import InputError

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R BT.601, as Pillow's "L"


def to_float(images: UInt8[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """0..255 to [-1, 1]."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def to_uint8(images: Float32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """[-1, 1] to 0..255 by `x * 127.5 + 128`, clipped, truncated: the inverse of `to_float`.

    Raises:
        InputError: a pixel is NaN or infinite, so the network that made it has overflowed.
    """
    if not np.isfinite(images).all():
        raise InputError("images with pixels that are not finite: what makes them has overflowed")
    return np.clip(images * np.float32(127.5) + np.float32(128.0), 0.0, 255.0).astype(np.uint8)


# A table, because compilers turn `/ 127.5 - 1` into other roundings than those of real images.
LEVELS = to_float(np.arange(256, dtype=np.uint8))


def to_levels(images: Float[Array, "*shape"]) -> UInt8[Array, "*shape"]:
    """`to_uint8` on the device; it has no gradient."""
    return jnp.clip(images * 127.5 + 128.0, 0.0, 255.0).astype(jnp.uint8)


def from_levels(levels: UInt8[Array, "*shape"]) -> Float32[Array, "*shape"]:
    """`to_float` on the device."""
    return jnp.asarray(LEVELS)[levels]


def _as_viewed(images: Array) -> Array:
    viewed = from_levels(to_levels(images)).astype(images.dtype)
    return jnp.where(jnp.isfinite(images), viewed, jnp.nan)  # a broken image is not a black one


@jax.custom_jvp
def as_viewed(images: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """The image that a viewer sees, in [-1, 1]: equal to `to_float(to_uint8(images))`.

    A value between two levels, to the last bit of a float32, may become either. Its derivative is
    that of clipping: 1 within [-1, 1], 0 outside; rounding counts as none. Pixels that are not
    finite become NaN, which `to_uint8` refuses on the host, not black or white.
    """
    return _as_viewed(images)


@as_viewed.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (images,), (tangent,) = primals, tangents
    return as_viewed(images), jnp.where(jnp.abs(images) > 1, 0, tangent)


@jax.custom_vjp
def as_viewed_in_training(images: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """The same image as `as_viewed`, for a loss that is minimised.

    The gradient also reaches a clipped pixel where a step against it would bring the pixel back;
    with the derivative of clipping, no pixel that is too black would ever be corrected.
    """
    return _as_viewed(images)


def _keep(images: Array) -> tuple[Array, Array]:
    return as_viewed_in_training(images), images


def _drop_outward(images: Array, gradient: Array) -> tuple[Array]:
    outward = ((images < -1) & (gradient > 0)) | ((images > 1) & (gradient < 0))
    return (jnp.where(outward, 0, gradient),)


as_viewed_in_training.defvjp(_keep, _drop_outward)
