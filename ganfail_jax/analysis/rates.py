"""How often is each neuron of a generator activated? (Choi 2022, sec. 3.1, definition 2, eq. 1)

A neuron is one position (h, w, c) of a layer; its rate is the share of latents for which its
activation is > 0. Rates are kept as integer counts: at the edge of a threshold a float32 rate may
fall on either side.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ganfail_jax import npz, runtime
from ganfail_jax.errors import InputError
from ganfail_jax.latents import activations
from ganfail_jax.runtime import Sweep
from ganfail_jax.statistics.proportions import wilson
from ganfail_jax.tally import CHUNK, Count, compile_counter, tally
from ganfail_jax.types import Generator, LayerInfo, Params, find_layer

EARLY = (0, 1, 3, 5, 7)  # Choi's layers of StyleGAN2, one per resolution from 4x4 on (fig. 4)
EARLY_PGGAN = (1, 3, 5, 7, 9)
COUNT = "count/"  # prefix of a layer's counts in a file


class Rates(NamedTuple):
    """How many of `num_samples` samples activate each neuron."""

    counts: Mapping[str, Int[np.ndarray, "h w c"]]  # of each layer, in forward order
    num_samples: int

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file; the inverse of `restore`."""
        counts = {COUNT + layer: counts for layer, counts in self.counts.items()}
        return {"num_samples": np.asarray(self.num_samples), **counts}


def fits(rates: Rates, generator: Generator) -> bool:
    """Whether these may be counts of this generator's neurons."""
    n = rates.num_samples

    def fit(counts: np.ndarray, info: LayerInfo) -> bool:
        shape = (info.resolution, info.resolution, info.channels)
        whole = counts.shape == shape and counts.dtype.kind in "iu"
        return whole and bool(counts.min() >= 0 and counts.max() <= n)

    return n > 0 and all(fit(each, generator.layers[name]) for name, each in rates.counts.items())


def restore(arrays: Mapping[str, np.ndarray]) -> Rates:
    """The rates in the arrays of a result.

    Raises:
        InputError: there are none.
    """
    names = [name for name in arrays if name.startswith(COUNT)]
    if not names or "num_samples" not in arrays:
        raise InputError("this result has no activation rates; analyze.rates makes one that has")
    counts = {name.removeprefix(COUNT): arrays[name] for name in names}
    return Rates(counts, int(arrays["num_samples"]))


def early_layers(layers: Mapping[str, LayerInfo], number: int = 3) -> list[str]:
    """The layers that the paper counts (sec. 4.1), as far as there are such resolutions.

    One per resolution 4, 8, 16: the only or first convolution of StyleGAN2, the second of PGGAN.

    Args:
        number: of resolutions; 5: up to 64, as in the paper's figure 4.
    """
    wanted = EARLY_PGGAN if "b0004/conv0" in layers else EARLY
    names = {f"choi:{i}" for i in wanted[:number]}
    return [layer for layer, info in layers.items() if names & {*info.aliases}]


def find_layers(layers: Mapping[str, LayerInfo], names: Sequence[str]) -> list[str]:
    """Layers by any of their names, in forward order: the order of a list has no meaning.

    Raises:
        InputError: one is unknown or named twice.
    """
    known = [find_layer(layers, name) for name in names]
    if len({*known}) < len(known):
        raise InputError(f"a layer is named twice: {', '.join(names)}")
    return sorted(known, key=list(layers).index)


def counter(generator: Generator, layers: Sequence[str]) -> Count:
    """How many of a chunk's samples activate each neuron; later layers are not computed.

    The count's first argument is (params, seed).
    """

    def count(given: Any, indices: Array, mask: Array) -> dict[str, Array]:
        params, seed = given
        taps = activations(generator, params, seed, indices)
        counted = mask[:, None, None, None]
        return {name: jnp.sum((taps[name] > 0) & counted, 0, dtype=jnp.int32) for name in layers}

    return count


def milestones(num_samples: int, halvings: int = 5) -> list[int]:
    """Numbers of samples at which convergence is inspected: halves of halves, and all."""
    halves = {num_samples // 2**k // CHUNK * CHUNK for k in range(1, halvings + 1)}
    return [*sorted(n for n in halves if 0 < n < num_samples), num_samples]


def count_rates(
    generator: Generator,
    params: Params,
    layers: Sequence[str],
    num_samples: int,
    sweep: Sweep,
    *,
    seed: int = 0,
    inspect: Callable[[Rates], None] = lambda _: None,
) -> Rates:
    """Count the activations of samples 0 .. num_samples - 1 (Choi 2022, eq. 1; there 30,000).

    The counts do not depend on devices, hosts, batches and interruptions.

    Args:
        layers: taps; the earlier the last of them, the less is computed.
        inspect: called with the rates at each of `milestones`.
    """
    counted = compile_counter(counter(generator, layers), sweep.mesh)
    given = runtime.replicate(sweep.mesh, (params, np.uint32(seed)))
    rates = Rates({name: np.zeros((), np.int64) for name in layers}, 0)
    for last in milestones(num_samples):
        sums = tally(
            counted,
            given,
            rates.num_samples,
            last,
            sweep.named(sweep.name and f"{sweep.name} to {last:,}"),
            {"seed": seed, "layers": list(layers)},
        )
        rates = Rates({name: rates.counts[name] + sums[name] for name in layers}, last)
        inspect(rates)
    return rates


def largest_count(threshold: float, num_samples: int) -> int:
    """The largest count whose rate is at most the threshold, by exact arithmetic."""
    if not 0 <= threshold <= 1:
        raise InputError(f"a rate is between 0 and 1, not {threshold}")
    return int(Fraction(str(threshold)) * num_samples)


def low_rate(
    rates: Rates, threshold: float, *, dead: bool = True
) -> dict[str, Bool[np.ndarray, "h w c"]]:
    """The LR neurons of each layer: those of rate <= threshold (sec. 3.1).

    Args:
        dead: whether neurons that never fire belong to them: the paper's text; the authors' code
            leaves them out.
    """
    largest, least = largest_count(threshold, rates.num_samples), 0 if dead else 1
    return {name: (least <= n) & (n <= largest) for name, n in rates.counts.items()}


def high_rate(rates: Rates, threshold: float) -> dict[str, Bool[np.ndarray, "h w c"]]:
    """The HR neurons of each layer: those of rate > threshold."""
    return {name: ~low for name, low in low_rate(rates, threshold).items()}


def wilson_bounds(rates: Rates) -> dict[str, Float[np.ndarray, "h w c 2"]]:
    """95 % Wilson intervals of every rate: lower and upper ends."""
    return {
        name: wilson(counts, np.full_like(counts, rates.num_samples))
        for name, counts in rates.counts.items()
    }


def uncertain(rates: Rates, threshold: float) -> dict[str, Bool[np.ndarray, "h w c"]]:
    """Neurons that may be LR or HR: the threshold lies within the interval of their rate."""
    return {
        name: (ends[..., 0] <= threshold) & (threshold < ends[..., 1])
        for name, ends in wilson_bounds(rates).items()
    }


def expected_activated(rates: Rates, neurons: Mapping[str, Bool[np.ndarray, "h w c"]]) -> float:
    """The mean number of these neurons that one sample activates."""
    activated = sum(int(rates.counts[name][own].sum()) for name, own in neurons.items())
    return activated / rates.num_samples


def read_published(
    file: Path, info: LayerInfo, num_samples: int = 30_000
) -> Int[np.ndarray, "h w c"]:
    """Counts of a layer from the authors' file: `.npy`, flat float32 rates in C, H, W order.

    Raises:
        InputError: it is not such a file, or of another layer or number of samples.
    """
    try:
        flat = npz.read_array(file)
    except (OSError, InputError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"{file} holds no rates: {reason}") from error
    if flat.dtype.kind != "f":
        raise InputError(f"{file} holds no rates: an array of floats is wanted")
    shape = (info.channels, info.resolution, info.resolution)
    if flat.size != np.prod(shape):
        raise InputError(f"{file} has {flat.size:,} rates, but {shape} (C, H, W) are wanted")
    with np.errstate(all="ignore"):  # what is not a rate is refused below
        exact = flat.astype(np.float64).reshape(shape).transpose(1, 2, 0) * num_samples
    counts = np.rint(exact)
    inside = counts.min() >= 0 and counts.max() <= num_samples
    if not (inside and np.abs(exact - counts).max() < 0.01):  # float32 is off by less
        raise InputError(f"{file} has no rates of {num_samples:,} samples; give their number")
    return counts.astype(np.int64)
