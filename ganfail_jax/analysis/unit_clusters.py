"""Which units draw the same? Units in groups by what their top images show (Tousi 2021, fig. 8).

An artifact is drawn by several units of a layer, of which a list by score may lack some (sec. 3.3).
"""

from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float, Int

from ganfail_jax.errors import InputError


class Clusters(NamedTuple):
    """c units in groups numbered from 0, the group of the largest mean score first."""

    of_unit: Int[np.ndarray, " c"]
    from_centre: Float[np.ndarray, " c"]  # distance of a unit from the mean of its group

    def members(self, number: int) -> Int[np.ndarray, " m"]:
        """The units of a group, the nearest to its mean first."""
        own = np.flatnonzero(self.of_unit == number)
        return own[np.argsort(self.from_centre[own], kind="stable")]


def cluster_units(
    points: Float[np.ndarray, "c d"], scores: Float[np.ndarray, " c"], number: int
) -> Clusters:
    """Groups by Ward's method: each merge adds least to the squared distances from group means.

    Args:
        points: one per unit, such as the mean features of its top images.
        scores: by whose mean the groups are numbered.
        number: of groups; fewer where units coincide.

    Raises:
        InputError: there are not so many units.
    """
    if not 0 < number <= len(points):
        raise InputError(f"{len(points):,} units do not make {number:,} clusters")
    if len(points) == 1:
        return Clusters(np.zeros(1, int), np.zeros(1))
    tree = scipy.cluster.hierarchy.linkage(points, "ward")
    groups = scipy.cluster.hierarchy.fcluster(tree, number, "maxclust")
    _, groups = np.unique(groups, return_inverse=True)
    means = np.bincount(groups, scores) / np.bincount(groups)
    order = np.argsort(np.argsort(-means, kind="stable"))
    centres = np.stack([points[groups == i].mean(axis=0) for i in range(len(means))])
    return Clusters(order[groups], np.linalg.norm(points - centres[groups], axis=1))
