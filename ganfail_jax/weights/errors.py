"""What every reader of weights raises, and how a message from a file becomes one safe line."""

from collections.abc import Sequence

from ganfail_jax.errors import InputError

LONGEST = 500  # characters of a message
LISTED = 8  # faults of a file that are named


class WeightsError(InputError):
    """A file of weights is damaged or does not fit the network; one line says which and why."""


def one_line(error: BaseException) -> str:
    """An error's message, which may quote a hostile file, as one short printable line."""
    try:
        text = str(error)[: 4 * LONGEST]
    except ValueError:  # a number of too many digits
        text = ""
    text = " ".join(text.split()) or type(error).__name__
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)[:LONGEST]


def list_faults(faults: Sequence[str]) -> WeightsError:
    """All faults of a file as one error, the first of them by name."""
    more = [f"and {len(faults) - LISTED} more"] if len(faults) > LISTED else []
    return WeightsError(f"{len(faults)} faults: " + "; ".join([*faults[:LISTED], *more]))
