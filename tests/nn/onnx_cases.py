"""Reads tests/golden/onnx_*.npz: ONNX files, images for them, and what they give.

Files by onnx 1.23 (the small nets by the exporters that their names say), numbers by onnxruntime
1.32 without graph optimisation; all have random weights.
"""

import json
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ganfail_jax.nn import onnx_graph
from ganfail_jax.weights.onnx_files import Graph, parse
from tests.goldens import FOLDER


class Case(NamedTuple):
    graph: Graph
    network: onnx_graph.Network
    images: np.ndarray
    logits: np.ndarray


def _open(name):
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = dict(file)
    return json.loads(arrays["index"].tobytes()), arrays["files"], arrays["numbers"]


def files(name, area):
    """Bytes of the files of an area by their names."""
    index, stored, _ = _open(name)
    pieces = {case: entry["file"] for case, entry in index[area].items()}
    return {case: stored[at : at + size].tobytes() for case, (at, size) in pieces.items()}


@lru_cache
def cases(name, area):
    """Networks of an area with their images and logits, by name."""
    index, _, numbers = _open(name)

    def array(at, shape):
        return numbers[at : at + int(np.prod(shape))].reshape(shape)

    graphs = {case: parse(raw) for case, raw in files(name, area).items()}
    return {
        case: Case(
            graphs[case],
            onnx_graph.build(graphs[case]),
            array(*entry["images"]),
            array(*entry["logits"]),
        )
        for case, entry in index[area].items()
    }
