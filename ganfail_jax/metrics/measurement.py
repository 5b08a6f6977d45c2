"""What every metric of two sets of images returns: a value that says how it came about."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy

Interval = tuple[float, float]


class Measurement(NamedTuple):
    """A number, never without the features it is of, the sizes of the sets and its convention."""

    metric: str  # such as "FID"
    features: str  # name of the extractor
    value: float  # of nothing: NaN, for which a file has None
    samples: Mapping[str, int]  # size of each set by name, such as {"real": .., "generated": ..}
    convention: str
    interval: Interval | None = None  # of 95 %
    interval_method: str = ""  # begins with what varies, such as "over both sets: ..."
    warnings: tuple[str, ...] = ()
    draws: tuple[float, ...] = ()  # the values of single draws of what is random, if several

    @property
    def title(self) -> str:
        """Such as "FID on mnist_c classifier features"."""
        return f"{self.metric} on {self.features}"

    @property
    def interval_note(self) -> list[str]:
        """What the interval says; empty without one."""
        return [f"95 % interval {self.interval_method}"] if self.interval else []

    @property
    def spread(self) -> float | None:
        """The standard deviation between draws; None: there are not several."""
        return statistics.stdev(self.draws) if len(self.draws) > 1 else None

    @property
    def spread_note(self) -> str:
        """Such as " ± 0.02", between draws; empty without several."""
        return "" if self.spread is None else f" ± {self.spread:.2g}"

    def summary(self) -> dict[str, Any]:
        """For result.json."""
        fields = self._asdict()
        return fields | {
            "samples": dict(self.samples),
            "warnings": list(self.warnings),
            "draws": list(self.draws),
        }

    def __str__(self) -> str:
        within = f" [{self.interval[0]:.4g}, {self.interval[1]:.4g}]" if self.interval else ""
        within += self.spread_note
        sizes = ", ".join(f"{size:,} {name}" for name, size in self.samples.items())
        undefined = self.value is None or math.isnan(self.value)
        value = "undefined" if undefined else f"{self.value:.4g}{within}"
        how = "; ".join([sizes, self.convention, *self.interval_note])
        lines = [f"{self.title}: {value} ({how})"]
        return "\n".join([*lines, *(f"  warning: {text}" for text in self.warnings)])


def over_draws(measured: Sequence[Measurement]) -> Measurement:
    """The mean of measurements that differ in a random draw alone, which their interval includes.

    It takes the sampling errors of the draws as one and the same, and Student's quantile for the
    error of the mean of so few draws.
    """
    first, d = measured[0], len(measured)
    if d == 1:
        return first
    values = np.asarray([each.value for each in measured])
    middle = float(values.mean())
    reach = scipy.special.stdtrit(d - 1, 0.975) * values.std(ddof=1) / np.sqrt(d)
    interval, ends = None, [each.interval for each in measured if each.interval is not None]
    if len(ends) == d:
        squares = np.square(np.asarray(ends) - values[:, None]).mean(axis=0)
        below, above = np.sqrt(squares + reach**2).tolist()
        interval = middle - below, middle + above
    return first._replace(
        value=middle,
        interval=interval,
        interval_method=f"{first.interval_method}; and over {d} random draws",
        warnings=tuple(dict.fromkeys(text for each in measured for text in each.warnings)),
        draws=tuple(values.tolist()),
    )
