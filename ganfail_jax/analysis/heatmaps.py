"""Where in an image are the rarely activated neurons, and what becomes of it without them?

Choi 2022, figures 1 and 4: at every position of a layer, the share of the activated neurons that
are LR; the same, and the image, under sequential ablation (algorithm 1).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import edits
from ganfail_jax.analysis.detection import Neurons
from ganfail_jax.images import to_uint8
from ganfail_jax.latents import generate
from ganfail_jax.types import Generator, Params

PLAIN, ABLATED = "plain/", "ablated/"  # prefixes of a layer's shares in a file


class Heatmaps(NamedTuple):
    """n samples, l layers in forward order; shares are 0 where no neuron is activated."""

    images: Float[np.ndarray, "1+l n h w c"]  # with the first 0 .. l layers ablated
    shares: Mapping[str, Float[np.ndarray, "n _ _"]]  # nothing ablated (fig. 4, first row)
    ablated: Mapping[str, Float[np.ndarray, "n _ _"]]  # the layers before it (second row)
    activated: Int[np.ndarray, "n l"]  # number of LR neurons, nothing ablated

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file, the images in 8 bits; the inverse of `restore`."""
        plain = {PLAIN + layer: share for layer, share in self.shares.items()}
        ablated = {ABLATED + layer: share for layer, share in self.ablated.items()}
        return {
            "images": to_uint8(self.images),
            "layers": np.asarray([*self.shares]),
            "activated": self.activated,
            **plain,
            **ablated,
        }


def restore(arrays: Mapping[str, np.ndarray]) -> Heatmaps:
    """The heat maps in the arrays of a result."""
    layers = arrays["layers"].tolist()
    return Heatmaps(
        arrays["images"] / 127.5 - 1,
        {layer: arrays[PLAIN + layer] for layer in layers},
        {layer: arrays[ABLATED + layer] for layer in layers},
        arrays["activated"],
    )


def low_rate_share(
    activation: Float[Array, "b h w c"], low: Bool[Array | np.ndarray, "h w c"]
) -> Float[Array, "b h w"]:
    """The share of a position's activated neurons that are LR; 0 where none is activated."""
    active = activation > 0
    rare = jnp.sum(active & low, axis=3)
    return rare / jnp.maximum(jnp.sum(active, axis=3), 1)


def heatmaps(
    generator: Generator,
    params: Params,
    neurons: Neurons,
    indices: Int[np.ndarray, " n"],
    *,
    seed: int = 0,
) -> Heatmaps:
    """Heat maps of samples, by one pass for each number of ablated layers.

    Args:
        neurons: the LR neurons of each layer, in forward order.
    """
    layers = list(neurons)

    @jax.jit
    def run(args: Any, indices: Array, number: Array) -> tuple[Array, dict[str, Array], Array]:
        """With the neurons of the first so many layers ablated."""
        params, low = args
        ablate = {
            name: edits.zero_activated(low[name] & (i < number)) for i, name in enumerate(layers)
        }
        images, taps = generate(generator, params, seed, indices, ablate)
        shares = {name: low_rate_share(taps[name], low[name]) for name in layers}
        rare = [jnp.sum((taps[name] > 0) & low[name], axis=(1, 2, 3)) for name in layers]
        return images, shares, jnp.stack(rare, axis=1)

    passes = [
        jax.device_get(run((params, dict(neurons)), indices, number))
        for number in range(len(layers) + 1)
    ]
    images, shares, activated = zip(*passes, strict=True)
    return Heatmaps(
        np.stack(images),
        {name: shares[0][name] for name in layers},
        {name: shares[i][name] for i, name in enumerate(layers)},
        activated[0],
    )
