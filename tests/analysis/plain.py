"""Definitions by loops in float64, nothing of ours."""

import numpy as np


def place(i, size, target):
    """Centre of pixel i of `target` in a row of `size`: its neighbours and the second's weight."""
    x = min(max((i + 0.5) * size / target - 0.5, 0), size - 1)
    first = min(int(x), size - 2)
    return first, x - first


def enlarge(coarse, height, width):
    """Bilinear, of one map."""
    fine = np.zeros((height, width))
    for i, j in np.ndindex(height, width):
        (r, y), (s, x) = place(i, coarse.shape[0], height), place(j, coarse.shape[1], width)
        fine[i, j] = (1 - y) * ((1 - x) * coarse[r, s] + x * coarse[r, s + 1])
        fine[i, j] += y * ((1 - x) * coarse[r + 1, s] + x * coarse[r + 1, s + 1])
    return fine
