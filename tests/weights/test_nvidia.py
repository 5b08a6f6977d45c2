"""NVIDIA's names are assigned strictly: all faults at once."""

import jax
import pytest

from ganfail_jax.nn import stylegan2
from ganfail_jax.weights import nvidia
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import load
from tests.nn.test_stylegan2 import CONFIGS

NAME = "stylegan2_ada_cond_gray32"


def template():
    return jax.eval_shape(lambda: stylegan2.init(CONFIGS[NAME], jax.random.key(0)))


def test_missing_extra_and_misshaped_names_are_reported_together():
    state, _ = load(NAME)
    del state["mapping.fc1.bias"]
    state["mapping.fc7.bias"] = state["mapping.fc0.bias"]
    state["synthesis.b4.const"] = state["synthesis.b4.const"][:8]
    state["synthesis.b8.resample_filter"] = state["synthesis.b8.resample_filter"] * 2
    with pytest.raises(WeightsError) as caught:
        nvidia.assign(state, template())
    message = str(caught.value)
    for part in (
        "4 faults",
        "missing mapping.fc1.bias",
        "unexpected mapping.fc7.bias",
        "synthesis.b4.const has shape (4, 4, 8) in our layout, wanted (4, 4, 16)",
        "synthesis.b8.resample_filter is not the [1, 3, 3, 1] filter",
    ):
        assert part in message
    assert "\n" not in message
