"""Building blocks of StyleGAN2 (Karras et al. 2020): equalised layers, modulated convolution.

Layout NHWC, kernels HWIO, dense weights [in, out]. Conventions: NUMERICS of stylegan2-ada-pytorch.
"""

import math

import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jax.nn import initializers
from jaxtyping import Array, Float

from ganfail_jax.nn.convolutions import convolutions
from ganfail_jax.nn.resampling import downsample2d, fir_filter

EPSILON = 1e-8


def leaky_relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Leaky ReLU of slope 0.2 times sqrt(2), which keeps the second moment."""
    return jnp.where(x >= 0, x, 0.2 * x) * math.sqrt(2)


def clamp(x: Float[Array, "..."], limit: float | None) -> Float[Array, "..."]:
    """Clip to [-limit, limit]; no limit: unchanged."""
    return x if limit is None else jnp.clip(x, -limit, limit)


def at_least_float32(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """bfloat16 as float32, wider types unchanged."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def normalize_second_moment(x: Float[Array, "b c"]) -> Float[Array, "b c"]:
    """Scale every sample to unit mean square."""
    return x * lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + EPSILON)


def conv2d(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"], padding: int | None = None
) -> Float[Array, "b _ _ o"]:
    """Cross-correlation.

    Args:
        padding: zeros on every side; None: half the (odd) kernel, which keeps the size.
    """
    padding = kernel.shape[0] // 2 if padding is None else padding
    return convolutions().stride1(x, kernel, padding)


def conv2d_up(
    x: Float[Array, "b h w i"], kernel: Float[Array, "3 3 i o"]
) -> Float[Array, "b 2*h 2*w o"]:
    """Transposed convolution of stride 2, then the resampling filter."""
    full = convolutions().stride2_transposed(x, kernel.swapaxes(2, 3))
    return fir_filter(full, (1, 1), 4.0)


def conv2d_down(
    x: Float[Array, "b h w i"], kernel: Float[Array, "k k i o"]
) -> Float[Array, "b h//2 w//2 o"]:
    """The resampling filter, then a convolution of stride 2 (kernel size 1 or 3)."""
    if kernel.shape[0] == 1:
        return conv2d(downsample2d(x), kernel)
    return convolutions().stride2(fir_filter(x, (2, 2)), kernel)


def modulated_conv2d(
    x: Float[Array, "b h w i"],
    kernel: Float[Array, "k k i o"],
    style: Float[Array, "b i"],
    *,
    demodulate: bool,
    up: bool = False,
) -> Float[Array, "b _ _ o"]:
    """Convolution whose input channels are scaled per sample by `style` (StyleGAN2, sec. 2.2).

    Scaling the activations before and after equals scaling the weights and needs no grouped
    convolution. Demodulation: rsqrt of the sum of squares of the styled weights.
    """
    out = (conv2d_up if up else conv2d)(x * style[:, None, None, :].astype(x.dtype), kernel)
    if demodulate:
        energy = jnp.sum(jnp.square(at_least_float32(kernel)), axis=(0, 1))
        factor = lax.rsqrt(jnp.square(at_least_float32(style)) @ energy + EPSILON)
        out = out * factor[:, None, None, :].astype(out.dtype)
    return out


class Dense(nn.Module):
    """Equalised dense layer [in, out]; `lr_multiplier` scales weights and bias at run time."""

    features: int
    lr_multiplier: float = 1.0
    bias_init: float = 0.0
    dtype: jnp.dtype | type = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b i"]) -> Float[Array, "b o"]:
        fan_in = x.shape[-1]
        init = initializers.normal(1 / self.lr_multiplier)
        weight = self.param("weight", init, (fan_in, self.features))
        bias = self.param("bias", initializers.constant(self.bias_init), (self.features,))
        weight = weight * (self.lr_multiplier / math.sqrt(fan_in))
        bias = bias * self.lr_multiplier
        return x.astype(self.dtype) @ weight.astype(self.dtype) + bias.astype(self.dtype)


class Conv(nn.Module):
    """Equalised convolution with optional bias, down-sampling and leaky ReLU (discriminators)."""

    features: int
    kernel_size: int = 3
    down: bool = False
    use_bias: bool = True
    activate: bool = True
    gain: float = 1.0
    clamp: float | None = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w i"]) -> Float[Array, "b _ _ o"]:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        weight = self.param("weight", initializers.normal(1.0), shape)
        kernel = (weight / math.sqrt(math.prod(shape[:3]))).astype(x.dtype)
        x = conv2d_down(x, kernel) if self.down else conv2d(x, kernel)
        if self.use_bias:
            x = x + self.param("bias", initializers.zeros, (self.features,)).astype(x.dtype)
        x = (leaky_relu(x) if self.activate else x) * self.gain
        return clamp(x, self.clamp and self.clamp * self.gain)


def minibatch_stddev(x: Float[Array, "b h w c"], group_size: int = 4) -> Float[Array, "b h w c+1"]:
    """Append one channel: the mean standard deviation within groups of samples (ProGAN, sec. 3).

    Sample n belongs to group n mod (b / group_size), as in stylegan2-ada-pytorch.

    Raises:
        ValueError: when the batch is not a multiple of the group.
    """
    size = min(group_size, x.shape[0])
    if x.shape[0] % size:
        raise ValueError(f"a batch of {x.shape[0]} is not a multiple of the group of {size}")
    groups = x.astype(jnp.float32).reshape(size, -1, *x.shape[1:])
    deviation = jnp.sqrt(jnp.var(groups, axis=0) + EPSILON)
    per_sample = jnp.tile(jnp.mean(deviation, axis=(1, 2, 3)), size)[:, None, None, None]
    plane = jnp.broadcast_to(per_sample, (*x.shape[:-1], 1)).astype(x.dtype)
    return jnp.concatenate([x, plane], axis=-1)
