"""What does an image look like without its rarely activated neurons? (Choi 2022, algorithm 1)

Layer by layer, the activated (> 0) neurons of a chosen set are set to zero before the next layer is
computed, so that which neurons the next layer activates already is a consequence. Ablation at
several layers is sequential, at one layer single (sec. 3.3); the order of a list has no meaning.
"""

import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Int

from ganfail_jax.analysis.rates import Rates, high_rate, low_rate
from ganfail_jax.edits import zero_activated, zero_random_activated
from ganfail_jax.errors import InputError
from ganfail_jax.latents import sample_keys

NAME = re.compile(r"none|(LR|HR|random):(\d(?:\.\d+)?)", re.ASCII)
STREAM = 0x41424C  # makes the keys of random ablation other than those of z


class Choice(NamedTuple):
    """Which of a layer's activated neurons are set to zero."""

    kind: str  # LR: of rate <= share; HR: of rate > share; random: this share of them; none
    share: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.share:g}" if self.kind != "none" else "none"

    @property
    def text(self) -> str:
        """For a person."""
        texts = {
            "LR": f"LR, R ≤ {self.share:g}",
            "HR": f"HR, R > {self.share:g}",
            "random": f"random {self.share:.0%}, of the activated",
            "none": "none",
        }
        return texts[self.kind]


def parse_choice(name: str) -> Choice:
    """LR:0.3, HR:0.7, random:0.3 or none.

    Raises:
        InputError: it is something else.
    """
    match = NAME.fullmatch(name)
    if match is None or (match[2] and float(match[2]) > 1):
        raise InputError(
            f"{name!r} is not a set of neurons; sets are LR:0.3, HR:0.7, random:0.3, none"
        )
    return Choice(match[1], float(match[2])) if match[1] else Choice("none", 0.0)


def ablation(
    choice: Choice, rates: Rates, layers: Sequence[str], keys: Array
) -> dict[str, Partial]:
    """The edits that zero a choice's activated neurons at these layers.

    Args:
        keys: one per sample (`ablation_keys`), for random ones.

    Raises:
        InputError: `rates` has not all the layers.
    """
    if missing := [layer for layer in layers if layer not in rates.counts]:
        raise InputError(f"there are no rates of {', '.join(missing)}")
    if choice.kind == "none":
        return {}
    if choice.kind == "random":
        split = jax.vmap(jax.random.fold_in, (0, None))
        return {
            layer: zero_random_activated(split(keys, zlib.crc32(layer.encode())), choice.share)
            for layer in layers
        }
    masks = (low_rate if choice.kind == "LR" else high_rate)(rates, choice.share)
    return {layer: zero_activated(jnp.asarray(masks[layer])) for layer in layers}


def ablation_keys(seed: int, indices: Int[Array, " b"], draw: int = 0) -> Array:
    """A key per sample, other than that of its z, for one of several draws."""
    split = jax.vmap(jax.random.fold_in, (0, None))
    keys = split(sample_keys(seed, indices), STREAM)
    return split(keys, draw) if draw else keys
