"""TF-Hub's progan-128 as a TensorFlow.js graph -> its arrays by TF-Hub's names.

The converter renames kernels (`Conv2D_3/merged_input`), so what an array is for is read from the
graph, from the image back to z. Every node on the way is compared with the patterns below: a graph
that computes something else is refused. The last node's clip to [0, 1] is not taken over.
"""

from typing import Any

import numpy as np

from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.tfjs import Graph

# (operation, *inputs); a text binds a node's name, the same name always to the same node; numbers
# are the values of a constant
LAST_AXIS, EPSILON = [-1], 1e-8
NORM = ("Mul", "x", ("Rsqrt", ("Add", ("Mean", ("Square", "x"), LAST_AXIS), EPSILON)))
TWICE = ("BatchToSpaceND", ("Tile", NORM, [4, 1, 1, 1]), [2, 2], [[0, 0], [0, 0]])
AS_MAP = ("Pad", ("Reshape", NORM, "shape"), [[0, 0], [3, 3], [3, 3], [0, 0]])
LEAKY_RELU = ("Maximum", ("Mul", 0.2, "sum"), "sum")
SUM = ("Add", "convolution", "bias")
FIRST, SECOND, LARGER = "Pad", "Mul", "BatchToSpaceND"  # what a convolution's input comes from
CONVOLUTIONS = {
    FIRST: ("Conv2D VALID", AS_MAP, "kernel"),
    SECOND: ("Conv2D SAME", NORM, "kernel"),
    LARGER: ("Conv2D SAME", TWICE, "kernel"),
}
IMAGE = ("Maximum", ("Minimum", ("Add", ("Conv2D SAME", NORM, "kernel"), "bias"), 1.0), 0.0)
ONES = {"list": {"i": ["1", "1", "1", "1"]}}
PLAIN = {"strides": ONES, "dilations": ONES, "data_format": {"s": "TkhXQw=="}}  # NHWC in base 64
SETTINGS = {
    "Conv2D SAME": {**PLAIN, "padding": {"s": "U0FNRQ=="}},
    "Conv2D VALID": {**PLAIN, "padding": {"s": "VkFMSUQ="}},
    "Mean": {"keep_dims": {"b": True}},
}
MOST_LAYERS = 22  # up to 4096 px


class _Reader:
    """Compares a graph with patterns."""

    def __init__(self, graph: Graph):
        self.graph, self.used = graph, set[str]()

    def operation(self, name: str) -> str:
        return str(self.graph.nodes.get(name, {}).get("op"))

    def constant(self, name: str) -> np.ndarray:
        if name not in self.graph.constants:
            raise WeightsError(f"{name} is no constant, other than in progan")
        self.used.add(name)
        return self.graph.constants[name]

    def match(self, pattern: Any, name: str, bound: dict[str, str] | None = None) -> dict[str, str]:
        """The nodes that the texts of a pattern stand for.

        Raises:
            WeightsError: the graph is another one here.
        """
        bound = {} if bound is None else bound
        if isinstance(pattern, str):
            fits = bound.setdefault(pattern, name) == name
        elif isinstance(pattern, tuple):
            operation, *inner = pattern
            node = self.graph.nodes.get(name, {})
            inputs, settings = node.get("input", []), node.get("attr", {})
            wanted = SETTINGS.get(operation, {})
            fits = self.operation(name) == operation.split()[0] and len(inputs) == len(inner)
            fits = fits and all(settings.get(key) == value for key, value in wanted.items())
            for part, source in zip(inner, inputs, strict=True) if fits else ():
                self.match(part, str(source).removesuffix(":0"), bound)
        else:
            value = self.constant(name)
            fits = value.shape == np.shape(pattern) and np.allclose(value, pattern, 1e-6, 0)
        if not fits:
            raise WeightsError(f"its graph is not that of progan at {name}")
        return bound


def arrays(graph: Graph) -> dict[str, np.ndarray]:
    """Kernels and biases by the names that `pggan_names.read_tfhub` knows.

    Raises:
        WeightsError: the graph computes something else than progan, whatever its resolution.
    """
    reader = _Reader(graph)
    last = reader.match(IMAGE, graph.output)
    found, kinds, here = [(last["kernel"], last["bias"])], list[str](), last["x"]
    while not kinds or kinds[-1] != FIRST:
        if len(kinds) == MOST_LAYERS:
            raise WeightsError(f"its graph is not that of progan: more than {MOST_LAYERS} layers")
        bound = reader.match(SUM, reader.match(LEAKY_RELU, here)["sum"])
        inputs = graph.nodes.get(bound["convolution"], {}).get("input") or [""]
        kinds.append(reader.operation(str(inputs[0])))
        if kinds[-1] not in CONVOLUTIONS:
            raise WeightsError(f"its graph is not that of progan at {bound['convolution']}")
        reader.match(CONVOLUTIONS[kinds[-1]], bound["convolution"], bound)
        found.append((bound["kernel"], bound["bias"]))
        if kinds[-1] == FIRST:
            wanted = [-1, 1, 1, reader.constant(bound["kernel"]).shape[-2]]
            reader.match(wanted, bound["shape"])
        here = bound["x"]
    blocks = len(kinds) // 2
    if kinds[::-1] != [FIRST, SECOND, *(blocks - 1) * [LARGER, SECOND]]:
        raise WeightsError("its graph is not that of progan: other layers double the resolution")
    if reader.operation(here) != "Placeholder":
        raise WeightsError("its graph is not that of progan: it does not start at z")
    modules = [f"res_{i}/conv{j}" for i in range(blocks) for j in (0, 1)] + ["to_rgb"]
    if len({name for pair in found for name in pair}) < 2 * len(found):
        raise WeightsError("its graph is not that of progan: layers share an array")
    named: dict[str, np.ndarray] = {}
    for module, (kernel, bias) in zip(modules, reversed(found), strict=True):
        named[f"{module}/kernel"] = reader.constant(kernel)
        named[f"{module}/bias"] = reader.constant(bias)
    if unused := sorted(graph.constants.keys() - reader.used):
        raise WeightsError(f"its graph is not that of progan: {unused[0]} is not used")
    return named
