"""What can a person see in an image, as numbers? Brightness, noise, blur, colour, shape, place.

Each attribute is a statistic of one image, with a word for more of it and one for less. Differences
of an attribute count in standard deviations of it over a population (`analysis.descriptions`).

Attributes of the figure describe what differs from the image's border: a digit on black, an object
on a plain ground. Where borders are not plain they say little, so that they are left out there.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ganfail_jax.images import LUMA

EDGE_SHARE = 0.05  # of the pixels: those of the strongest edges
FLAT_SHARE = 0.5  # of the pixels: those of the weakest edges, where noise is measured
PLAIN = 0.1  # standard deviation along the border of a plain image, of the range 0..1
TINY = 1e-6


class Attribute(NamedTuple):
    """Something a person sees, with words for its directions."""

    name: str
    more: str
    less: str

    def word(self, change: float) -> str:
        """For a change of this sign."""
        return self.more if change > 0 else self.less


EVERY = (
    Attribute("brightness", "brighter", "darker"),
    Attribute("contrast", "more contrast", "less contrast"),
    Attribute("noise", "noisier", "less noisy"),
    Attribute("sharpness", "sharper", "more blurred"),
)
COLOUR = (
    Attribute("saturation", "more colourful", "paler"),
    Attribute("red against green", "redder", "greener"),
    Attribute("yellow against blue", "yellower", "bluer"),
)
FIGURE = (
    Attribute("area", "larger area", "smaller area"),
    Attribute("thickness", "thicker", "thinner"),
    Attribute("size", "more spread out", "more compact"),
    Attribute("aspect", "taller and narrower", "wider and flatter"),
    Attribute("elongation", "more elongated", "rounder"),
    Attribute("slant", "leaning further right", "leaning further left"),
    Attribute("horizontal position", "further right", "further left"),
    Attribute("vertical position", "lower", "higher"),
    Attribute("left-right symmetry", "more alike left and right", "less alike left and right"),
    Attribute("top-bottom symmetry", "more alike top and bottom", "less alike top and bottom"),
)


def attributes_of(channels: int) -> tuple[Attribute, ...]:
    """What `measure` gives for images of so many channels, in its order."""
    return (*EVERY, *(COLOUR if channels == 3 else ()), *FIGURE)


def measure(images: Float[Array, "b h w c"]) -> Float[Array, "b a"]:
    """All attributes of images in [-1, 1], in the order of `attributes_of`.

    Lengths and positions are fractions of the image's side, grey values of the range 0..1.
    """
    pixels = images * 0.5 + 0.5
    luma = pixels @ jnp.asarray(LUMA) if images.shape[-1] == 3 else pixels.mean(axis=-1)
    smooth = _smooth(luma)
    columns = [
        luma.mean(axis=(1, 2)),
        luma.std(axis=(1, 2)),
        noise_level(luma, smooth),
        sharpness(smooth),
    ]
    if images.shape[-1] == 3:
        columns += _colours(pixels)
    return jnp.stack([*columns, *_shape_of(figure_mask(smooth))], axis=1)


def contrast_and_noise(images: Float[Array, "b h w c"]) -> Float[Array, "b 2"]:
    """Two of `measure`, of images in [-1, 1]: by them an image is readable or not."""
    luma = (images * 0.5 + 0.5).mean(axis=-1)
    return jnp.stack([luma.std(axis=(1, 2)), noise_level(luma, _smooth(luma))], axis=1)


def border_spread(images: Float[Array, "b h w c"]) -> Float[Array, " b"]:
    """Standard deviation of the smoothed grey values along the border, of the range 0..1."""
    smooth = _smooth((images * 0.5 + 0.5).mean(axis=-1))
    return _border(smooth).std(axis=1)


def _smooth(luma: Float[Array, "b h w"]) -> Float[Array, "b h w"]:
    """By the binomial filter (1, 2, 1) / 4 in both directions, twice; edges are repeated."""
    for axis in (1, 2, 1, 2):
        pads = [(0, 0)] * 3
        pads[axis] = (1, 1)
        padded, n = jnp.pad(luma, pads, mode="edge"), luma.shape[axis]
        before, after = (jax.lax.slice_in_dim(padded, k, k + n, axis=axis) for k in (0, 2))
        luma = 0.25 * before + 0.5 * luma + 0.25 * after
    return luma


def _slopes(smooth: Float[Array, "b h w"]) -> Float[Array, "b n"]:
    """Magnitude of the gradient inside the image, per pixel."""
    down = (smooth[:, 2:, 1:-1] - smooth[:, :-2, 1:-1]) / 2
    across = (smooth[:, 1:-1, 2:] - smooth[:, 1:-1, :-2]) / 2
    return jnp.hypot(down, across).reshape(len(smooth), -1)


def noise_level(luma: Float[Array, "b h w"], smooth: Float[Array, "b h w"]) -> Float[Array, " b"]:
    """Standard deviation of white noise, from the flat half of the pixels.

    The response to a difference of two Laplacians, which ignores linear slopes (Immerkaer 1996),
    away from edges (Tai and Yang 2008). Noise that is clipped at black or white counts less.
    """
    rows = luma[:, :-2] - 2 * luma[:, 1:-1] + luma[:, 2:]
    response = jnp.abs(rows[..., :-2] - 2 * rows[..., 1:-1] + rows[..., 2:])
    response = response.reshape(len(luma), -1)
    slopes = _slopes(smooth)
    flat = slopes <= jnp.quantile(slopes, FLAT_SHARE, axis=1, keepdims=True)
    mean = jnp.sum(response * flat, axis=1) / jnp.sum(flat, axis=1)
    return jnp.sqrt(jnp.pi / 2) * mean / 6  # a standard deviation of 6 for unit noise


def sharpness(smooth: Float[Array, "b h w"]) -> Float[Array, " b"]:
    """How steep the strongest edges are, in units of the image's range: less when blurred."""
    slopes = _slopes(smooth)
    steep = jnp.quantile(slopes, 1 - EDGE_SHARE, axis=1)
    flat = smooth.reshape(len(smooth), -1)
    low, high = jnp.quantile(flat, jnp.asarray([0.02, 0.98]), axis=1)
    return steep / jnp.maximum(high - low, TINY)


def _colours(pixels: Float[Array, "b h w 3"]) -> list[Float[Array, " b"]]:
    red, green, blue = jnp.moveaxis(pixels, -1, 0)
    most = pixels.max(axis=-1)
    saturation = (most - pixels.min(axis=-1)) / jnp.maximum(most, TINY)
    opponents = (saturation, red - green, (red + green) / 2 - blue)
    return [each.mean(axis=(1, 2)) for each in opponents]


def _border(values: Float[Array, "b h w"]) -> Float[Array, "b n"]:
    sides = (values[:, 0], values[:, -1], values[:, 1:-1, 0], values[:, 1:-1, -1])
    return jnp.concatenate(sides, axis=1)


def figure_mask(smooth: Float[Array, "b h w"]) -> Float[Array, "b h w"]:
    """0 where a pixel looks like the border, 1 where it differs at least half as much as any."""
    ground = jnp.median(_border(smooth), axis=1)[:, None, None]
    differs = jnp.abs(smooth - ground)
    most = differs.max(axis=(1, 2), keepdims=True)
    return jnp.clip((differs / jnp.maximum(most, TINY) - 0.25) / 0.5, 0, 1)


def _shape_of(mask: Float[Array, "b h w"]) -> list[Float[Array, " b"]]:
    """The attributes FIGURE of masks, by their moments."""
    _, h, w = mask.shape
    side = max(h, w)
    y, x = (jnp.arange(n) - (n - 1) / 2 for n in (h, w))
    weight = mask / jnp.maximum(mask.sum(axis=(1, 2), keepdims=True), TINY)
    cy = jnp.einsum("bhw,h->b", weight, y)
    cx = jnp.einsum("bhw,w->b", weight, x)
    yy = jnp.einsum("bhw,h->b", weight, y**2) - cy**2
    xx = jnp.einsum("bhw,w->b", weight, x**2) - cx**2
    xy = jnp.einsum("bhw,h,w->b", weight, y, x) - cy * cx
    root = jnp.sqrt((xx - yy) ** 2 + 4 * xy**2)
    total = jnp.maximum(xx + yy, TINY)
    outline = _outline(mask)
    area = mask.mean(axis=(1, 2))
    return [
        area,
        2 * area * h * w / jnp.maximum(outline, 1) / side,
        jnp.sqrt(total) / side,
        0.5 * jnp.log(jnp.maximum(yy, TINY) / jnp.maximum(xx, TINY)),
        root / total,
        -xy / jnp.maximum(yy, TINY),
        cx / w,
        cy / h,
        _likeness(mask, cy, cx, 2),
        _likeness(mask, cy, cx, 1),
    ]


def _outline(mask: Float[Array, "b h w"]) -> Float[Array, " b"]:
    """The length of the figure's edge in pixels: the total variation of its mask."""
    falling = mask[:, 1:, 1:] - mask[:, :-1, :-1]  # along the diagonals: a mirror swaps them
    rising = mask[:, 1:, :-1] - mask[:, :-1, 1:]
    return jnp.hypot(falling, rising).sum(axis=(1, 2)) / math.sqrt(2)


def _likeness(
    mask: Float[Array, "b h w"], cy: Float[Array, " b"], cx: Float[Array, " b"], axis: int
) -> Float[Array, " b"]:
    """The share of the figure that lies on its mirror image about its own centre."""

    def centre(one: Array, down: Array, across: Array) -> Array:
        shift = jnp.round(-jnp.stack([down, across])).astype(jnp.int32)
        return jnp.roll(one, shift, (0, 1))

    own = jax.vmap(centre)(mask, cy, cx)
    both = jnp.minimum(own, jnp.flip(own, axis)).sum(axis=(1, 2))
    return both / jnp.maximum(own.sum(axis=(1, 2)), TINY)
