"""Networks from ONNX files of several exporters, with gradient, against onnxruntime."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.nn import onnx_graph
from ganfail_jax.weights.onnx_files import parse
from tests.nn.onnx_cases import cases
from tests.weights.onnx_written import encode, model, node, tensor, value

NETS = (
    "attention",
    "average_pool",
    "conv_transpose",
    "gelu",
    "group_norm",
    "hard_swish",
    "max_pool",
    "residual",
    "resize",
    "resize_nearest",
    "silu",
    "softmax",
    "views",
)


def logits_of(networks):
    """Logits of all networks, in one program."""
    params = {name: case.network.params for name, case in networks.items()}
    images = {name: case.images for name, case in networks.items()}
    return jax.jit(lambda p, x: {n: c.network.function(p[n], x[n]) for n, c in networks.items()})(
        params, images
    )


def test_there_is_a_net_of_both_exporters_of_pytorch():
    nets = cases("onnx_nets", "nets")
    assert {f"{n}_{e}_one" for n in NETS for e in ("torchscript", "dynamo")} <= {*nets}


def test_small_nets_equal_onnxruntime():
    """Within 1e-5 of the largest; with an open batch and with one of 1, on four images."""
    nets = cases("onnx_nets", "nets")
    for name, logits in logits_of(nets).items():
        wanted = nets[name].logits
        assert nets[name].network.num_classes == wanted.shape[1] == 5
        largest = np.abs(wanted).max()
        np.testing.assert_allclose(logits, wanted, rtol=0, atol=1e-5 * largest, err_msg=name)


def test_probabilities_follow_from_the_logits():
    """Of scikit-learn and Keras, whose files end in probabilities; one of two classes included."""
    nets = cases("onnx_nets", "probabilities")
    for name, logits in logits_of(nets).items():
        assert {*nets[name].network.left_out} & {"Softmax", "Sigmoid"}
        wanted = nets[name].logits
        wanted = np.concatenate([1 - wanted, wanted], 1) if wanted.shape[1] == 1 else wanted
        np.testing.assert_allclose(jax.nn.softmax(logits), wanted, atol=1e-6, err_msg=name)


def test_gradient_of_an_image_depends_on_that_image_alone():
    case = cases("onnx_nets", "nets")["attention_dynamo_one"]

    def loss(images):
        return jnp.sum(case.network.function(case.network.params, images)[:, 1])

    together = jax.jit(jax.grad(loss))(case.images)
    alone = [jax.jit(jax.grad(loss))(case.images[i : i + 1]) for i in range(2)]
    np.testing.assert_allclose(together[:2], np.concatenate(alone), atol=1e-6)
    assert np.abs(together).max() > 1e-4


ENDINGS = {  # operators after `l`, the logits -> those that are left out
    "logits": ([], ()),
    "softmax": ([node("Softmax", "l", "y")], ("Softmax",)),
    "log-softmax": ([node("LogSoftmax", "l", "y")], ()),
    "class": ([node("Softmax", "l", "p"), node("ArgMax", "p", "y", axis=1)], ("ArgMax", "Softmax")),
    "softmax twice": ([node("Softmax", "l", "p"), node("Softmax", "p", "y")], ("Softmax",)),
    "softmax over images": ([node("Softmax", "l", "y", axis=0)], ()),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_comes_after_the_logits_is_left_out(ending):
    """The softmax of the logits is what the file gives, where that is probabilities."""
    nodes, left_out = ENDINGS[ending]
    output = value("y", ("n", 3)) if nodes else value("l", ("n", 3))
    weights = np.arange(12.0).reshape(4, 3) / 10
    graph = model([node("MatMul", "x W", "l"), *nodes], [tensor("W", weights)], outputs=[output])
    network = onnx_graph.build(parse(encode(graph)))
    images = np.array([[1.0, 2, 3, 4], [0, 1, 0, -1]], np.float32)
    logits = images @ weights
    wanted = {"softmax twice": jax.nn.softmax, "log-softmax": jax.nn.log_softmax}
    if ending == "softmax over images":  # of a batch of one
        wanted = {ending: jnp.ones_like}
    wanted = wanted.get(ending, lambda x: x)(logits)
    assert network.left_out == left_out
    np.testing.assert_allclose(network.function(network.params, images), wanted, rtol=1e-5)


def test_the_sigmoid_of_one_number_is_of_two_classes():
    graph = model(
        [node("MatMul", "x W", "z"), node("Sigmoid", "z", "y")],
        [tensor("W", np.ones((4, 1)))],
        outputs=[value("y", ("n", 1))],
    )
    network = onnx_graph.build(parse(encode(graph)))
    logits = network.function(network.params, np.ones((2, 4), np.float32))
    np.testing.assert_array_equal(logits, [[0, 4], [0, 4]])
