"""Activation rates against plain loops, exact arithmetic and SciPy; the authors' own files."""

import os
import re
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

from ganfail_jax import runtime
from ganfail_jax.analysis import rates
from ganfail_jax.analysis.rates import Rates
from ganfail_jax.errors import InputError
from ganfail_jax.latents import latents
from ganfail_jax.nn import pggan, stylegan2
from ganfail_jax.tally import CHUNK
from ganfail_jax.types import LayerInfo
from tests import tiny

NETWORKS = {
    "stylegan2": (stylegan2, tiny.CONFIG),
    "pggan": (
        pggan,
        pggan.PGGANConfig(
            resolution=8, img_channels=1, num_classes=0, z_dim=5, channel_base=32, channel_max=6
        ),
    ),
}


def variables(name):
    network, config = NETWORKS[name]
    template = jax.eval_shape(lambda: network.init(config, jax.random.key(0)))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), template)


@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_those_of_a_plain_loop_over_images(name):
    network, config = NETWORKS[name]
    generator, params = network.build(config), variables(name)
    layers = list(generator.layers)
    inspected = []
    sweep = runtime.Sweep(30, runtime.data_mesh())
    found = rates.count_rates(
        generator, params, layers, 70, sweep, seed=3, inspect=inspected.append
    )

    @jax.jit
    def image(index):
        drawn = latents(generator, 3, index[None])
        return generator.synthesize(params, generator.styles(params, drawn.z, drawn.one_hot))

    expected = {layer: np.zeros_like(found.counts[layer]) for layer in layers}
    halfway = {}
    for i in range(70):
        if i == 32:
            halfway = {layer: counts.copy() for layer, counts in expected.items()}
        _, taps = image(jnp.asarray(i))
        for layer in layers:
            expected[layer] += np.asarray(taps[layer][0]) > 0
    assert list(found.counts) == layers
    assert [each.num_samples for each in inspected] == [16, 32, 70]
    for layer, info in generator.layers.items():
        assert found.counts[layer].shape == (info.resolution, info.resolution, info.channels)
        assert found.counts[layer].dtype == np.int64
        np.testing.assert_array_equal(found.counts[layer], expected[layer])
        np.testing.assert_array_equal(inspected[1].counts[layer], halfway[layer])
        assert 0 < (found.counts[layer] > 0).mean() <= 1


@pytest.mark.parametrize(
    ("num_samples", "expected"),
    [
        (1, [1]),
        (16, [16]),
        (33, [16, 33]),
        (70, [16, 32, 70]),
        (30_000, [928, 1872, 3744, 7488, 14_992, 30_000]),
    ],
)
def test_milestones_are_halves_in_whole_chunks(num_samples, expected):
    assert rates.milestones(num_samples) == expected


def work(network, config, layers=None):
    """FLOPs of counting one chunk in these layers, or (None) of rendering its images."""
    generator = network.build(config)
    params = jax.eval_shape(lambda: network.init(config, jax.random.key(0)))
    indices = jnp.arange(CHUNK)

    def render(given, indices, mask):
        params, _ = given
        drawn = latents(generator, 0, indices)
        return generator.synthesize(params, generator.styles(params, drawn.z, drawn.one_hot))[0]

    step = render if layers is None else rates.counter(generator, layers)
    given = params, np.uint32(0)
    cost = jax.jit(step).lower(given, indices, indices >= 0).compile().cost_analysis()
    assert cost is not None
    return cost["flops"]


@pytest.mark.parametrize("name", NETWORKS)
def test_counting_never_renders_the_image(name):
    """Work of the early layers does not grow with the resolution, and is little of the whole."""
    network, config = NETWORKS[name]
    small = replace(config, resolution=16, channel_base=256, channel_max=8)
    large = replace(small, resolution=64)
    early = rates.early_layers(network.layer_table(large))
    assert len(early) == 3
    counted = work(network, large, early)
    assert counted == pytest.approx(work(network, small, early), rel=0.01)
    assert counted < work(network, large) / 8


def test_early_layers_are_the_papers():
    table = stylegan2.layer_table(stylegan2.StyleGAN2Config(resolution=64))
    assert rates.early_layers(table) == ["b0004/conv1", "b0008/conv0", "b0016/conv0"]
    table = pggan.layer_table(pggan.PGGANConfig(resolution=64))
    assert rates.early_layers(table) == ["b0004/conv1", "b0008/conv1", "b0016/conv1"]
    table = stylegan2.layer_table(tiny.CONFIG)
    assert rates.early_layers(table) == ["b0004/conv1", "b0008/conv0"]


def test_the_order_of_a_list_of_layers_has_no_meaning():
    table = stylegan2.layer_table(stylegan2.StyleGAN2Config(resolution=16))
    wanted = ["b0004/conv1", "b0008/conv1", "b0016/conv0"]
    for names in (wanted, wanted[::-1], ["choi:3", "b8.conv1", "genforce:layer0"]):
        assert rates.find_layers(table, names) == wanted


def test_unknown_and_repeated_layers_are_refused():
    table = stylegan2.layer_table(tiny.CONFIG)
    message = "no layer 'b0016/conv0'; the layers are b0004/conv1, b0008/conv0, b0008/conv1"
    with pytest.raises(InputError, match=message):
        rates.find_layers(table, ["b0004/conv1", "b0016/conv0"])
    with pytest.raises(InputError, match="a layer is named twice: choi:1, b0008/conv0"):
        rates.find_layers(table, ["choi:1", "b0008/conv0"])


def of(counts, num_samples):
    return Rates({"layer": np.asarray(counts, np.int64).reshape(1, 1, -1)}, num_samples)


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.29, 0.3, 0.57, 0.7, 1.0])
@pytest.mark.parametrize("num_samples", [7, 10, 100, 30_000, 33_333])
def test_low_rate_is_exact_at_the_edge(threshold, num_samples):
    """In fractions; in floats 0.29 * 100 is below 29."""
    edge = int(threshold * num_samples)
    counts = np.clip(np.arange(edge - 2, edge + 4), 0, num_samples)
    low = rates.low_rate(of(counts, num_samples), threshold)["layer"].ravel()
    exact = Fraction(round(threshold * 100), 100)
    assert list(low) == [Fraction(int(n), num_samples) <= exact for n in counts]
    high = rates.high_rate(of(counts, num_samples), threshold)["layer"].ravel()
    np.testing.assert_array_equal(high, ~low)


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_rate_out_of_range_is_refused(threshold):
    with pytest.raises(InputError, match=f"a rate is between 0 and 1, not {threshold}"):
        rates.low_rate(of([1], 10), threshold)


def test_dead_neurons_are_low_unless_they_are_left_out():
    found = of([0, 1, 3, 4, 10], 10)
    paper, code = (rates.low_rate(found, 0.3, dead=dead)["layer"] for dead in (True, False))
    assert paper.ravel().tolist() == [True, True, True, False, False]
    assert code.ravel().tolist() == [False, True, True, False, False]


def test_intervals_are_wilsons_as_scipy_has_them():
    counts = [0, 1, 7, 29, 50, 99, 100]
    found = rates.wilson_bounds(of(counts, 100))["layer"][0, 0]
    expected = [binomtest(n, 100).proportion_ci(0.95, method="wilson") for n in counts]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (found[0, 0], found[-1, 1]) == (0, 1)


def test_uncertain_neurons_have_the_threshold_in_their_interval():
    counts = np.arange(101)
    found = rates.uncertain(of(counts, 100), 0.3)["layer"].ravel()
    expected = []
    for n in counts:
        ends = binomtest(int(n), 100).proportion_ci(0.95, method="wilson")
        expected.append(ends.low <= 0.3 < ends.high)
    assert list(found) == expected
    assert found[30]
    assert 10 < found.sum() < 25


def test_expected_activated_is_the_mean_over_samples():
    activated = np.random.default_rng(0).random((50, 2, 2, 3)) < 0.4
    own = np.random.default_rng(1).random((2, 2, 3)) < 0.5
    found = Rates({"a": activated.sum(0), "b": activated.sum(0)}, 50)
    mean = activated[:, own].sum(1).mean()
    assert rates.expected_activated(found, {"a": own}) == pytest.approx(mean)
    assert rates.expected_activated(found, {"a": own, "b": own}) == pytest.approx(2 * mean)


def test_rates_are_restored_from_their_arrays():
    found = Rates({"a": np.arange(12).reshape(2, 2, 3), "b": np.arange(4).reshape(2, 2, 1)}, 11)
    again = rates.restore(found.arrays() | {"other": np.zeros(3)})
    assert again.num_samples == 11
    assert list(again.counts) == ["a", "b"]
    for name in found.counts:
        np.testing.assert_array_equal(again.counts[name], found.counts[name])
    for arrays in ({}, {"num_samples": np.asarray(3)}, {"count/a": np.zeros((1, 1, 1))}):
        with pytest.raises(InputError, match=r"no activation rates; analyze\.rates makes one"):
            rates.restore(arrays)


# The authors' files

INFO = LayerInfo(resolution=4, channels=3)


def published(path, counts, num_samples=30_000, dtype=np.float32):
    """As the authors write them: rates of [h, w, c] counts in C, H, W order, flat."""
    flat = np.asarray(counts).transpose(2, 0, 1).ravel() / num_samples
    np.save(path, flat.astype(dtype))
    return path


@pytest.fixture
def counts():
    drawn = np.random.default_rng(0).integers(0, 30_001, size=(4, 4, 3))
    drawn[0, 0] = 0, 9000, 30_000
    return drawn


def test_published_rates_are_their_counts(tmp_path, counts):
    found = rates.read_published(published(tmp_path / "rate.npy", counts), INFO)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, counts)
    few = published(tmp_path / "few.npy", counts // 300, 100)
    np.testing.assert_array_equal(rates.read_published(few, INFO, 100), counts // 300)


def write_pickle(path, counts):
    np.save(path, np.asarray([{}, {}], object), allow_pickle=True)


def write_text(path, counts):
    path.write_text("0.5 0.5 0.5")


def write_archive(path, counts):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("rate.npy", b"")


def write_truncated(path, counts):
    published(path, counts)
    path.write_bytes(path.read_bytes()[:-10])


def write_nan(path, counts):
    published(path, counts / np.where(counts == 9000, 0, np.nan))


BAD_FILES = [
    (lambda path, counts: None, "holds no rates: No such file or directory"),
    (lambda path, counts: path.mkdir(), "holds no rates: Is a directory"),
    (write_pickle, "holds no rates: an array of something else than plain numbers or text"),
    (write_text, "holds no rates: something else than an array in numpy's format"),
    (write_archive, "holds no rates: something else than an array in numpy's format"),
    (write_truncated, "holds no rates: "),
    (lambda path, counts: np.save(path, counts), "holds no rates: an array of floats is wanted"),
    (
        lambda path, counts: published(path, counts[..., :2]),
        "has 32 rates, but (3, 4, 4) (C, H, W) are wanted",
    ),
    (
        lambda path, counts: published(path, counts, 29_999),
        "has no rates of 30,000 samples; give their number",
    ),
    (lambda path, counts: published(path, counts - 1), "has no rates of 30,000 samples"),
    (lambda path, counts: published(path, counts + 1), "has no rates of 30,000 samples"),
    (lambda path, counts: published(path, counts * np.nan), "has no rates of 30,000 samples"),
]


@pytest.mark.parametrize(("write", "message"), BAD_FILES)
def test_a_file_without_such_rates_is_refused_in_one_line(tmp_path, counts, write, message):
    path = tmp_path / "rate.npy"
    write(path, counts)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path} {message}')}") as error:
        rates.read_published(path, INFO)
    assert "\n" not in str(error.value)


FOLDER = os.environ.get("GANFAIL_CHOI_RATES")


@pytest.mark.skipif(not FOLDER, reason="GANFAIL_CHOI_RATES, the folder of Choi's rates, is unset")
@pytest.mark.parametrize(
    ("layer", "never", "low", "activated"),
    [(0, 669, 4832, 406.0), (1, 23, 14_459, 2168.1), (3, 74, 73_432, 9847.9)],
)
def test_the_authors_rates_of_ffhq(layer, never, low, activated):
    info = stylegan2.layer_table(stylegan2.StyleGAN2Config(1024))
    name = rates.find_layers(info, [f"choi:{layer}"])[0]
    file = Path(str(FOLDER)) / f"rate_layer{layer}_ffhq_stylegan2.npy"
    found = Rates({name: rates.read_published(file, info[name])}, 30_000)
    masks = rates.low_rate(found, 0.3, dead=False)
    assert (found.counts[name] == 0).sum() == never
    assert masks[name].sum() == low
    assert rates.low_rate(found, 0.3)[name].sum() == low + never
    assert rates.expected_activated(found, masks) == pytest.approx(activated, abs=0.05)
