"""Which of the networks in a file is the averaged generator, and what is said where none is.

A generator's weights averaged over its training make better images than the raw ones: published
results are of the average.
"""

from collections.abc import Iterable
from typing import Any

from ganfail_jax.errors import one_line

AVERAGED = (  # its names, those of the formats that are read before those of others
    *("generator_smooth", "g_ema", "G_ema", "Gs"),
    *("generator_ema", "netG_ema", "gen_ema", "params_ema", "model_ema", "state_dict_ema", "ema"),
    "g_ema_best",
)


def remarks(taken: Any, names: Iterable[Any]) -> tuple[str, ...]:
    """What to say of a choice: nothing where just the network that was taken is called an average.

    Args:
        taken: the name of the network; without a name nothing can be said.
        names: of all networks in the file.
    """
    names = [name for name in names if isinstance(name, str)]
    if not isinstance(taken, str) or not taken or [n for n in names if n in AVERAGED] == [taken]:
        return ()
    doubt = "" if taken in AVERAGED else ", which is not called an average"
    listed = ", ".join(sorted(names))
    return (one_line(ValueError(f"network {taken}{doubt}; in the file: {listed}")),)
