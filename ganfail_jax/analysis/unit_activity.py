"""Which images activate a unit most, and what do they have in common? (Tousi 2021, sec. 3.1, 3.3)

The 10,000 of 200,000 images whose FID marks artifact units (GAN Dissection), and the 20 of
20,000 whose mean feature map, through the rest of the generator, is the unit's representative image
(fig. 4, 7, 8).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ganfail_jax import runtime
from ganfail_jax.edits import replace
from ganfail_jax.errors import InputError
from ganfail_jax.images import as_viewed
from ganfail_jax.latents import activations, generate
from ganfail_jax.runtime import Sweep
from ganfail_jax.types import Generator, Params, Styles

Measure = Literal["max", "mean"]  # over the positions of a unit's map
MEASURES = {"max": jnp.max, "mean": jnp.mean}


class Top(NamedTuple):
    """The k samples that activate each of c units most, the first the most."""

    values: Float[np.ndarray, "k c"]
    indices: Int[np.ndarray, "k c"]


def keep(top: Top, k: int) -> Top:
    """The first k; of equal ones those of smaller indices."""
    order = np.argsort(-top.values, axis=0, kind="stable")[:k]
    return Top(*(np.take_along_axis(each, order, axis=0) for each in top))


def top_samples(
    generator: Generator,
    params: Params,
    layers: Sequence[str],
    k: int,
    num_samples: int,
    sweep: Sweep,
    *,
    measure: Measure = "max",
    seed: int = 0,
) -> dict[str, Top]:
    """The k of samples 0 .. num_samples - 1 that activate each unit most.

    No more than two times k samples and a batch are kept at a time.

    Args:
        layers: taps; the earlier the last of them, the less is computed.

    Raises:
        InputError: there are not k samples.
    """
    if not 0 < k <= num_samples:
        raise InputError(f"there are no top {k:,} of {num_samples:,} samples")
    over = MEASURES[measure]

    @jax.jit
    def step(params: Params, indices: Array, mask: Array) -> dict[str, Top]:
        taps = activations(generator, params, seed, indices)

        def layer(maps: Array) -> Top:
            values = jnp.where(mask[:, None], over(maps, axis=(1, 2)), -jnp.inf)
            return Top(values, jnp.broadcast_to(indices[:, None], values.shape))  # pyright: ignore

        return {name: layer(taps[name]) for name in layers}

    def add(a: Mapping[str, Top], b: Mapping[str, Top]) -> dict[str, Top]:
        both = runtime.append_rows(a, b)
        return {n: keep(x, k) if len(x.values) >= 2 * k else x for n, x in both.items()}

    total = runtime.sweep(
        partial(step, runtime.replicate(sweep.mesh, params)),
        add,
        num_samples,
        sweep,
        {"seed": seed, "layers": list(layers), "k": k, "measure": measure},
    )
    return {name: keep(total[name], k) for name in layers}


def representative_image(
    generator: Generator,
    params: Params,
    styles: Styles,
    layer: str,
    noise_keys: Array | None = None,
) -> Float[Array, "1 h w c"]:
    """The image of the samples' mean feature map at a layer, by the rest of the generator.

    Where later layers have styles of their own, they get the samples' mean styles, and where noise
    is drawn, that of the first sample. Samples of several classes make an image between these
    classes.

    Args:
        noise_keys: of the samples (`latents.noise_keys`).
    """
    maps = generator.synthesize(params, styles, None, noise_keys)[1][layer]
    mean = {name: jnp.mean(each, axis=0, keepdims=True) for name, each in styles.items()}
    fill = replace(np.ones(1, bool), jnp.mean(maps, axis=0))
    first = None if noise_keys is None else noise_keys[:1]
    return as_viewed(generator.synthesize(params, mean, {layer: fill}, first)[0])


def images_and_map(
    generator: Generator,
    params: Params,
    layer: str,
    unit: Int[Array, ""],
    indices: Int[Array, " b"],
    seed: int,
) -> tuple[Float[Array, "b h w c"], Float[Array, "b _ _"]]:
    """The images of samples by index, and the map of one unit of a layer in each."""
    images, taps = generate(generator, params, seed, indices)
    return images, jnp.take(taps[layer], unit, axis=3)
