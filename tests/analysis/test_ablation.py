"""Algorithm 1 of Choi 2022 against loops over single neurons, and what an ablation leaves alone."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from ganfail_jax import edits
from ganfail_jax.analysis import ablation
from ganfail_jax.analysis.rates import Rates
from ganfail_jax.errors import InputError
from ganfail_jax.latents import latents
from tests import tiny

LAYERS = ("first", "second", "third")
SAMPLES = 5


class Toy(nn.Module):
    """Three layers on 2x2 positions of three channels; each mixes channels and shifts rows."""

    @nn.compact
    def __call__(self, x, given):
        for layer in LAYERS:
            weight = self.param(layer, nn.initializers.normal(1.0), (3, 3))
            x = nn.leaky_relu((x + jnp.roll(x, 1, axis=1)) @ weight)
            x = edits.tap(self, layer, x, given)
        return x


def by_loops(weights, x, chosen):
    """The algorithm as the paper writes it, neuron by neuron, in float64."""
    for layer in LAYERS:
        before, x = x, np.zeros_like(x)
        for n, h, w, c in np.ndindex(x.shape):
            for k in range(3):
                x[n, h, w, c] += (before[n, h, w, k] + before[n, h - 1, w, k]) * weights[layer][
                    k, c
                ]
            if x[n, h, w, c] < 0:
                x[n, h, w, c] *= 0.01
            elif layer in chosen and chosen[layer][h, w, c]:
                x[n, h, w, c] = 0.0
    return x


@pytest.fixture(scope="module")
def toy():
    x = np.random.default_rng(0).normal(size=(SAMPLES, 2, 2, 3)).astype(np.float32)
    params = Toy().init(jax.random.key(1), x, None)
    counts = np.random.default_rng(1).integers(0, 11, size=(len(LAYERS), 2, 2, 3))
    return params, x, Rates(dict(zip(LAYERS, counts, strict=True)), 10)


@pytest.mark.parametrize("layers", [("second",), ("first", "third"), LAYERS])
@pytest.mark.parametrize("name", ["LR:0.3", "HR:0.7", "LR:1", "none"])
def test_it_is_algorithm_1(toy, name, layers):
    params, x, rates = toy
    choice = ablation.parse_choice(name)
    given = ablation.ablation(choice, rates, layers, ablation.ablation_keys(0, jnp.arange(SAMPLES)))
    low = {layer: counts <= 10 * choice.share for layer, counts in rates.counts.items()}
    chosen = {} if name == "none" else {i: low[i] ^ (choice.kind == "HR") for i in layers}
    weights = {k: np.asarray(v, np.float64) for k, v in params["params"].items()}
    expected = by_loops(weights, x.astype(np.float64), chosen)
    np.testing.assert_allclose(np.asarray(Toy().apply(params, x, given)), expected, atol=2e-5)


def test_the_order_of_the_layers_has_no_meaning(toy):
    params, x, rates = toy
    keys = ablation.ablation_keys(0, jnp.arange(SAMPLES))
    for name in ("LR:0.5", "random:0.5"):
        images = [
            np.asarray(
                Toy().apply(
                    params,
                    x,
                    ablation.ablation(ablation.parse_choice(name), rates, list(order), keys),
                )
            )
            for order in itertools.permutations(LAYERS)
        ]
        for other in images[1:]:
            np.testing.assert_array_equal(other, images[0])


@pytest.fixture(scope="module")
def generated():
    """Taps of the tiny generator: as it is, and ablated at its first two layers."""
    models = tiny.models()
    generator, params = models.generator, models.generator_params
    rng = np.random.default_rng(2)
    counts = {
        name: rng.integers(0, 101, size=(info.resolution, info.resolution, info.channels))
        for name, info in generator.layers.items()
    }
    rates, indices = Rates(counts, 100), jnp.arange(SAMPLES)
    drawn = latents(generator, 0, indices)
    styles = generator.styles(params, drawn.z, drawn.one_hot)

    def taps(name, layers):
        keys = ablation.ablation_keys(0, indices)
        given = ablation.ablation(ablation.parse_choice(name), rates, layers, keys)
        return jax.tree.map(np.asarray, generator.synthesize(params, styles, given)[1])

    return rates, taps


def test_only_activated_neurons_of_the_set_change_and_the_next_layer_sees_it(generated):
    rates, taps = generated
    first, second, third = rates.counts
    low = {name: counts <= 30 for name, counts in rates.counts.items()}
    clean, one, both = (taps("LR:0.3", layers) for layers in ([], [first], [first, second]))
    zeroed = low[first] & (clean[first] > 0)
    assert zeroed.any()
    np.testing.assert_array_equal(both[first], np.where(zeroed, 0, clean[first]))
    assert ((clean[second] > 0) != (one[second] > 0)).any()
    zeroed = low[second] & (one[second] > 0)
    np.testing.assert_array_equal(both[second], np.where(zeroed, 0, one[second]))
    single = taps("LR:0.3", [second])
    np.testing.assert_array_equal(single[first], clean[first])
    assert (both[third] != clean[third]).any()


def test_random_ablation_takes_that_share_of_the_activated(generated):
    rates, taps = generated
    layer = list(rates.counts)[-1]
    clean, ablated = taps("none", [layer])[layer], taps("random:0.3", [layer])[layer]
    active = clean > 0
    np.testing.assert_array_equal(ablated[~active], clean[~active])
    gone, n = (ablated[active] == 0).mean(), active.sum()
    assert abs(gone - 0.3) < 4 * np.sqrt(0.3 * 0.7 / n)
    kept = active & (ablated != 0)
    np.testing.assert_array_equal(ablated[kept], clean[kept])


@pytest.mark.parametrize(
    "name", ["", "LR", "LR:", "LR:1.1", "MR:0.3", "LR:0.3 ", "none:0.3", "LR:-1"]
)
def test_other_sets_are_refused(name):
    with pytest.raises(InputError, match="is not a set of neurons; sets are"):
        ablation.parse_choice(name)


def test_rates_of_the_layers_are_needed(toy):
    keys = ablation.ablation_keys(0, jnp.arange(1))
    with pytest.raises(InputError, match="no rates of fourth"):
        ablation.ablation(ablation.Choice("LR", 0.3), toy[2], ["fourth"], keys)
