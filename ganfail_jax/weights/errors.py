"""What every reader of weights raises."""

from ganfail_jax.errors import InputError


class WeightsError(InputError):
    """A file of weights is damaged or does not fit the network; one line says which and why."""
