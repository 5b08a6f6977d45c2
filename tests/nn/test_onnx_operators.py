"""Every ONNX operator, with several attributes and versions, against onnxruntime."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.nn.onnx_operators.table import OPERATORS
from tests.nn.onnx_cases import cases

AREAS = (
    "convolution",
    "elementwise",
    "normalisation",
    "pooling",
    "reductions",
    "resizing",
    "shapes",
)
LOGITS_ONLY = {"ArgMax", "ArgMin"}  # left out where they are last


def area(name):
    return cases("onnx_operators", name)


@pytest.mark.parametrize("name", AREAS)
def test_outputs_equal_those_of_onnxruntime(name):
    """Within 2e-6 of the largest: both compute in float32, in another order."""
    networks = {case: c.network for case, c in area(name).items()}
    images = {case: c.images for case, c in area(name).items()}
    params = {case: network.params for case, network in networks.items()}
    compute = jax.jit(lambda p, x: {n: networks[n].function(p[n], x[n]) for n in networks})
    for case, logits in compute(params, images).items():
        wanted = area(name)[case].logits
        assert logits.shape == wanted.shape, case
        largest = max(1.0, np.abs(wanted).max())
        np.testing.assert_allclose(logits, wanted, rtol=0, atol=2e-6 * largest, err_msg=case)


def few(name):
    """Convolutions, which have several forms; of other operators two cases each."""
    chosen, count = {}, Counter()
    for case, content in area(name).items():
        operators = frozenset(node.operator for node in content.graph.nodes)
        if name == "convolution" or count[operators] < 2:
            chosen[case] = content
        count[operators] += 1
    return chosen


@pytest.mark.parametrize("name", AREAS)
def test_gradients_equal_finite_differences(name):
    """In float64, along a random direction in the image and all weights."""
    rng = np.random.default_rng(0)
    networks = {case: c.network for case, c in few(name).items()}
    inputs = {case: (c.network.params, c.images) for case, c in few(name).items()}
    step = 1e-6
    with jax.enable_x64(True):
        inputs = jax.tree.map(lambda a: np.asarray(a, np.float64), inputs)
        weights = {case: rng.normal(size=c.logits.shape) for case, c in few(name).items()}
        along = jax.tree.map(lambda a: rng.normal(size=a.shape), inputs)

        def value(inputs):
            sums = {n: jnp.sum(networks[n].function(*inputs[n]) * weights[n]) for n in networks}
            return sum(sums.values()), sums

        compute = jax.jit(jax.grad(value, has_aux=True))
        gradients, _ = compute(inputs)
        _, above = compute(jax.tree.map(lambda a, d: a + step * d, inputs, along))
        _, below = compute(jax.tree.map(lambda a, d: a - step * d, inputs, along))
        for case in networks:
            products = jax.tree.map(lambda g, d: np.sum(g * d), gradients[case], along[case])
            slope = (above[case] - below[case]) / (2 * step)
            np.testing.assert_allclose(
                sum(jax.tree.leaves(products)), slope, rtol=1e-6, atol=1e-6, err_msg=case
            )


def test_every_operator_of_the_table_has_a_case():
    used = {n.operator for a in AREAS for c in area(a).values() for n in c.graph.nodes}
    assert used == {*OPERATORS}
