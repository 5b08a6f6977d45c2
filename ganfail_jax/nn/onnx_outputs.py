"""Which value of a stored network is the logits of its classes.

Classifiers end in many ways: in logits, in probabilities, in the number of the class. What comes
after the logits is left out.
"""

from collections.abc import Mapping

import numpy as np

from ganfail_jax.nn.onnx_operators.table import OPERATORS
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.onnx_files import Graph, Node

PROBABILITIES = ("Sigmoid", "Softmax")  # at most one of them is left out
AFTER_LOGITS = ("ArgMax", "Cast", "Identity", "ai.onnx.ml.ZipMap", *PROBABILITIES)


def producers(graph: Graph) -> dict[str, int]:
    """Name of a value -> position of the node that computes it.

    Raises:
        WeightsError: two nodes compute it, or it is stored as well.
    """
    positions: dict[str, int] = {}
    given = {*graph.initialisers, *(v.name for v in graph.inputs)}
    for i, node in enumerate(graph.nodes):
        for name in filter(None, node.outputs):
            if name in positions or name in given:
                raise WeightsError(f"{name} is computed by {node}, but defined elsewhere too")
            positions[name] = i
    return positions


def needed(graph: Graph, name: str) -> list[Node]:
    """The nodes that a value depends on, in the order of the file.

    Raises:
        WeightsError: a node uses what is nowhere, or computed after it only (or of itself).
    """
    positions = producers(graph)
    given = {*graph.initialisers, *(v.name for v in graph.inputs)}
    waiting, wanted = [name], set()
    if name not in positions and name not in given:
        raise WeightsError(f"the output {name} is computed by no node")
    while waiting:
        position = positions.get(waiting.pop())
        if position is None or position in wanted:
            continue
        wanted.add(position)
        node = graph.nodes[position]
        for source in filter(None, node.inputs):
            if source not in given and positions.get(source, len(graph.nodes)) >= position:
                raise WeightsError(f"{node} uses {source}, which is not computed before it")
            waiting.append(source)
    return [graph.nodes[i] for i in sorted(wanted)]


def logits_of(graph: Graph) -> tuple[str, tuple[str, ...]]:
    """The name of the value that the classes' probabilities, or the class, are computed from.

    Beside it the operators after it, which are left out: Softmax, Sigmoid, ArgMax. Log-softmax and
    logarithms of probabilities are logits.

    Raises:
        WeightsError: there are several outputs and none stands out.
    """
    positions = producers(graph)
    names = [value.name for value in graph.outputs]
    if len(names) > 1:
        names = [v.name for v in graph.outputs if v.dtype is None or v.dtype.kind not in "iub"]
    if len(names) > 1:
        names = [name for name in names if not _unknown(graph, _before(graph, positions, name))]
    if len(names) != 1:
        listed = ", ".join(value.name for value in graph.outputs[:8])
        raise WeightsError(f"which of its {len(graph.outputs)} outputs is the logits? {listed}")
    name = names[0]
    left_out: list[str] = []
    while (before := _before(graph, positions, name)) != name:
        left_out.append(graph.nodes[positions[name]].operator)
        name = before
        if left_out[-1] in PROBABILITIES:
            return name, tuple(left_out)
    before = _before_pair(graph, positions, name)
    left_out += ["Sigmoid"] if before != name else []
    return before, tuple(left_out)


def _unknown(graph: Graph, name: str) -> bool:
    return any(node.operator not in OPERATORS for node in needed(graph, name))


def _before(graph: Graph, positions: Mapping[str, int], name: str) -> str:
    """The input of the node that computes a value, if logits would be before it."""
    position = positions.get(name)
    if position is None or graph.nodes[position].operator not in AFTER_LOGITS:
        return name
    node = graph.nodes[position]
    if node.attributes.get("axis", 0 if node.operator == "ArgMax" else 1) not in (1, -1):
        return name
    source = node.inputs[0] if node.inputs else name
    return source if positions.get(source, position) < position else name


def _before_pair(graph: Graph, positions: Mapping[str, int], name: str) -> str:
    """Of 1 - p and p, joined, where p is the sigmoid of z: z."""

    def node(value: str, operator: str, inputs: int) -> Node | None:
        made = graph.nodes[positions[value]] if value in positions else None
        return made if made and made.operator == operator and len(made.inputs) == inputs else None

    joined = node(name, "Concat", 2)
    rest = joined and node(joined.inputs[0], "Sub", 2)
    sigmoid = joined and node(joined.inputs[1], "Sigmoid", 1)
    if joined and rest and sigmoid and rest.inputs[1] == joined.inputs[1]:
        one = graph.initialisers.get(rest.inputs[0])
        if one is not None and one.dtype.kind == "f" and np.all(one == 1):
            return sigmoid.inputs[0]
    return name
