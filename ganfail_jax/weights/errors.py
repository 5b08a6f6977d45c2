"""What every reader of weights raises."""

from collections.abc import Sequence

from ganfail_jax.errors import InputError

LISTED = 8  # faults of a file that are named


class WeightsError(InputError):
    """A file of weights is damaged or does not fit the network; one line says which and why."""


def list_faults(faults: Sequence[str]) -> WeightsError:
    """All faults of a file as one error, the first of them by name."""
    more = [f"and {len(faults) - LISTED} more"] if len(faults) > LISTED else []
    return WeightsError(f"{len(faults)} faults: " + "; ".join([*faults[:LISTED], *more]))
