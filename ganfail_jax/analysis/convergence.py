"""Were enough samples counted? How the LR neurons of a layer settle as N grows.

Beyond Choi 2022, which takes 30,000 without saying why.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from ganfail_jax.analysis.rates import Rates, low_rate, uncertain


class Milestone(NamedTuple):
    """The LR neurons of every layer after so many samples."""

    num_samples: int
    low: dict[str, UInt8[np.ndarray, " _"]]  # a bit per neuron
    uncertain: dict[str, float]  # share of the neurons that may be LR or HR


class Convergence(NamedTuple):
    """n numbers of samples, l layers; shares of a layer's neurons."""

    at: Int[np.ndarray, " n"]  # the numbers of samples
    low: Float[np.ndarray, "n l"]  # that are LR
    uncertain: Float[np.ndarray, "n l"]  # whose interval holds the threshold
    changed: Float[np.ndarray, "n l"]  # on another side than after all samples


def inspect(rates: Rates, threshold: float) -> Milestone:
    """What `converge` keeps of the rates so far."""
    low = {name: np.packbits(own) for name, own in low_rate(rates, threshold).items()}
    unsure = {name: float(own.mean()) for name, own in uncertain(rates, threshold).items()}
    return Milestone(rates.num_samples, low, unsure)


def converge(milestones: list[Milestone], sizes: list[int]) -> Convergence:
    """
    Args:
        milestones: in the order of their samples; the last of all samples.
        sizes: neurons of each layer.
    """
    final = milestones[-1].low
    pairs = list(zip(final, sizes, strict=True))

    def share(bits: UInt8[np.ndarray, " _"], size: int) -> float:
        return int(np.bitwise_count(bits).sum()) / size

    def differ(each: Milestone) -> list[float]:
        return [share(each.low[name] ^ final[name], size) for name, size in pairs]

    return Convergence(
        np.asarray([each.num_samples for each in milestones]),
        np.asarray([[share(each.low[name], size) for name, size in pairs] for each in milestones]),
        np.asarray([[each.uncertain[name] for name in final] for each in milestones]),
        np.asarray([differ(each) for each in milestones]),
    )
