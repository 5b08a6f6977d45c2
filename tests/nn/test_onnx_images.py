"""Which images an ONNX network takes, by the shape of its input."""

import numpy as np
import pytest

from ganfail_jax.nn import onnx_graph, onnx_images
from ganfail_jax.weights.errors import WeightsError
from ganfail_jax.weights.onnx_files import parse
from tests.weights.onnx_written import encode, model, node, tensor, value


def flat_network(*shape):
    """Logits: the pixels in a row, as the file orders them; without weights."""
    nodes = [node("Flatten", "x", "y")]
    return onnx_graph.build(parse(encode(model(nodes, inputs=[value("x", (1, *shape))]))))


@pytest.mark.parametrize(
    ("shape", "layout", "size", "channels"),
    [
        ((3, 4, 5), "NCHW", (4, 5), 3),
        ((1, 4, 5), "NCHW", (4, 5), 1),
        ((4, 5, 3), "NHWC", (4, 5), 3),
        ((4, 5), "NHWC", (4, 5), 1),
        ((16,), "NHWC", (4, 4), 1),
        ((48,), "NHWC", (4, 4), 3),
    ],
)
def test_layout_size_and_channels_follow_from_the_shape(shape, layout, size, channels):
    network = flat_network(*shape)
    entry = onnx_images.entry_of(network)
    assert entry[1:] == (layout, size, channels)
    sizes = (channels, *size) if layout == "NCHW" else (*size, channels)
    images = np.arange(2 * np.prod(sizes), dtype=np.float32).reshape(2, *sizes)
    np.testing.assert_array_equal(entry.function(network.params, images), images.reshape(2, -1))


@pytest.mark.parametrize("shape", [(2, 4, 5), (17,), (4, 4, 4, 3)])
def test_other_inputs_are_refused(shape):
    with pytest.raises(WeightsError, match="not grey or colour images"):
        onnx_images.entry_of(flat_network(*shape))


def test_an_open_size_is_any_size():
    """The mean of every channel, times weights, of images of two sizes."""
    nodes = [
        node("GlobalAveragePool", "x", "m"),
        node("Flatten", "m", "f"),
        node("MatMul", "f W", "y"),
    ]
    weights = np.arange(6.0).reshape(3, 2)
    inputs = [value("x", ("n", 3, "h", "w"))]
    network = onnx_graph.build(parse(encode(model(nodes, [tensor("W", weights)], inputs))))
    assert network.input_shape == (3, None, None)
    assert network.num_classes is None
    assert onnx_images.entry_of(network)[1:] == ("NCHW", None, 3)
    for size in (4, 6):
        images = np.random.default_rng(0).normal(size=(2, 3, size, size)).astype(np.float32)
        logits = network.function(network.params, images)
        np.testing.assert_allclose(logits, images.mean((2, 3)) @ weights, atol=1e-5)
    with pytest.raises(WeightsError, match=r"takes images of shape \(3, None, None\)"):
        network.function(network.params, np.zeros((2, 4, 4, 4), np.float32))


def test_a_batch_of_fixed_size_is_filled_up():
    """Five images through a file of batches of two, whose shape is a constant in it."""
    nodes = [node("Reshape", "x s", "r"), node("MatMul", "r W", "y")]
    weights = np.arange(12.0).reshape(4, 3)
    shape = tensor("s", np.array([2, 4]))
    inputs = [value("x", (2, 1, 2, 2))]
    raw = encode(model(nodes, [shape, tensor("W", weights)], inputs))
    network = onnx_graph.build(parse(raw))
    images = np.random.default_rng(0).normal(size=(5, 1, 2, 2)).astype(np.float32)
    logits = network.function(network.params, images)
    np.testing.assert_allclose(logits, images.reshape(5, 4) @ weights, atol=1e-5)
