"""How sure is a share of samples, and is it another share of the same samples?

Intervals and tests of accuracies; every interval is of 95 %.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int, Num

from ganfail_jax.statistics.intervals import Z95


def wilson(
    successes: Num[np.ndarray, "*s"], trials: Num[np.ndarray, "*s"]
) -> Float[np.ndarray, "*s 2"]:
    """Wilson intervals of shares; NaN where there were no trials.

    Trials that are not independent count as fewer, so that numbers need not be whole.
    """
    z, n = Z95, np.where(trials > 0, trials, np.nan)
    p = successes / n
    middle = p + z**2 / (2 * n)
    reach = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    scale = 1 + z**2 / n
    low = np.where(p == 0, 0, (middle - reach) / scale)  # exactly, whatever the rounding
    high = np.where(p == 1, 1, (middle + reach) / scale)
    return np.stack([low, high], axis=-1)


class Paired(NamedTuple):
    """Two classifiers, A and B, on the same samples."""

    table: Int[np.ndarray, "2 2"]  # of right ones: [[both, only A], [only B, neither]]
    difference: float  # accuracy of A minus accuracy of B
    interval: tuple[float, float]
    p: float  # exact McNemar test of no difference

    def summary(self) -> dict[str, Any]:
        """For result.json."""
        (both, only_a), (only_b, neither) = self.table.tolist()
        return {
            "both": both,
            "only_a": only_a,
            "only_b": only_b,
            "neither": neither,
            "difference": self.difference,
            "interval95": list(self.interval),
            "mcnemar_p": self.p,
        }


def compare_paired(a: Bool[np.ndarray, " n"], b: Bool[np.ndarray, " n"]) -> Paired:
    """Is A more often right than B? The interval is Bonett and Price's (2012) adjusted Wald."""
    table = np.asarray([[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]])
    only_a, only_b, n = int(table[0, 1]), int(table[1, 0]), len(a)
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    middle = share_a - share_b
    reach = Z95 * np.sqrt((share_a + share_b - middle**2) / (n + 2))
    discordant = only_a + only_b
    return Paired(
        table,
        (only_a - only_b) / n,
        (max(middle - reach, -1.0), min(middle + reach, 1.0)),
        float(scipy.stats.binomtest(only_a, discordant).pvalue) if discordant else 1.0,
    )
