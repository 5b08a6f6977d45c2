"""The flag that names layers of a generator, and the layers."""

from absl.flags import DEFINE_list, FlagValues

from ganfail_jax.analysis.rates import early_layers, find_layers
from ganfail_jax.errors import InputError
from ganfail_jax.types import Generator


def define_layers(
    flags: FlagValues, default: str | None = None, usual: str = "the paper's early ones"
) -> None:
    """
    Args:
        usual: what is taken without the flag and without a default, for a person.
    """
    text = f"Layers by any of their names, by commas; all (default: {default or usual})."
    DEFINE_list("layers", default, text, flag_values=flags)


def layers_from(flags: FlagValues, generator: Generator, resolutions: int = 3) -> list[str]:
    """--layers in forward order.

    Args:
        resolutions: number of those that the paper's early layers are taken of.

    Raises:
        InputError: one is unknown, or there is none (of the paper's).
    """
    if flags.layers == []:
        raise InputError("--layers is empty; give some, or leave it out for the paper's")
    if flags.layers == ["all"]:
        return list(generator.layers)
    if flags.layers is None:
        early = early_layers(generator.layers, resolutions)
        if not early:
            names = ", ".join(generator.layers) or "none"
            raise InputError(
                f"this generator has none of the paper's early layers; choose some by --layers, or "
                f"--layers=all: {names}"
            )
        return early
    return find_layers(generator.layers, flags.layers)
