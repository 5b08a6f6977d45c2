"""Convolutions whose derivatives, of every order, are convolutions in a form quick on CPU.

A convolution is linear in its input and in its kernel, so every derivative is again the
convolution, its transpose in the input or its transpose in the kernel. Automatic differentiation
writes the same sums in forms that XLA on CPU is slow at (20 times for the second derivative of a
strided convolution, which R1 takes); here the derivatives of each map are stated as maps of the
same family. Only reverse-mode differentiation is defined.

Layout NHWC, kernels HWIO and square; cross-correlation, as everywhere in deep learning.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

DIMENSIONS = ("NHWC", "HWIO", "NHWC")
BATCH_AS_FEATURES = ("CHWN", "IHWO", "HWNC")  # sums over the batch; a kernel [h,w,i,o] comes out
LANES = 16  # float32 numbers in a vector register
WIDE = 128  # channels from which a dilated convolution is slower than matrix products


class Convolutions(NamedTuple):
    """The convolutions that networks are made of."""

    # x [b,h,w,i], kernel [k,k,i,o], zeros on every side p -> [b,h+2p-k+1,w+2p-k+1,o]
    stride1: Callable[[Array, Array, int], Array]
    # x [b,2h+1,2w+1,i], kernel [3,3,i,o] -> [b,h,w,o], without padding
    stride2: Callable[[Array, Array], Array]
    # its transpose in x: [b,h,w,o], kernel [3,3,i,o] -> [b,2h+1,2w+1,i]
    stride2_transposed: Callable[[Array, Array], Array]


def convolutions() -> Convolutions:
    """Those of the platform: the one place that chooses."""
    return ON_CPU if jax.default_backend() == "cpu" else PLAIN


def _flip(kernel: Float[Array, "k k i o"]) -> Float[Array, "k k o i"]:
    """The kernel of the transposed convolution."""
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _stride1(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], padding: int
) -> Float[Array, "b _ _ o"]:
    sides = [(padding, padding)] * 2
    return lax.conv_general_dilated(x, kernel, (1, 1), sides, dimension_numbers=DIMENSIONS)


def _stride2(
    x: Float[Array, "b _ _ i"], kernel: Float[Array, "3 3 i o"]
) -> Float[Array, "b _ _ o"]:
    if x.shape[1] % 2 == 0 or x.shape[2] % 2 == 0:
        raise ValueError(f"stride 2 wants odd rows and columns, not {x.shape[1]}x{x.shape[2]}")
    return lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=DIMENSIONS)


def _stride2_transposed(
    y: Float[Array, "b h w o"], kernel: Float[Array, "3 3 i o"]
) -> Float[Array, "b _ _ i"]:
    return lax.conv_general_dilated(
        y, _flip(kernel), (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2), dimension_numbers=DIMENSIONS
    )


PLAIN = Convolutions(_stride1, _stride2, _stride2_transposed)


def _kernel_transpose(
    x: Float[Array, "b _ _ i"], y: Float[Array, "b _ _ o"], stride: int, padding: int
) -> Float[Array, "k k i o"]:
    """Transpose of a convolution in its kernel: sums of x times y over batch and positions.

    The batch is summed innermost, and output channels are filled up to whole vectors with zeros.
    XLA on CPU is up to 50 times slower at that for even kernels than at matrix products.
    """
    size = x.shape[1] + 2 * padding - stride * (y.shape[1] - 1)
    if size % 2 == 0 or (stride > 1 and x.shape[-1] >= WIDE):
        return _kernel_products(x, y, stride, padding, size)
    channels, sides = y.shape[-1], [(padding, padding)] * 2
    if channels > LANES:
        y = jnp.pad(y, [(0, 0)] * 3 + [(0, -channels % LANES)])
    kernel = lax.conv_general_dilated(
        x, y, (1, 1), sides, rhs_dilation=(stride, stride), dimension_numbers=BATCH_AS_FEATURES
    )
    return kernel[..., :channels]


def _kernel_products(
    x: Float[Array, "b _ _ i"], y: Float[Array, "b h w o"], stride: int, padding: int, size: int
) -> Float[Array, "k k i o"]:
    """`_kernel_transpose` as one matrix product for each of size x size taps."""
    sides = (padding, padding)
    x = jnp.pad(x, ((0, 0), sides, sides, (0, 0)))
    height, width = (stride * (n - 1) + 1 for n in y.shape[1:3])

    def tap(row: int, column: int) -> Float[Array, "i o"]:
        part = x[:, row : row + height : stride, column : column + width : stride]
        return jnp.einsum("bhwi,bhwo->io", part, y)

    return jnp.stack([jnp.stack([tap(j, k) for k in range(size)]) for j in range(size)])


_conv = jax.custom_vjp(_stride1, nondiff_argnums=(2,))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv_kernel(x: Array, y: Array, padding: int) -> Array:
    return _kernel_transpose(x, y, 1, padding)


def _conv_input(y: Array, kernel: Array, padding: int) -> Array:
    return _conv(y, _flip(kernel), kernel.shape[0] - 1 - padding)


_conv.defvjp(
    lambda x, kernel, padding: (_conv(x, kernel, padding), (x, kernel)),
    lambda padding, saved, y: (
        _conv_input(y, saved[1], padding),
        _conv_kernel(saved[0], y, padding),
    ),
)
_conv_kernel.defvjp(
    lambda x, y, padding: (_conv_kernel(x, y, padding), (x, y)),
    lambda padding, saved, kernel: (
        _conv_input(saved[1], kernel, padding),
        _conv(saved[0], kernel, padding),
    ),
)


def _stride1_on_cpu(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], padding: int
) -> Float[Array, "b _ _ o"]:
    """1x1 kernels are matrix products, and so are their derivatives."""
    if kernel.shape[0] == 1 and padding == 0:
        return jnp.einsum("bhwi,io->bhwo", x, kernel[0, 0])
    return _conv(x, kernel, padding)


_down = jax.custom_vjp(_stride2)
_up = jax.custom_vjp(_stride2_transposed)


@jax.custom_vjp
def _down_kernel(x: Array, y: Array) -> Array:
    return _kernel_transpose(x, y, 2, 0)


_down.defvjp(
    lambda x, kernel: (_down(x, kernel), (x, kernel)),
    lambda saved, y: (_up(y, saved[1]), _down_kernel(saved[0], y)),
)
_up.defvjp(
    lambda y, kernel: (_up(y, kernel), (y, kernel)),
    lambda saved, x: (_down(x, saved[1]), _down_kernel(x, saved[0])),
)
_down_kernel.defvjp(
    lambda x, y: (_down_kernel(x, y), (x, y)),
    lambda saved, kernel: (_up(saved[1], kernel), _down(saved[0], kernel)),
)

ON_CPU = Convolutions(_stride1_on_cpu, _down, _up)
