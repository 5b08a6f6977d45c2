"""The activation rates that a study starts from: counted for it, or of an earlier `analyze.rates`.

Rates are of samples 0 .. N - 1. What is tested with them should be other samples: from N on.
(Choi 2022, sec. 3.1)
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ganfail_jax import results
from ganfail_jax.analysis.rates import Rates, count_rates, early_layers, find_layers, fits, restore
from ganfail_jax.errors import InputError
from ganfail_jax.runtime import Sweep
from ganfail_jax.studies import earlier
from ganfail_jax.studies.subject import GeneratorSubject


class ActivationRates(NamedTuple):
    """Rates of some layers of a generator."""

    identity: Mapping[str, Any]  # distinguishes them from others, for the identity of a result
    layers: Sequence[str]  # in forward order
    rates: Callable[[Sweep], Rates]  # counts them where need be

    @property
    def num_samples(self) -> int:
        """The samples that make them: 0 to so many."""
        return self.identity["num_samples"]


class Settings(NamedTuple):
    """How rates are counted; see `analysis.rates.count_rates`."""

    num_samples: int = 30_000
    seed: int = 0


def make(
    subject: GeneratorSubject, layers: Sequence[str] | None = None, settings: Settings = Settings()
) -> ActivationRates:
    """Count the rates of these layers.

    Args:
        layers: by any of their names; None: the paper's early ones.

    Raises:
        InputError: a layer is unknown.
    """
    known = subject.generator.layers
    layers = early_layers(known) if layers is None else find_layers(known, layers)
    identity = {**settings._asdict(), "published": [], "noise": subject.identity["noise"]}
    return ActivationRates(identity, layers, partial(_count, subject, layers, settings))


def _count(
    subject: GeneratorSubject, layers: Sequence[str], settings: Settings, sweep: Sweep
) -> Rates:
    how = sweep.named("rates")
    return count_rates(subject.generator, subject.params, layers, sweep=how, **settings._asdict())


def read(folder: str, subject: GeneratorSubject, layers: Sequence[str]) -> ActivationRates:
    """The rates of these layers in a result of `analyze.rates`, which may be of other noise.

    Raises:
        InputError: there are none, or they are of another generator or of other layers.
    """
    result = earlier.read(folder, "rates", subject.identity)
    with results.of_this_version(folder):
        rates, of_result = restore(result.arrays), result.provenance["identity"]
    if missing := [layer for layer in layers if layer not in rates.counts]:
        raise InputError(
            f"the rates in {folder} lack {', '.join(missing)}; "
            "give analyze.rates these --layers, or leave --rates out"
        )
    wanted = Rates({layer: rates.counts[layer] for layer in layers}, rates.num_samples)
    if not fits(wanted, subject.generator):
        raise InputError(f"the rates in {folder} are not counts of this generator's neurons")
    identity = {
        "num_samples": rates.num_samples,
        "seed": of_result.get("seed"),
        "published": of_result.get("published"),
        "noise": earlier.noise(of_result),
    }
    return ActivationRates(identity, layers, lambda _: wanted)
