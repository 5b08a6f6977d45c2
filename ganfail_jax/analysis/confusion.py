"""What does a classifier take for what? The confusion matrix, and shares of it with intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ganfail_jax.statistics.estimates import auc
from ganfail_jax.statistics.intervals import with_interval
from ganfail_jax.statistics.proportions import wilson


def confusion_matrix(
    labels: Int[np.ndarray, " n"], predicted: Int[np.ndarray, " n"], num_classes: int
) -> Int[np.ndarray, "k k"]:
    """Samples by label (rows) and prediction (columns)."""
    matrix = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def _share(part: int, whole: int) -> dict[str, Any]:
    """A share with Wilson's 95 % interval; NaN of nothing."""
    interval = wilson(np.asarray(part), np.asarray(whole))
    value = part / whole if whole else np.nan
    return with_interval(value, interval.tolist()) | {"hits": part, "of": whole}


def shares(matrix: Int[np.ndarray, "k k"], names: Sequence[str]) -> dict[str, Any]:
    """Accuracy, and each class's recall and precision, for result.json."""
    right, rows, columns = (x.tolist() for x in (np.diag(matrix), matrix.sum(1), matrix.sum(0)))
    return {
        "accuracy": _share(sum(right), sum(rows)),
        "most_frequent": max(rows) / sum(rows),  # the accuracy of always saying the same
        "recall": {name: _share(right[i], rows[i]) for i, name in enumerate(names)},
        "precision": {name: _share(right[i], columns[i]) for i, name in enumerate(names)},
    }


def pair_auc(
    logits: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"], first: int, second: int
) -> dict[str, Any]:
    """How well the logits tell one class from another, samples of both alone.

    The area under the ROC curve of the difference of their logits: the chance that a sample of the
    first has the larger one, ties half; with DeLong's 95 % interval, NaN without two of each.
    """
    both = (labels == first) | (labels == second)
    found = auc((logits[both, first] - logits[both, second])[:, None], labels[both] == first)
    low, high = found.share_interval
    return with_interval(found.value[0], (low[0], high[0]))
