"""rosinality's checkpoints, made of the weights of NVIDIA's and genforce's goldens.

Tolerance: 1e-4 standard deviations, float32 sums in another order (rosinality's and genforce's
StyleGAN2 scale their weights before the demodulation's epsilon, which shows below 1e-5).
"""

import argparse
import os
import re
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.nn import stylegan2
from ganfail_jax.weights import importers, nvidia, rosinality
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import deviation, load, nhwc
from tests.weights.test_importers import Call, activations, outcome, reference_arrays
from tests.weights.torch_saved import save

NVIDIA, GENFORCE = "stylegan2_ada_uncond_rgb64", "genforce_stylegan2_rgb64"
BLUR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 16  # sums to 4


def styled(prefix, weight, affine_weight, affine_bias):
    return {
        f"{prefix}.conv.weight": weight[None],
        f"{prefix}.conv.modulation.weight": affine_weight,
        f"{prefix}.conv.modulation.bias": affine_bias,
    }


def from_nvidia(state):
    """NVIDIA's arrays by rosinality's names; every shape as in its model.py."""
    depth = sum(re.fullmatch(r"mapping\.fc\d+\.weight", name) is not None for name in state)
    found = {"input.input": state["synthesis.b4.const"][None]}
    for i in range(depth):
        for field in ("weight", "bias"):
            found[f"style.{i + 1}.{field}"] = state[f"mapping.fc{i}.{field}"]
    resolution, convs, rgbs = 4, ["conv1"], ["to_rgb1"]
    blocks = {4: (convs, rgbs)}
    while f"synthesis.b{2 * resolution}.conv0.weight" in state:
        resolution *= 2
        n = len(blocks) - 1
        blocks[resolution] = [f"convs.{2 * n}", f"convs.{2 * n + 1}"], [f"to_rgbs.{n}"]
    noise = 0
    for resolution, (convs, rgbs) in blocks.items():
        for ours, theirs in zip(convs, ["conv0", "conv1"][-len(convs) :], strict=True):
            layer = {
                name: state[f"synthesis.b{resolution}.{theirs}.{name}"]
                for name in ("weight", "affine.weight", "affine.bias", "bias", "noise_strength")
            }
            found |= styled(ours, layer["weight"], layer["affine.weight"], layer["affine.bias"])
            found[f"{ours}.noise.weight"] = layer["noise_strength"].reshape(1)
            found[f"{ours}.activate.bias"] = layer["bias"]
            plane = state[f"synthesis.b{resolution}.{theirs}.noise_const"]
            found[f"noises.noise_{noise}"] = plane[None, None]
            noise += 1
            if theirs == "conv0":
                found[f"{ours}.conv.blur.kernel"] = BLUR
        layer = {
            name: state[f"synthesis.b{resolution}.torgb.{name}"]
            for name in ("weight", "affine.weight", "affine.bias", "bias")
        }
        found |= styled(rgbs[0], layer["weight"], layer["affine.weight"], layer["affine.bias"])
        found[f"{rgbs[0]}.bias"] = layer["bias"].reshape(1, -1, 1, 1)
        if resolution > 4:
            found[f"{rgbs[0]}.upsample.kernel"] = BLUR
    return found


def from_tensorflow(state):
    """As its convert_weight.py does with NVIDIA's TensorFlow arrays, which genforce's equal."""
    found = {"input.input": state["synthesis.early_layer.const"]}
    for i in range(8):
        for field in ("weight", "bias"):
            found[f"style.{i + 1}.{field}"] = state[f"mapping.dense{i}.{field}"]
    for n in range(5):
        prefix, layer = f"to_rgbs.{n - 1}" if n else "to_rgb1", f"synthesis.output{n}"
        bias = state[f"{layer}.style.bias"] + 1
        weights = state[f"{layer}.weight"], state[f"{layer}.style.weight"]
        found |= styled(prefix, *weights, bias)
        found[f"{prefix}.bias"] = state[f"{layer}.bias"].reshape(1, 3, 1, 1)
    for n in range(9):
        prefix, layer = f"convs.{n - 1}" if n else "conv1", f"synthesis.layer{n}"
        weight, bias = state[f"{layer}.weight"], state[f"{layer}.style.bias"] + 1
        weight = np.flip(weight, (2, 3)) if n % 2 else weight
        found |= styled(prefix, weight, state[f"{layer}.style.weight"], bias)
        found[f"{prefix}.noise.weight"] = state[f"{layer}.noise_strength"].reshape(1)
        found[f"{prefix}.activate.bias"] = state[f"{layer}.bias"]
        found[f"noises.noise_{n}"] = state[f"{layer}.noise"]
    return found


CONVERT = {NVIDIA: from_nvidia, GENFORCE: from_tensorflow}
AVERAGE = {NVIDIA: "mapping.w_avg", GENFORCE: "truncation.w_avg"}
TRUNCATED = {NVIDIA: ("image_trunc_psi0.5_cutoff4", 0.5), GENFORCE: ("image_psi0.7_layers4", 0.7)}


def checkpoint(name, changed=None, average=True):
    """What its train.py (or, with the average w, convert_weight.py) saves."""
    state, _ = load(name)
    network = CONVERT[name](state) | (changed or {})
    moments = {"step": 7, "exp_avg": np.ones((2, 3), np.float32)}
    groups = [{"lr": 0.002, "betas": (0.0, 0.99), "params": [0]}]
    found = {
        "g": {n: array + 1 for n, array in network.items()},
        "d": {"convs.0.0.weight": np.ones((4, 3, 1, 1), np.float32)},
        "g_ema": network,
        "g_optim": {"state": {0: moments}, "param_groups": groups},
        "args": argparse.Namespace(size=64, path="images", mixing=0.9, ckpt=None),
        "ada_aug_p": 0.25,
    }
    return {**found, "latent_avg": state[AVERAGE[name]]} if average else found


@pytest.fixture
def file(tmp_path):
    def write(value):
        path = tmp_path / "550000.pt"
        path.write_bytes(value if isinstance(value, bytes) else save(value))
        return str(path)

    return write


@pytest.mark.parametrize("name", CONVERT)
def test_every_activation_and_the_images_match_the_reference(name, file):
    generator, params = zoo.load_generator(file(checkpoint(name)))
    _, arrays = load(name)
    image_name, psi = TRUNCATED[name]

    @jax.jit
    def run(params, z):
        truncated = generator.styles(params, z, None, psi, 4)  # pyright: ignore
        image, taps = generator.synthesize(params, generator.styles(params, z))
        return image, taps, generator.synthesize(params, truncated)[0]

    image, taps, truncated = run(params, jnp.asarray(arrays["z"]))
    assert deviation(image, nhwc(arrays["image"])) < 1e-4
    assert deviation(truncated, nhwc(arrays[image_name])) < 1e-4
    for layer, values in zip(generator.layers, activations(arrays), strict=True):
        assert deviation(taps[layer], values) < 1e-4, layer


def test_its_up_convolution_is_nvidias():
    """Its model.py by the definitions, on NVIDIA's activations of both sides of a layer."""
    state, arrays = load(NVIDIA)
    theirs = from_nvidia(state)
    weight = theirs["convs.0.conv.weight"][0].astype(np.float64) / np.sqrt(16 * 9)
    for x, style, wanted in zip(
        arrays["activation/b4.conv1"],
        arrays["style/b8.conv0.affine"],
        arrays["activation/b8.conv0"],
        strict=True,
    ):
        kernel = weight * style[None, :, None, None]
        kernel /= np.sqrt((kernel**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
        wide = np.zeros((16, 9, 9))
        for a in range(3):  # conv_transpose2d of stride 2: y[2i + a] += w[a] x[i]
            for b in range(3):
                wide[:, a : a + 7 : 2, b : b + 7 : 2] += np.einsum(
                    "oi,ihw->ohw", kernel[:, :, a, b], x
                )
        wide = np.pad(wide, ((0, 0), (1, 1), (1, 1)))
        flipped = theirs["convs.0.conv.blur.kernel"][::-1, ::-1]  # upfirdn2d convolves
        y = sum(wide[:, a : a + 8, b : b + 8] * flipped[a, b] for a in range(4) for b in range(4))
        y = y + theirs["convs.0.noise.weight"] * theirs["noises.noise_1"][0]
        y = y + theirs["convs.0.activate.bias"][:, None, None]
        y = np.where(y > 0, y, 0.2 * y) * np.sqrt(2)
        assert deviation(y, wanted) < 1e-4


def test_the_average_is_found_beside_a_wrapper(file):
    whole = checkpoint(NVIDIA)
    wrapped = {"state_dict": whole["g_ema"], "latent_avg": whole["latent_avg"][None]}
    stored = importers.read(file(wrapped))
    np.testing.assert_array_equal(stored.arrays["buffers/w_avg"], whole["latent_avg"])
    assert stored.about["format"] == "rosinality StyleGAN2"
    assert "remarks" not in stored.about


def test_without_an_average_it_is_the_mean_of_mapped_latents(file):
    stored = importers.read(file(checkpoint(NVIDIA, average=False)))
    assert stored.about["format"] == "rosinality StyleGAN2"
    assert stored.about["remarks"] == "w_avg is the mean of 10,000 mapped latents"
    again = importers.read(file(checkpoint(NVIDIA, average=False)))
    found = stored.arrays["buffers/w_avg"]
    np.testing.assert_array_equal(again.arrays["buffers/w_avg"], found)

    generator, params = zoo.load_generator(file(checkpoint(NVIDIA, average=False)))
    assert generator.mapping is not None
    z = jax.random.normal(jax.random.key(3), (50_000, generator.z_dim))
    w = np.asarray(jax.jit(generator.mapping)(params, z), np.float64)
    error = w.std(axis=0) * np.sqrt(1 / 10_000 + 1 / 50_000)
    assert np.all(np.abs(found - w.mean(axis=0)) < 5 * error)
    assert np.abs(found).max() > 10 * error.max()  # zeros would not do


def test_noise_that_the_file_lacks_is_drawn(file):
    """Such as the 256 px network that its README links."""
    whole = checkpoint(NVIDIA)
    wanted = importers.read(file(whole))
    whole["g_ema"] = {n: x for n, x in whole["g_ema"].items() if not n.startswith("noises.")}
    found = importers.read(file(whole))
    assert found.about["remarks"] == "constant noise is drawn"
    assert found.arrays.keys() == wanted.arrays.keys()
    planes = []
    for name, array in wanted.arrays.items():
        if name.endswith("noise_const"):
            planes.append(found.arrays[name].ravel())
        else:
            np.testing.assert_array_equal(found.arrays[name], array)
    values = np.concatenate(planes)
    assert abs(values.mean()) < 5 / np.sqrt(values.size)
    assert abs(values.std() - 1) < 5 / np.sqrt(2 * values.size)
    assert np.unique(values).size > 0.99 * values.size  # no two layers share theirs
    for name, array in importers.read(file(whole)).arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


SIZES = [  # resolution, channel multiplier, mapping layers, as its train.py and README have them
    *((1024, 2, 8), (512, 2, 2), (256, 2, 1), (256, 1, 2), (64, 1, 4), (8, 2, 1)),
]


@pytest.mark.parametrize(("resolution", "multiplier", "layers"), SIZES)
def test_architecture_is_read_from_names_and_shapes(resolution, multiplier, layers):
    wanted = stylegan2.StyleGAN2Config(
        *(resolution, 3, 0, 512, 512, layers), channel_base=16384 * multiplier
    )
    variables = jax.eval_shape(lambda: stylegan2.init(wanted, jax.random.key(0)))
    nvidias = reference_arrays(variables)
    theirs = from_nvidia(nvidias)
    assert theirs[f"to_rgbs.{len(wanted.resolutions) - 2}.conv.weight"].shape == (
        *(1, 3, min(512, 16384 * multiplier // resolution), 1, 1),
    )
    state, _ = rosinality.stylegan2_state(theirs, None)
    filters = {name for name in state if name.endswith("resample_filter")}
    assert len(filters) == 2 * (len(wanted.resolutions) - 1)
    assert {name: a.shape for name, a in state.items() if name not in filters} == {
        name: a.shape for name, a in nvidias.items()
    }
    found = nvidia.infer_config(state, None)
    for name in ("resolution", "img_channels", "num_classes", "z_dim", "w_dim", "mapping_layers"):
        assert getattr(found, name) == getattr(wanted, name), name
    sizes = [found.channels(r) for r in found.resolutions]
    assert sizes == [wanted.channels(r) for r in wanted.resolutions]


def without(name):
    found = checkpoint(NVIDIA)
    del found["g_ema"][name]
    return found


def other_widths():
    """As a channel multiplier of 4 makes them: more at 64 px than below."""
    found = checkpoint(NVIDIA)
    for name in ("convs.6.conv.weight", "convs.7.conv.weight"):
        found["g_ema"][name] = np.zeros((1, 32, 16, 3, 3), np.float32)
    return found


def mapping(*widths):
    """Without an average, and with a mapping network of these widths, z's first."""
    found = checkpoint(NVIDIA, average=False)
    network = {n: x for n, x in found["g_ema"].items() if not n.startswith("style.")}
    for i, (inputs, outputs) in enumerate(pairwise(widths), 1):
        network[f"style.{i}.weight"] = np.ones((outputs, inputs), np.float32)
        network[f"style.{i}.bias"] = np.zeros(outputs, np.float32)
    return {**found, "g_ema": network}


ROWS = np.zeros((10, 20), np.float32)
WIDE = np.zeros((2**15, 1), np.float32)
BAD = {
    "filter": (
        checkpoint(NVIDIA, {"convs.2.conv.blur.kernel": np.full((4, 4), 0.25, np.float32)}),
        "synthesis.b16.conv0.resample_filter is not the [1, 3, 3, 1] filter",
    ),
    "wavelets": (
        checkpoint(NVIDIA, {"iwt.ll": np.ones((2, 2), np.float32)}),
        "unexpected iwt.ll: not of rosinality's StyleGAN2",
    ),
    "field of the other kind": (
        checkpoint(NVIDIA, {"conv1.bias": np.ones(16, np.float32)}),
        "unexpected conv1.bias: not of rosinality's StyleGAN2",
    ),
    "some noise": (without("noises.noise_3"), "1 faults: missing synthesis.b16.conv0.noise_const"),
    "no mapping": (
        {"g_ema": {"input.input": np.ones((1, 2, 4, 4), np.float32)}},
        "no mapping network style.1 and so on of at most 16384 channels",
    ),
    "a gap in the mapping": (
        {"g_ema": without("style.3.weight")["g_ema"]},
        "no mapping network style.1 and so on",
    ),
    "wide mapping": (
        checkpoint(NVIDIA, {"style.1.weight": WIDE}, average=False),
        "no mapping network style.1 and so on of at most 16384 channels",
    ),
    "widths of the mapping that alternate": (
        mapping(1, 64, 1, 64, 1, 20),
        "no mapping network style.1 and so on of at most 16384 channels",
    ),
    "deep mapping": (
        mapping(24, *[20] * 65),
        "no mapping network style.1 and so on of at most 16384 channels",
    ),
    "an average per layer": (
        {**checkpoint(NVIDIA), "latent_avg": ROWS},
        "a latent_avg of shape (10, 20), which is not one mean w",
    ),
    "widths": (other_widths(), "channels by resolution are 4: 16, 8: 16, 16: 16, 32: 16, 64: 32"),
    "only a discriminator": (
        {"d": checkpoint(NVIDIA)["d"], "ada_aug_p": 0.0},
        "there is no generator_smooth, g_ema, ",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_this_generator_is_refused(name, file):
    value, message = BAD[name]
    with pytest.raises(WeightsError) as refused:
        importers.read(file(value))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


TWICE = {
    "style.01.bias": "style.1.bias",
    "style.01.weight": "style.1.weight",
    "convs.00.conv.weight": "convs.0.conv.weight",
    "to_rgbs.00.bias": "to_rgbs.0.bias",
    "noises.noise_00": "noises.noise_0",
}


@pytest.mark.parametrize("name", TWICE)
def test_second_name_of_an_array_is_refused(name, file):
    other = checkpoint(NVIDIA)["g_ema"][TWICE[name]] + 1
    with pytest.raises(WeightsError, match=f"unexpected {name}: not of rosinality's StyleGAN2"):
        importers.read(file(checkpoint(NVIDIA, {name: other})))


@pytest.mark.parametrize("place", ["g_ema", "latent_avg", "args", "g_optim"])
def test_code_in_any_place_is_refused_and_never_run(place, file, tmp_path):
    canary = tmp_path / "canary"
    value = checkpoint(NVIDIA) | {place: Call(os.system, f"touch {canary}")}
    with pytest.raises(WeightsError, match=r"posix\.system is not a name that a checkpoint needs"):
        importers.read(file(value))
    assert not canary.exists()


def test_truncated_or_flipped_file_loads_strictly_or_is_refused(tmp_path):
    raw, rng = save(checkpoint(GENFORCE, average=False)), np.random.default_rng(0)
    for part in range(64):
        found = outcome(tmp_path / "file", raw[: len(raw) * part // 64])
        assert isinstance(found, str), part
        assert "\n" not in found
    results = []
    for _ in range(60):
        damaged = bytearray(raw)
        damaged[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        results.append(outcome(tmp_path / "file", bytes(damaged)))
    assert {f for f in results if not isinstance(f, str)} <= {64}
    assert any(isinstance(f, str) for f in results)
