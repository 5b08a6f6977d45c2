"""The one normal quantile, and the one form in which an interval is kept and printed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import scipy

Z95 = float(scipy.special.ndtri(0.975))  # two-sided 95 % quantile of the normal distribution
UNDEFINED = "undefined"


def with_interval(value: float, interval: Sequence[float]) -> dict[str, Any]:
    """A number and its 95 % interval, for result.json."""
    low, high = interval
    return {"value": float(value), "interval95": [float(low), float(high)]}


def show(value: float | None, interval: Sequence[float | None] | None, form: str = ".3f") -> str:
    """Such as "0.512 [0.498, 0.526]"; without an interval where it has no ends.

    Args:
        form: format of all three numbers.
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    ends = [end for end in interval or () if end is not None and not math.isnan(end)]
    if len(ends) < 2:
        return f"{value:{form}}"
    return f"{value:{form}} [{ends[0]:{form}}, {ends[1]:{form}}]"


def show_entry(entry: Mapping[str, Any], form: str = ".3f") -> str:
    """What `with_interval` kept, as `show`."""
    return show(entry["value"], entry["interval95"], form)
