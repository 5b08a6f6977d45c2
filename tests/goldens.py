"""Reads tests/golden: inputs and outputs of the public reference implementations."""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "golden"


def load(name: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(weights by reference name, everything else) of one golden file."""
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = dict(file)
    state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
    return state, {k: v for k, v in arrays.items() if not k.startswith("state/")}


def nhwc(array: np.ndarray) -> np.ndarray:
    return array.transpose(0, 2, 3, 1)


def our_name(reference: str) -> str:
    """'b4.conv1.affine' or 'b4.conv1' -> 'b0004/conv1'."""
    block, layer = reference.split(".")[:2]
    return f"b{int(block[1:]):04d}/{layer}"


def deviation(ours: np.ndarray, reference: np.ndarray) -> float:
    """Largest absolute error in units of the reference's standard deviation."""
    assert ours.shape == reference.shape
    return float(np.max(np.abs(ours - reference)) / np.std(reference))
