"""What the tables of a command have in common; which table asks for which flags."""

from collections.abc import Callable
from typing import NamedTuple

from absl.flags import FlagValues

from ganfail_jax.studies.tables import Table


class TableFlags(NamedTuple):
    """A table by its flags."""

    plan: Callable[[FlagValues], Table]  # raises before any work
    flags: tuple[str, ...]  # those that not all tables have
