"""How does a discriminator that sees few images avoid memorising them? Adaptive augmentation (ADA).

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", appendix B: each
transformation is applied with probability p to everything the discriminator sees, real and
generated, and p follows how sure the discriminator is of the real images (section 3.2). The
distributions, their order and the pipe "bgc" (blit, geometric, colour) are those of
stylegan2-ada-pytorch `training/augment.py`. What differs, on purpose:

- Flips and quarter turns move pixels exactly. The reference sends them through its resampler,
  whose sym6 filter is not quite symmetric: white noise flipped that way is wrong by 16 % rms.
- The image is reflected without limit. The reference pads by a margin that depends on the batch,
  one reflection at most, and shows zeros beyond.
- Each image has its own key, folded from its index in the batch.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import Precision
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, ScalarLike

# Low-pass decomposition filter of the Symlet with six vanishing moments (Daubechies 1992, ch. 8).
SYM6 = np.array(
    [
        *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057),
        *(-0.048311742585633, 0.4910559419267466, 0.787641141030194),
        *(0.3379294217276218, -0.07263752278646252, -0.021060292512300564),
        *(0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
    ]
)
PEAK = 5  # the tap that the reference's padding puts on the source pixel
LUMA_TURN = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])  # sqrt(3) times: grey axis x colour


class AugmentPipe(NamedTuple):
    """Multiplier of p for each transformation (0 = off), then NVIDIA's strengths. Static in jit."""

    xflip: float = 0.0
    rotate90: float = 0.0
    xint: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    aniso: float = 0.0
    xfrac: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    lumaflip: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0

    xint_max: float = 0.125  # range, share of the image's side
    scale_std: float = 0.2  # octaves
    rotate_max: float = 1.0  # range, 1 = any angle
    aniso_std: float = 0.2  # octaves
    xfrac_std: float = 0.125  # share of the image's side
    brightness_std: float = 0.2  # on the [-1, 1] scale
    contrast_std: float = 0.5  # octaves
    hue_max: float = 1.0  # range, 1 = any angle
    saturation_std: float = 1.0  # octaves


TURNS, WARPS, COLOURS = slice(0, 2), slice(2, 7), slice(7, 12)  # the multipliers by function
BLIT = AugmentPipe(xflip=1.0, rotate90=1.0, xint=1.0)
BG = BLIT._replace(scale=1.0, rotate=1.0, aniso=1.0, xfrac=1.0)
BGC = BG._replace(brightness=1.0, contrast=1.0, lumaflip=1.0, hue=1.0, saturation=1.0)


def augment(
    images: Float[Array, "b h w c"], key: PRNGKeyArray, p: ScalarLike, pipe: AugmentPipe = BGC
) -> Float[Array, "b h w c"]:
    """Images in about [-1, 1], each transformed at random with probability `p`; never clipped.

    Affine in the images, so gradients of any order pass (R1, path length). At p = 0 the result is
    the input to float32 rounding (below 1e-5): resampling with an orthonormal filter inverts
    itself. Image i depends on (key, i) alone, not on the batch size.

    Args:
        p: may be traced; above 1 it acts as 1.

    Raises:
        ValueError: for images neither grey nor RGB, or for quarter turns of images not square.
    """
    _, height, width, channels = images.shape
    if channels not in (1, 3):
        raise ValueError(f"augment needs 1 (grey) or 3 (RGB) channels, got {channels}")
    if pipe.rotate90 and height != width:
        raise ValueError(f"rotate90 needs square images, got {height}x{width}; set rotate90=0")

    def augment_one(image, index):
        blit, geometry, colour = jax.random.split(jax.random.fold_in(key, index), 3)
        if any(pipe[TURNS]):
            image = turn(image, *draw_turn(blit, p, pipe))
        if any(pipe[WARPS]):
            image = warp(image, *draw_warp(geometry, p, pipe, height, width))
        if any(pipe[COLOURS]):
            image = recolour(image, *draw_colour(colour, p, pipe, channels))
        return image.astype(images.dtype)

    return jax.vmap(augment_one)(images, jnp.arange(len(images)))


def update_probability(
    p: ScalarLike,
    mean_sign: ScalarLike,
    batch_size: int,
    interval: int = 4,
    target: ScalarLike = 0.6,
    ada_kimg: ScalarLike = 500.0,
) -> Float[Array, ""]:
    """The next augmentation probability; section 3.2, heuristic r_t.

    p moves by batch_size * interval / (ada_kimg * 1000), so 0 to 1 takes `ada_kimg` thousand
    images. As in the reference it stays >= 0 but may pass 1; there it acts as 1 and has to come
    back down before the images change.

    Args:
        mean_sign: r_t = E[sign(D(real, augmented))] over the last `interval` batches.
        batch_size: images per step over all devices.
    """
    step = batch_size * interval / (ada_kimg * 1000)
    return jnp.maximum(p + jnp.sign(jnp.asarray(mean_sign) - target) * step, 0.0)


def draw_turn(
    key: PRNGKeyArray, p: ScalarLike, pipe: AugmentPipe
) -> tuple[Bool[Array, ""], Int[Array, ""]]:
    """Whether to mirror, and how many quarter turns; each uniform where it applies."""
    on, uniform, _ = _draw(key, jnp.array(pipe[TURNS]) * p, uniforms=2)
    quarters = jnp.floor(2 * (uniform[1] + 1)).astype(jnp.int32)
    return on[0] & (uniform[0] < 0), on[1] * quarters


def turn(
    image: Float[Array, "h w c"], flip: Bool[Array, ""], quarters: Int[Array, ""]
) -> Float[Array, "h w c"]:
    """The image mirrored left to right if `flip`, then turned by quarters; pixels move exactly."""
    image = jnp.where(flip, image[:, ::-1], image)
    if image.shape[0] != image.shape[1]:
        return image
    return jax.lax.select_n(quarters, *(jnp.rot90(image, k) for k in range(4)))


def draw_warp(
    key: PRNGKeyArray, p: ScalarLike, pipe: AugmentPipe, height: int, width: int
) -> tuple[Float[Array, "2 2"], Float[Array, "2"]]:
    """The (linear, shift) of `warp`: whole pixels, scale, turn, stretch, turn, any translation."""
    p_turn = 1 - jnp.sqrt(jnp.clip(1 - pipe.rotate * p, 0, 1))  # P(before or after) = p
    chances = [pipe.xint * p, pipe.scale * p, p_turn, pipe.aniso * p, p_turn, pipe.xfrac * p]
    on, uniform, normal = _draw(key, jnp.stack(chances), uniforms=4, normals=4)
    side = np.array([height, width])

    whole = jnp.round(on[0] * uniform[:2] * pipe.xint_max * side)
    zoom = jnp.exp2(on[1] * normal[0] * pipe.scale_std)
    before = _rotation(on[2] * uniform[2] * np.pi * pipe.rotate_max)
    stretch = jnp.exp2(on[3] * normal[1] * pipe.aniso_std * np.array([[1], [-1]]))
    after = _rotation(on[4] * uniform[3] * np.pi * pipe.rotate_max)
    fraction = on[5] * normal[2:] * pipe.xfrac_std * side

    linear = jnp.matmul(before, stretch * after, precision=Precision.HIGHEST) / zoom
    return linear, -jnp.matmul(linear, fraction, precision=Precision.HIGHEST) - whole


def warp(
    image: Float[Array, "h w c"], linear: Float[Array, "2 2"], shift: Float[Array, "2"]
) -> Float[Array, "h w c"]:
    """The image whose pixel at q shows the source at `linear @ q + shift`, reflected without limit.

    q = (row, column) in pixels from the centre. Upsampled twice by sym6, sampled bilinearly,
    downsampled by the adjoint. The fine grid covers one period of the reflected image, 4(n-1)
    samples a side, so that indices modulo the period are reflections of any order. (The upsampled
    image is periodic but has no mirror symmetry itself: sym6 has none.)
    """
    height, width, _ = image.shape
    fine = _along_both(_upsampling(height), _upsampling(width), image)
    centre = np.array([height - 1, width - 1]) / 2
    rows, columns = (np.arange(2 * n + len(SYM6) - 2) - PEAK for n in (height, width))
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1) / 2 - centre
    source = jnp.einsum("ij,yxj->yxi", linear, grid, precision=Precision.HIGHEST) + shift
    sampled = _bilinear(fine, 2 * (source + centre))
    return _along_both(_downsampling(height), _downsampling(width), sampled)


def draw_colour(
    key: PRNGKeyArray, p: ScalarLike, pipe: AugmentPipe, channels: int
) -> tuple[Float[Array, "c c"], Float[Array, ""]]:
    """The (matrix, brightness) of `recolour`.

    Contrast scales everything, the luma flip negates the grey axis, hue turns the plane across it
    and saturation scales that plane, so the reference's product of 4x4 matrices is one sum. Grey
    images have no such plane: only brightness, contrast and the luma flip (a negative) act on them.
    """
    on, uniform, normal = _draw(key, jnp.array(pipe[COLOURS]) * p, uniforms=2, normals=3)
    brightness = on[0] * normal[0] * pipe.brightness_std
    contrast = jnp.exp2(on[1] * normal[1] * pipe.contrast_std)
    negative = on[2] & (uniform[0] < 0)
    hue = on[3] * uniform[1] * np.pi * pipe.hue_max
    saturation = jnp.exp2(on[4] * normal[2] * pipe.saturation_std)

    luma = np.full((channels, channels), 1 / channels)
    plane = np.eye(channels) - luma
    turned = jnp.cos(hue) * plane
    if channels == 3:
        turned += jnp.sin(hue) * (LUMA_TURN / np.sqrt(3))
    return contrast * (jnp.where(negative, -luma, luma) + saturation * turned), brightness


def recolour(
    image: Float[Array, "h w c"], matrix: Float[Array, "c c"], brightness: Float[Array, ""]
) -> Float[Array, "h w c"]:
    """`matrix @ (colour + brightness)` at every pixel."""
    return jnp.einsum("ij,hwj->hwi", matrix, image + brightness, precision=Precision.HIGHEST)


def _draw(key, chances: Array, uniforms: int, normals: int = 0) -> tuple[Array, Array, Array]:
    """Which transformations apply, numbers in [-1, 1), standard normal numbers.

    Drawn as vectors: every call of the generator costs XLA on CPU 0.1 s to compile.
    """
    flat, bell = jax.random.split(key)
    drawn = jax.random.uniform(flat, (len(chances) + uniforms,), jnp.float32)
    gates, values = jnp.split(drawn, [len(chances)])
    return gates < chances, 2 * values - 1, jax.random.normal(bell, (normals,), jnp.float32)


def _rotation(angle):
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([cos, -sin]), jnp.stack([sin, cos])])


def _upsampling(n: int) -> np.ndarray:
    """[4(n-1), n]: one period of the signal reflected at its ends, upsampled twice by sym6."""
    period = 2 * (n - 1)
    coarse = np.arange(period)[:, None]
    fine = (2 * coarse - PEAK + np.arange(len(SYM6))) % (2 * period)
    matrix = np.zeros((2 * period, n))
    np.add.at(matrix, (fine, np.minimum(coarse, period - coarse)), np.sqrt(2) * SYM6)
    return matrix


def _downsampling(n: int) -> np.ndarray:
    """[n, 2n+10]: pixel k from fine samples 2k - PEAK on, the adjoint of upsampling, halved."""
    matrix = np.zeros((n, 2 * n + len(SYM6) - 2))
    pixel = np.arange(n)[:, None]
    matrix[pixel, 2 * pixel + np.arange(len(SYM6))] = SYM6 / np.sqrt(2)
    return matrix


def _along_both(rows: np.ndarray, columns: np.ndarray, image: Array) -> Array:
    return jnp.einsum("yh,xw,hwc->yxc", rows, columns, image, precision=Precision.HIGHEST)


def _bilinear(periodic: Array, position: Array) -> Array:
    """Values at fractional [y, x, (row, column)] of an image that repeats without end."""
    low = jnp.floor(position)
    (up, left), (down, right) = (
        jnp.moveaxis((low.astype(jnp.int32) + d) % np.array(periodic.shape[:2]), -1, 0)
        for d in (0, 1)
    )
    fraction = position - low
    y, x = fraction[..., :1], fraction[..., 1:]
    above = (1 - x) * periodic[up, left] + x * periodic[up, right]
    below = (1 - x) * periodic[down, left] + x * periodic[down, right]
    return (1 - y) * above + y * below
