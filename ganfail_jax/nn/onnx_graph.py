"""A network of an ONNX file as a pure JAX function of its parameters.

Every operator is a function of an allow-list (`onnx_operators.table`); a file that uses another is
refused. The network is traced once when it is read: what does not depend on the image or on float
weights (all arithmetic of shapes) is computed there, by numpy, and only the rest is left to run.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ganfail_jax import files
from ganfail_jax.errors import one_line
from ganfail_jax.nn.onnx_operators.context import Context, bounded
from ganfail_jax.nn.onnx_operators.elementwise import cast
from ganfail_jax.nn.onnx_operators.table import OPERATORS, OPSETS
from ganfail_jax.nn.onnx_outputs import logits_of, needed
from ganfail_jax.types import Params
from ganfail_jax.weights import onnx_files
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.onnx_files import Graph, Node, Value

MOST_CONSTANTS = 2**23  # elements of everything that is computed when a file is read

Images = Float[Array | np.ndarray, "b ..."]


class Network(NamedTuple):
    """A classifier as stored: images as the file wants them, logits out."""

    function: Callable[[Params, Images], Float[Array, "b k"]]
    params: dict[str, np.ndarray]  # the float weights by their names in the file
    input_shape: tuple[int | None, ...]  # of one image, mostly (c, h, w); None: any
    num_classes: int | None  # None: where a size is open
    left_out: tuple[str, ...]  # operators after the logits, such as Softmax


def read(path: Any, input_shape: Sequence[int] | None = None) -> Network:
    """The network of an ONNX file.

    Images are computed in groups of the size of batch that the file was exported with (1 where it
    leaves that open), so a shape that the exporter wrote as a constant stays right; the last group
    is filled up. Floats of every width are computed in float32. Where the file leaves the
    size of images open, the network is traced anew for every size.

    Args:
        input_shape: of one image; None: as the file says.

    Raises:
        WeightsError: one line that names the file, and the node where one is at fault.
    """
    graph = onnx_files.read(path)
    with files.refusals(path, WeightsError):
        return build(graph, input_shape)


def build(graph: Graph, input_shape: Sequence[int] | None = None) -> Network:
    """As `read`, of a graph in memory.

    Raises:
        WeightsError: one line.
    """
    low, high = OPSETS
    if not low <= graph.opset <= high:
        raise WeightsError(f"operators of version {graph.opset}; known are {low} to {high}")
    graph = _constants_as_weights(graph)
    output, left_out = logits_of(graph)
    nodes = needed(graph, output)
    for node in nodes:
        if node.operator not in OPERATORS:
            raise WeightsError(f"{node} is not one of the known operators")
    image = _image(graph, nodes)
    constants, params = _split_weights(graph, nodes)
    shape = _input_shape(image, input_shape)
    if None in shape:
        whole = graph

        def sized(params: Params, x: Images) -> Array:
            return build(whole, x.shape[1:]).function(params, x)

        return Network(sized, params, shape[1:], None, left_out)
    shape = bounded(shape)
    known: dict[str, np.ndarray] = {}

    def first(params: Params, x: Array) -> Array:
        values = _run(nodes, graph.opset, {**constants, **params, image.name: x})
        known.update({n: value for n, value in values.items() if isinstance(value, np.ndarray)})
        return _logits(values, output)

    logits = jax.eval_shape(first, params, jax.ShapeDtypeStruct(shape, np.float32))
    running = _running(nodes, {*known}, output)
    used = {name for node in running for name in node.inputs}
    known = {name: value for name, value in known.items() if name in used}

    def group(params: Params, x: Array) -> Array:
        return _logits(_run(running, graph.opset, {**known, **params, image.name: x}), output)

    params = {name: value for name, value in params.items() if name in used}
    return Network(_in_groups(group, shape), params, shape[1:], logits.shape[1], left_out)


def _constants_as_weights(graph: Graph) -> Graph:
    """Arrays of `Constant` nodes among the stored ones: some exporters write weights so."""
    arrays, inputs = dict(graph.initialisers), [value.name for value in graph.inputs]
    nodes = []
    for node in graph.nodes:
        value = node.attributes.get("value") if node.operator == "Constant" else None
        if isinstance(value, np.ndarray) and len(node.attributes) == len(node.outputs) == 1:
            if node.outputs[0] in arrays or node.outputs[0] in inputs:
                raise WeightsError(f"two arrays called {node.outputs[0]}")
            arrays[node.outputs[0]] = value
        else:
            nodes.append(node)
    return graph._replace(nodes=tuple(nodes), initialisers=arrays)


def _image(graph: Graph, nodes: Sequence[Node]) -> Value:
    """The one input that the logits depend on."""
    used = {name for node in nodes for name in node.inputs}
    inputs = [value for value in graph.inputs if value.name in used]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs[:8])
        raise WeightsError(f"a network of one image has one input, not {len(inputs)}: {names}")
    if inputs[0].dtype is None or not jnp.issubdtype(inputs[0].dtype, jnp.floating):
        raise WeightsError(f"the input {inputs[0].name} takes {inputs[0].dtype}, not floats")
    return inputs[0]


def _input_shape(image: Value, given: Sequence[int] | None) -> tuple[int | None, ...]:
    """With the batch in front, 1 where the file leaves it open; None: an open size."""
    stored = image.shape
    if stored is None and given is not None:
        stored = (None,) * (len(given) + 1)
    if not stored or len(stored) < 2:
        raise WeightsError(f"the input {image.name} is not a batch of images: {stored}")
    sizes = stored[1:] if given is None else tuple(given)
    fits = len(sizes) == len(stored) - 1
    if not fits or any(n not in (None, m) for n, m in zip(stored[1:], sizes, strict=True)):
        raise WeightsError(f"the network takes images of shape {stored[1:]}, not {sizes}")
    return stored[0] or 1, *sizes


def _split_weights(
    graph: Graph, nodes: Sequence[Node]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Constants, which shapes may be made of, and parameters, in float32.

    Parameters are the arrays of floats that no shape and no limit depends on.
    """
    static: set[str] = set()
    for node in reversed(nodes):
        positions = OPERATORS[node.operator].known
        whole = static.intersection(node.outputs) and node.operator not in ("Shape", "Size")
        static |= {name for i, name in enumerate(node.inputs) if whole or i in positions}
    constants, params = {}, {}
    for name in {name: None for node in nodes for name in node.inputs}:
        if name in graph.initialisers:
            array = _checked(name, graph.initialisers[name])
            fixed = array.dtype.kind != "f" or not array.ndim or name in static
            (constants if fixed else params)[name] = array
    for node in nodes:
        if node.operator == "BatchNormalization" and node.inputs[4:5]:
            variance = params.get(node.inputs[4])
            if variance is not None and (variance < 0).any():
                raise WeightsError(f"{node.inputs[4]} has negative variances")
    return constants, params


def _checked(name: str, array: np.ndarray) -> np.ndarray:
    """Floats as float32, finite but for single numbers, which may be limits or masks."""
    if array.dtype == object:
        raise WeightsError(f"{name} holds texts")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return array
    array = np.asarray(cast(array, array.dtype))
    if np.isnan(array).any() or (array.size > 1 and np.isinf(array).any()):
        raise WeightsError(f"{name} is not finite")
    return array


def _run(nodes: Sequence[Node], opset: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """All values by name; numpy arrays are those that only depend on numpy arrays."""
    values, size = dict(given), 0
    for node in nodes:
        try:
            outputs = _outputs(node, opset, values)
            for value in outputs.values():
                bounded(value.shape)
        except Exception as error:  # of a shape that does not fit, mostly
            raise WeightsError(f"{node}: {one_line(error)}") from error
        values |= outputs
        size += sum(value.size for value in outputs.values() if isinstance(value, np.ndarray))
        if size > MOST_CONSTANTS:
            raise WeightsError(f"{node}: more constants than a network has")
    return values


def _outputs(node: Node, opset: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a node computes, by the names of its outputs; those without a name are left out."""
    operator = OPERATORS[node.operator]
    context = Context(node.attributes, opset, len(node.outputs))
    missing = [name for name in node.inputs if name and name not in values]
    if missing:
        raise WeightsError(f"{missing[0]} is an output that is not supported")
    inputs = [values[name] if name else None for name in node.inputs]
    results = operator.function(context, *inputs)
    unread = sorted(context.unread - {*operator.ignored})
    if unread:
        raise WeightsError(f"the attribute {unread[0]} is not known")
    results = results if isinstance(results, tuple) else (results,)
    pairs = zip(node.outputs, results, strict=False)
    return {name: _constant(name, result, node) for name, result in pairs if name}


def _constant(name: str, value: Any, node: Node) -> Any:
    """What is known, as an array that was checked; anything else as it is."""
    if not isinstance(value, np.ndarray | np.generic):
        return value
    value = np.asarray(value)
    return _checked(name, value) if node.operator == "Constant" else value


def _running(nodes: Sequence[Node], constants: set[str], output: str) -> list[Node]:
    """The nodes that are left once constants are known."""
    wanted, running = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs) and not constants.issuperset(
            filter(None, node.outputs)
        ):
            running.append(node)
            wanted.update(node.inputs)
    return running[::-1]


def _logits(values: Mapping[str, Any], name: str) -> Array:
    """Logits [b, k]; of one number z, those of two classes: 0 and z."""
    logits = jnp.asarray(values[name])
    if logits.ndim > 2 and all(n == 1 for n in logits.shape[2:]):
        logits = logits.reshape(logits.shape[:2])
    if logits.ndim != 2:
        raise WeightsError(f"the output has shape {logits.shape}, not one number for each class")
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise WeightsError(f"the output {name} holds {logits.dtype}, no logits")
    if logits.shape[1] == 1:
        return jnp.concatenate([jnp.zeros_like(logits), logits], 1)
    return logits


def _in_groups(
    function: Callable[[Params, Array], Array], shape: tuple[int, ...]
) -> Callable[[Params, Images], Array]:
    """Any number of images, by a function of as many as the file was exported with."""
    size = shape[0]

    def whole(params: Params, x: Images) -> Array:
        if x.shape[1:] != shape[1:]:
            raise WeightsError(f"images of shape {x.shape[1:]}; the network takes {shape[1:]}")
        count = len(x)
        x = jnp.pad(x, [(0, -count % size), *[(0, 0)] * (x.ndim - 1)])
        groups = x.reshape(len(x) // size, *shape)
        logits = jax.vmap(function, (None, 0))(params, groups)
        return logits.reshape(len(x), logits.shape[-1])[:count]

    return whole
