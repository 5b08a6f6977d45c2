"""Networks from ONNX files of several exporters, with gradient, against onnxruntime."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.nn.onnx_cases import cases

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
