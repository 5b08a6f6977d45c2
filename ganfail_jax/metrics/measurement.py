"""What every metric of two sets of images returns: a value that says how it came about."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

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

    @property
    def title(self) -> str:
        """Such as "FID on mnist_c classifier features"."""
        return f"{self.metric} on {self.features}"

    @property
    def interval_note(self) -> list[str]:
        """What the interval says; empty without one."""
        return [f"95 % interval {self.interval_method}"] if self.interval else []

    def summary(self) -> dict[str, Any]:
        """For result.json."""
        fields = self._asdict()
        return fields | {"samples": dict(self.samples), "warnings": list(self.warnings)}

    def __str__(self) -> str:
        within = f" [{self.interval[0]:.4g}, {self.interval[1]:.4g}]" if self.interval else ""
        sizes = ", ".join(f"{size:,} {name}" for name, size in self.samples.items())
        undefined = self.value is None or math.isnan(self.value)
        value = "undefined" if undefined else f"{self.value:.4g}{within}"
        how = "; ".join([sizes, self.convention, *self.interval_note])
        lines = [f"{self.title}: {value} ({how})"]
        return "\n".join([*lines, *(f"  warning: {text}" for text in self.warnings)])
