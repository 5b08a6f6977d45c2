"""An ONNX file as a function of images, as `wrapped.wrap` takes it."""

from pathlib import Path

from ganfail_jax import files
from ganfail_jax.nn import onnx_graph, onnx_images
from ganfail_jax.nn.functions import Function
from ganfail_jax.weights.errors import WeightsError


def read(path: Path) -> Function:
    """The classifier of an ONNX file; a softmax or sigmoid at its end is left out.

    Raises:
        WeightsError: one line that names the file.
    """
    network = onnx_graph.read(path)
    with files.refusals(path, WeightsError):
        entry = onnx_images.entry_of(network)
    given = {"layout": entry.layout, "size": entry.size, "channels": entry.channels}
    given["outputs"] = "logits" if {"Softmax", "Sigmoid"} & {*network.left_out} else None
    known = {name: value for name, value in given.items() if value is not None}
    return Function(entry.function, network.params, known)
