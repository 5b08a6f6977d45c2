"""A function of numpy arrays, such as another framework's network, within compiled programs."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array, Float, Float32

from ganfail_jax.errors import InputError

Forward = Callable[[np.ndarray], np.ndarray]
Backward = Callable[[np.ndarray, np.ndarray], np.ndarray]
ONE_DEVICE = (
    "this classifier runs on the host, which serves one device: leave JAX one, by "
    "CUDA_VISIBLE_DEVICES=0 or without --xla_force_host_platform_device_count"
)
NO_GRADIENT = "this classifier has no gradient: rank with --score=auc (score='auc')"


def on_host(
    forward: Forward, num_classes: int, backward: Backward | None = None
) -> Callable[[Float[Array, "b ..."]], Float[Array, "b k"]]:
    """Logits of a batch, computed by the host.

    Args:
        backward: (inputs, gradient by the logits [b, k]) -> gradient by the inputs; None: the
            function has no gradient, and InputError is raised where one is wanted.

    Raises:
        InputError: when traced: JAX has several devices.
    """

    def run(x: Any) -> Float32[np.ndarray, "b k"]:
        logits = np.asarray(forward(np.asarray(x)), np.float32)
        if logits.shape != (len(x), num_classes):
            raise InputError(
                f"an array of shape {logits.shape} of {len(x)} images; "
                f"{(len(x), num_classes)} is wanted"
            )
        return logits

    @jax.custom_vjp
    def call(x: Float[Array, "b ..."]) -> Float[Array, "b k"]:
        if jax.device_count() > 1:  # devices of a CPU wait for each other forever
            raise InputError(ONE_DEVICE)
        shape = jax.ShapeDtypeStruct((x.shape[0], num_classes), jnp.float32)
        return _call(run, shape, x)

    def pull(x: Array, gradient: Array) -> tuple[Array]:
        if backward is None:
            raise InputError(NO_GRADIENT)
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return (_call(_back, shape, x, gradient),)

    def _back(x: Any, gradient: Any) -> np.ndarray:
        assert backward is not None
        x = np.asarray(x)
        return np.asarray(backward(x, np.asarray(gradient)), x.dtype)

    call.defvjp(lambda x: (call(x), x), pull)
    return call


def _call(function: Callable[..., np.ndarray], shape: jax.ShapeDtypeStruct, *args: Array) -> Array:
    """Within a compiled program.

    On a CPU not by `pure_callback`, which copies arguments by the threads that it makes wait: on
    one core, or with several classifiers at once, it would wait forever.
    """
    if jax.default_backend() != "cpu":
        return jax.pure_callback(function, shape, *args, vmap_method="sequential")

    def into(context: Any, out: Any, *buffers: Any) -> None:
        copies = [np.asarray(each).copy() for each in buffers]  # theirs to keep and to change
        np.asarray(out)[...] = function(*copies)

    return buffer_callback(into, shape, vmap_method="sequential")(*args)
