"""Which activation rates an analysis goes by: those in --rates, or its own count (Choi 2022).

Rates are of samples 0 .. N - 1. What is tested with them should be other samples: from N on.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from analyze import flags as common
from ganfail_jax import results, runtime
from ganfail_jax.analysis.rates import Rates, count_rates, restore
from ganfail_jax.errors import InputError
from ganfail_jax.types import Generator, Params

FLAGS = flags.FLAGS


class Choice(NamedTuple):
    """The rates of one call; its samples end at `num_samples`."""

    identity: Mapping[str, Any]  # tells these rates from others, for the identity of a result
    num_samples: int
    rates: Callable[[Path], Rates]  # counts, where need be, resuming in this folder


def define_rates() -> None:
    """Beside --seed and --batch_size, which the count uses."""
    flags.DEFINE_integer("rates_samples", 30_000, "Samples that make the activation rates.", 1)
    flags.DEFINE_string("rates", None, "Folder of analyze.rates to use instead.")


def read_rates(folder: str, generator_sha256: str, layers: Sequence[str]) -> Choice:
    """The rates of these layers in a result of `analyze.rates`, with whatever noise.

    Raises:
        InputError: there are none, or they are of another generator or of other layers.
    """
    result = results.load(folder)
    found, made = restore(result.arrays), result.provenance["identity"]
    if made.get("generator_sha256") != generator_sha256:
        whose = made.get("generator", "unknown")
        raise InputError(f"the rates in {folder} are of another generator: {whose}")
    if missing := [layer for layer in layers if layer not in found.counts]:
        raise InputError(
            f"the rates in {folder} lack {', '.join(missing)}; "
            "give analyze.rates these --layers, or leave --rates out"
        )
    own = Rates({layer: found.counts[layer] for layer in layers}, found.num_samples)
    identity = {name: made.get(name) for name in ("num_samples", "seed", "published")}
    identity["noise"] = common.noise_of(made)
    return Choice(identity, own.num_samples, lambda _: own)


def choose_rates(
    generator: Generator, params: Params, layers: Sequence[str], identity: Mapping[str, Any]
) -> Choice:
    """The rates of these layers that the flags ask for.

    Args:
        identity: of the generator and the seed, from `flags.load_generator`.

    Raises:
        InputError: --rates does not fit.
    """
    if FLAGS.rates is not None:
        if FLAGS["rates_samples"].present:
            raise InputError("--rates has its own number of samples: leave --rates_samples out")
        return read_rates(FLAGS.rates, identity["generator_sha256"], layers)

    def count(folder: Path) -> Rates:
        return count_rates(
            generator,
            params,
            layers,
            num_samples=FLAGS.rates_samples,
            batch_size=FLAGS.batch_size,
            mesh=runtime.data_mesh(),
            seed=FLAGS.seed,
            folder=folder,
            identity=identity,
            progress="rates",
        )

    made = {"num_samples": FLAGS.rates_samples, "seed": FLAGS.seed, "published": []}
    made["noise"] = generator.noise
    return Choice(made, FLAGS.rates_samples, count)
