"""TensorFlow's and Theano's pickles against the reference's own outputs, and files that do harm.

No published file is at hand: `tensorflow_files` writes their structure with the goldens' weights.
Tolerance: 1e-4 standard deviations, float32 sums in another order.
"""

import functools
import os
import pickle
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.nn import ops, pggan, stylegan2
from ganfail_jax.weights import importers, tensorflow_pickles
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import FOLDER, deviation, load, nhwc, our_name
from tests.weights import tensorflow_files as files
from tests.weights.test_importers import reference_arrays

COND, UNCOND = "stylegan2_ada_cond_gray32", "stylegan2_ada_uncond_rgb64"
GROWN = "genforce_pggan_rgb64"
STYLEGAN2 = {"fmap_base": 256, "fmap_max": 16, "latent_size": 24, "truncation_psi": 0.5}
ADA = {**STYLEGAN2, "mapping_layers": 2, "label_size": 10, "num_fp16_res": 4, "conv_clamp": None}
PGGAN = {"fmap_base": 256, "fmap_max": 16, "latent_size": 24, "label_size": 0}


def other(weights):
    """Weights of the same shapes that are not those to be found."""
    return {
        name: array[..., ::-1] * 3 if array.ndim else array * 3 for name, array in weights.items()
    }


def discriminator(module, version):
    variables = {"4x4/Dense0/weight": np.ones((3, 2), np.float32), "lod": np.float32(0)}
    return files.Net(module, files.state("D_main", variables, {"freeze_layers": 0}, version))


def triple(make, weights, **settings):
    """The tuple (G, D, Gs) that the training loops save."""
    last = make(weights, name="Gs", **settings)
    judge = discriminator(last.module, last.state["version"])
    return make(other(weights), name="G", **settings), judge, last


@functools.cache
def published(kind, protocol=4, python2=False):
    """A file in the structure of a published one, and the golden whose weights it has."""
    golden = {"ada": COND, "stylegan2": UNCOND}.get(kind, GROWN)
    weights, _ = load(golden)
    if kind == "ada":
        root = triple(functools.partial(files.stylegan2, ada=True), weights, **ADA)
    elif kind == "stylegan2":
        root = triple(files.stylegan2, weights, **STYLEGAN2)
    elif kind == "theano":
        spec = {"resolution": 64, "num_channels": 3, "use_batchnorm": False, "tanh_at_end": None}
        judge = {"build_func_spec": {"func": "D_paper"}, "param_values": []}
        nets = [files.theano_pggan(w, **spec) for w in (other(weights), weights)]
        root = (nets[0], files.Net("network", judge), nets[1])
    else:
        make = functools.partial(files.pggan, fused=kind == "pggan")
        root = triple(make, weights, fused_scale=kind == "pggan", **PGGAN)
    return files.dump(root, protocol, python2), golden


KINDS = ("ada", "stylegan2", "pggan", "pggan unfused", "theano")


@pytest.fixture
def write(tmp_path):
    def write(raw):
        path = tmp_path / "network.pkl"
        path.write_bytes(raw)
        return path

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_every_activation_and_the_image_match_the_reference(kind, write):
    raw, golden = published(kind, 2 if kind == "theano" else 4, kind == "theano")
    generator, params = zoo.load_generator(str(write(raw)))
    _, arrays = load(golden)
    label = jnp.asarray(arrays["c"]) if arrays.get("c", np.zeros((1, 0))).size else None
    assert generator.num_classes == (0 if label is None else label.shape[1])

    @jax.jit
    def run(params, z):
        styles = generator.styles(params, z, label)
        return styles, *generator.synthesize(params, styles)

    styles, image, taps = run(params, jnp.asarray(arrays["z"]))
    assert deviation(image, nhwc(arrays["image"])) < 1e-4
    chosen = [name for name in arrays if re.fullmatch(r"activation/.*(layer|conv)\d+", name)]
    assert len(chosen) == len(generator.layers)
    for name, reference in zip(generator.layers, chosen, strict=True):
        assert deviation(taps[name], nhwc(arrays[reference])) < 1e-4, name
    if generator.mapping is not None:
        w = generator.mapping(params, jnp.asarray(arrays["z"]), label)
        assert deviation(np.asarray(w), arrays["w"]) < 1e-4
        psi = generator.styles(params, jnp.asarray(arrays["z"]), label, 0.5, 4)
        image, _ = jax.jit(generator.synthesize)(params, psi)
        assert deviation(image, nhwc(arrays["image_trunc_psi0.5_cutoff4"])) < 1e-4
    for name in (name for name in arrays if name.startswith("style/")):
        assert deviation(styles[our_name(name[6:])], arrays[name]) < 1e-4


def test_labels_before_ada_are_normalised_together_with_z(write):
    """G_mapping of NVlabs/stylegan2 in float64."""
    weights, arrays = load(UNCOND)
    rng = np.random.default_rng(2)
    label_weight = rng.normal(size=(3, 24)).astype(np.float32)
    first = (100 * rng.normal(size=(48, weights["mapping.fc0.weight"].shape[0]))).astype("f4")
    changes = [
        with_("mapping", "LabelConcat/weight", label_weight),
        with_("mapping", "Dense0/weight", first),
    ]
    root = files.stylegan2(weights, changes=changes, **STYLEGAN2)
    generator, params = zoo.load_generator(str(write(files.dump(root))))
    assert (generator.num_classes, generator.z_dim) == (3, 24)
    z, label = 3 * arrays["z"].astype(np.float64), np.eye(3)[np.arange(len(arrays["z"])) % 3]
    x = np.concatenate([z, label @ label_weight], axis=1)
    x = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-8)
    for i in range(8):
        weight = first if i == 0 else weights[f"mapping.fc{i}.weight"].T
        x = x @ weight * (0.01 / np.sqrt(len(weight))) + weights[f"mapping.fc{i}.bias"] * 0.01
        x = np.where(x > 0, x, 0.2 * x) * np.sqrt(2)
    assert generator.mapping is not None
    w = generator.mapping(params, jnp.asarray(z, jnp.float32), jnp.asarray(label, jnp.float32))
    assert deviation(np.asarray(w), x) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_every_protocol_and_python_2_give_the_same_arrays(kind, write):
    wanted = importers.read(write(published(kind)[0]))
    for protocol, python2 in ((0, False), (1, False), (2, False), (3, False), (1, True), (2, True)):
        raw, _ = published(kind, protocol, python2)
        assert tensorflow_pickles.is_tensorflow(raw), protocol
        found = importers.read(write(raw))
        assert found.config == wanted.config
        for name, array in wanted.arrays.items():
            np.testing.assert_array_equal(found.arrays[name], array)


def test_formats_are_told_apart(write):
    for kind in KINDS:
        stored = importers.read(write(published(kind)[0]))
        network = "StyleGAN2" if kind in ("ada", "stylegan2") else "PGGAN"
        assert stored.about["format"] == f"TensorFlow {network}"
        assert stored.kind == network.lower()
    assert not tensorflow_pickles.is_tensorflow((FOLDER / f"{COND}.pkl").read_bytes())
    assert importers.read(FOLDER / f"{COND}.pkl").about["format"] == "stylegan2-ada-pytorch"


@pytest.mark.parametrize(
    "pack",
    [
        lambda g, d, gs: gs,
        lambda g, d, gs: [g, d, gs],
        lambda g, d, gs: [gs, g, d],
        lambda g, d, gs: {"Gs": gs, "G": g},
        lambda g, d, gs: {"nets": [gs, g]},
        lambda g, d, gs: {"snapshot": {"nets": [g, gs], "kimg": 25000}},
    ],
)
def test_the_averaged_generator_is_found_in_every_container(pack, write):
    wanted = importers.read(write(published("pggan")[0]))
    root = pack(*triple(files.pggan, load(GROWN)[0], **PGGAN))
    found = importers.read(write(files.dump(root)))
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


# Conventions against the definitions of TensorFlow's operations


def test_up_convolution_is_an_upsampling_then_a_cross_correlation(write):
    """As `upsample_conv_2d` of dnnlib is documented; only at the border its padding differs."""
    weights, _ = load(UNCOND)
    theirs = files.stylegan2_variables(weights)["synthesis"]["8x8/Conv0_up/weight"]
    stored = importers.read(write(published("stylegan2")[0]))
    x = jax.random.normal(jax.random.key(0), (1, 6, 6, theirs.shape[2]))
    found = ops.conv2d_up(x, jnp.asarray(stored.arrays["params/synthesis/b0008/conv0/weight"]))
    wanted = ops.conv2d(ops.upsample2d(x), jnp.asarray(theirs))
    inner = np.s_[:, 2:-2, 2:-2]
    assert deviation(np.asarray(found)[inner], np.asarray(wanted)[inner]) < 1e-5


def test_fused_scaling_is_a_transposed_convolution(write):
    """`upscale2d_conv2d` of PGGAN as it stands there: shifted sums, a convolution's gradient."""
    weights, _ = load(GROWN)
    theirs = files.pggan_variables(weights)["8x8/Conv0_up/weight"]  # [3, 3, out, in]
    padded = np.pad(theirs, ((1, 1), (1, 1), (0, 0), (0, 0)))
    kernel = sum(padded[i : 4 + i, j : 4 + j] for i in (0, 1) for j in (0, 1))
    x = np.random.default_rng(0).normal(size=(5, 5, theirs.shape[3]))
    wide = np.zeros((12, 12, theirs.shape[2]))
    for i in range(5):
        for j in range(5):  # SAME padding of a stride of 2 and 4 taps: one before, one after
            wide[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += kernel @ x[i, j]
    stored = importers.read(write(published("pggan")[0]))
    ours = jnp.asarray(stored.arrays["params/b0008_conv0/weight"])
    found = ops.conv2d(pggan.upsample_nearest(jnp.asarray(x[None], jnp.float32)), ours)
    assert deviation(np.asarray(found[0]), wide[1:-1, 1:-1]) < 1e-5


def test_labels_of_pggan_follow_z(write):
    """The golden's network, the last four of whose inputs are now a label."""
    weights, arrays = load(GROWN)
    settings = {**PGGAN, "latent_size": 20, "label_size": 4}
    path = write(files.dump(triple(files.pggan, weights, **settings)))
    generator, params = zoo.load_generator(str(path))
    assert generator.num_classes == 4
    z, label = jnp.split(jnp.asarray(arrays["z"]), [20], axis=1)
    styles = generator.styles(params, z, label)
    image, _ = jax.jit(generator.synthesize)(params, styles)
    assert deviation(image, nhwc(arrays["image"])) < 1e-4


# Architectures


@pytest.mark.parametrize(
    ("resolution", "base", "widest", "classes", "layers", "colours"),
    [(1024, 1024, 4, 0, 8, 3), (128, 256, 8, 7, 2, 1), (8, 64, 8, 3, 1, 3), (4, 20, 5, 0, 4, 3)],
)
def test_architecture_is_read_from_the_file(
    resolution, base, widest, classes, layers, colours, write
):
    wanted = stylegan2.StyleGAN2Config(
        *(resolution, colours, classes, 6, 7, layers),
        channel_base=base,
        channel_max=widest,
        conv_clamp=256.0,
    )
    variables = jax.eval_shape(lambda: stylegan2.init(wanted, jax.random.key(0)))
    settings = {**ADA, "mapping_layers": layers, "conv_clamp": 256}
    net = files.stylegan2(reference_arrays(variables), ada=True, **settings)
    generator, _ = zoo.load_generator(str(write(files.dump(net))))
    found = stylegan2.StyleGAN2Config(**zoo.read_generator(str(write(files.dump(net)))).config)
    assert generator.image_shape == (resolution, resolution, colours)
    sizes = [found.channels(r) for r in found.resolutions]
    assert sizes == [wanted.channels(r) for r in wanted.resolutions]
    for name in ("num_classes", "z_dim", "w_dim", "mapping_layers", "conv_clamp"):
        assert getattr(found, name) == getattr(wanted, name), name


@pytest.mark.parametrize(
    ("resolution", "base", "widest", "classes", "fused"),
    [
        (1024, 1024, 4, 0, True),
        (128, 512, 8, 0, False),
        (32, 256, 16, 10, True),
        (4, 8, 2, 3, True),
    ],
)
def test_architecture_of_pggan_is_read_from_the_file(
    resolution, base, widest, classes, fused, write
):
    wanted = pggan.PGGANConfig(resolution, 1, classes, 9, base, widest)
    weights: dict[str, Any] = {"lod": np.zeros(())}
    for n, r in enumerate(wanted.resolutions):
        before = 9 + classes if r == 4 else wanted.channels(r // 2)
        size, width = 4 if r == 4 else 3, wanted.channels(r)
        weights[f"layer{2 * n}.weight"] = np.zeros((width, before, size, size), np.float32)
        weights[f"layer{2 * n + 1}.weight"] = np.zeros((width, width, 3, 3), np.float32)
        weights[f"output{n}.weight"] = np.zeros((1, width, 1, 1), np.float32)
        weights[f"output{n}.bias"] = np.zeros(1, np.float32)
        for layer in (2 * n, 2 * n + 1):
            weights[f"layer{layer}.bias"] = np.zeros(width, np.float32)
    net = files.pggan(weights, fused, latent_size=None, label_size=classes)
    path = str(write(files.dump([net])))
    generator, _ = zoo.load_generator(path)
    found = pggan.PGGANConfig(**zoo.read_generator(path).config)
    assert generator.image_shape == (resolution, resolution, 1)
    assert (found.z_dim, found.num_classes) == (9, classes)
    assert [found.channels(r) for r in found.resolutions] == [
        wanted.channels(r) for r in wanted.resolutions
    ]


# What a file computes otherwise is refused


def refusal(write, root):
    with pytest.raises(WeightsError) as refused:
        zoo.load_generator(str(write(root if isinstance(root, bytes) else files.dump(root))))
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "resnet"}, "architecture is resnet; ours is skip"),
        ({"architecture": "orig"}, "architecture is orig; ours is skip"),
        ({"nonlinearity": "relu"}, "nonlinearity is relu; ours is lrelu"),
        ({"mapping_nonlinearity": "relu"}, "mapping_nonlinearity is relu; ours is lrelu"),
        ({"mapping_lrmul": 0.1}, "mapping_lrmul is 0.1; ours is 0.01"),
        ({"normalize_latents": False}, "normalize_latents is False; ours is True"),
        ({"use_noise": False}, "use_noise is False; ours is True"),
        ({"use_wscale": False}, "use_wscale is False; ours is True"),
        ({"resample_kernel": [1, 2, 1]}, "resample_kernel is list; ours is [1, 3, 3, 1]"),
        ({"resample_kernel": None}, "resample_kernel is None; ours is [1, 3, 3, 1]"),
        ({"dtype": "bfloat16"}, "dtype is bfloat16; ours is float32"),
        ({"init_res": [4, 6]}, "an unknown setting init_res"),
    ],
)
def test_setting_of_another_network_is_refused(settings, message, write):
    net = files.stylegan2(load(UNCOND)[0], **{**STYLEGAN2, **settings})
    assert message in refusal(write, net)


@pytest.mark.parametrize("limit", ["tight", -1, 0, True, float("nan"), float("inf"), [256]])
def test_limit_that_is_not_one_number_is_refused(limit, write):
    net = files.stylegan2(load(COND)[0], ada=True, **{**ADA, "conv_clamp": limit})
    assert "layers whose conv_clamp is not one number" in refusal(write, net)


@pytest.mark.parametrize(("ada", "limit"), [(True, 0.5), (False, None)])
def test_only_synthesis_of_ada_knows_a_limit(ada, limit, write):
    """G_synthesis_stylegan2 takes any setting and uses those that it knows."""
    net = files.stylegan2(load(UNCOND)[0], ada=ada, **STYLEGAN2, conv_clamp=0.5)
    assert importers.read(write(files.dump(net))).config["conv_clamp"] == limit


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"normalize_latents": False}, "normalize_latents is False; ours is True"),
        ({"use_wscale": False}, "use_wscale is False; ours is True"),
        ({"use_pixelnorm": False}, "use_pixelnorm is False; ours is True"),
        ({"use_leakyrelu": False}, "use_leakyrelu is False; ours is True"),
        ({"pixelnorm_epsilon": 1e-4}, "pixelnorm_epsilon is 0.0001; ours is 1e-08"),
        ({"tanh_at_end": 1.0}, "tanh_at_end is 1.0; ours is None"),
        ({"progressive": 2}, "an unknown setting progressive"),
        ({"label_size": 24}, "its label_size is no number below its 24 inputs"),
        ({"label_size": "ten"}, "its label_size is no number below its 24 inputs"),
        ({"label_size": 2}, "its latent_size and label_size are not its 24 inputs"),
    ],
)
def test_setting_of_another_pggan_is_refused(settings, message, write):
    assert message in refusal(write, files.pggan(load(GROWN)[0], **{**PGGAN, **settings}))


def test_settings_that_change_nothing_are_accepted(write):
    """Those of training, those that another Python type spells, and those of a common fork."""
    free = {"style_mixing_prob": None, "randomize_noise": False, "truncation_cutoff": 8}
    fork = {"resolution": 64, "resolution_w": 64, "resolution_h": 64}
    spelt = {"normalize_latents": np.bool_(True), "resample_kernel": (1, 3, 3, 1)}
    net = files.stylegan2(load(UNCOND)[0], **{**STYLEGAN2, **free, **fork, **spelt})
    wanted = importers.read(write(published("stylegan2")[0]))
    found = importers.read(write(files.dump(net)))
    assert found.config == wanted.config
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def everywhere(convert):
    """A change of all variables."""
    return lambda parts: [
        part.update({name: convert(value) for name, value in part.items()})
        for part in parts.values()
    ]


def test_half_precision_is_converted_before_anything_is_added(write):
    half = everywhere(lambda value: np.asarray(value, np.float16))
    exact = everywhere(lambda value: np.asarray(value, np.float32))
    weights, _ = load(UNCOND)
    found, wanted = (
        importers.read(write(files.dump(files.stylegan2(weights, changes=changes, **STYLEGAN2))))
        for changes in ([half], [half, exact])
    )
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def test_numbers_beyond_float32_become_infinite_without_a_warning(write):
    changes = [with_("synthesis", "8x8/Conv1/bias", np.full(16, -1e300))]
    net = files.stylegan2(load(UNCOND)[0], changes=changes, **STYLEGAN2)
    found = importers.read(write(files.dump(net)))
    assert np.all(found.arrays["params/synthesis/b0008/conv1/bias"] == -np.inf)


def altered(net, **fields):
    net.state.update(fields)
    return net


def plain(**changes):
    return altered(files.stylegan2(load(UNCOND)[0], **STYLEGAN2), **changes)


def grown(**variables):
    """A PGGAN with other variables; None: without."""

    def change(found):
        for name, value in variables.items():
            found.pop(name) if value is None else found.update({name: value})

    return files.pggan(load(GROWN)[0], change=change, **PGGAN)


def without(part, name):
    return lambda parts: parts[part].pop(name)


def with_(part, name, value):
    return lambda parts: parts[part].update({name: value})


def shared(times):
    array = np.ones(10**5, np.float32)
    return [(f"shared{n}", array) for n in range(times)]


def two_kinds_of_labels(parts):
    """Before ADA and since; each alone fits the 48 inputs."""
    parts["mapping"] |= {
        "LabelEmbed/weight": np.ones((3, 24), np.float32),
        "LabelEmbed/bias": np.full(24, 7, np.float32),
        "LabelConcat/weight": np.full((3, 24), 5, np.float32),
        "Dense0/weight": np.ones((48, 20), np.float32),
    }


SHORT = np.ones(3, np.float32)
ODD = {
    "first StyleGAN": (
        lambda: plain(build_func_name="G_style"),
        "a generator that is built by G_style; known are G_main",
    ),
    "growing StyleGAN2": (
        lambda: altered(
            plain(),
            components={
                part: altered(net, build_func_name="G_synthesis_stylegan_revised")
                if part == "synthesis"
                else net
                for part, net in plain().state["components"].items()
            },
        ),
        "a synthesis that is built by G_synthesis_stylegan_revised; known are G_synthesis_sty",
    ),
    "version": (lambda: plain(version=6), "a network of another version than 2 to 5"),
    "no settings": (lambda: plain(static_kwargs=None), "a network whose static_kwargs is no dict"),
    "no variables": (lambda: plain(variables=()), "a network whose variables is no list"),
    "no pair": (lambda: plain(variables=[("lod",)]), "a variable that is no pair of a name and"),
    "no name": (lambda: plain(variables=[(1, SHORT)]), "a variable without a proper name"),
    "twice": (lambda: plain(variables=[("a", SHORT), ("a", SHORT)]), "two variables called a"),
    "no floats": (lambda: plain(variables=[("lod", np.ones(3, int))]), "lod is no array of floats"),
    "no array": (lambda: plain(variables=[("lod", [1.0])]), "lod is no array of floats"),
    "third part": (
        lambda: plain(components={**plain().state["components"], "style": plain()}),
        "a generator with an unknown part 'style'",
    ),
    "parts of parts": (
        lambda: plain(components={**plain().state["components"], "mapping": plain()}),
        "the part mapping has parts itself",
    ),
    "missing": (
        lambda: files.stylegan2(load(UNCOND)[0], changes=[without("mapping", "Dense3/bias")]),
        "missing mapping.fc3.bias",
    ),
    "layer between": (
        lambda: files.stylegan2(load(UNCOND)[0], changes=[without("mapping", "Dense3/weight")]),
        "unexpected mapping.fc7.weight",
    ),
    "two kinds of labels": (
        lambda: files.stylegan2(load(UNCOND)[0], changes=[two_kinds_of_labels]),
        "a mapping network with LabelConcat and LabelEmbed",
    ),
    "unexpected": (
        lambda: files.stylegan2(
            load(UNCOND)[0], changes=[with_("synthesis", "8x8/Skip/weight", SHORT)]
        ),
        "unexpected synthesis/8x8/Skip/weight: not of TensorFlow's StyleGAN2",
    ),
    "two layers of one name": (
        lambda: files.stylegan2(
            load(UNCOND)[0], changes=[with_("synthesis", "4x4/Conv1/bias", SHORT)]
        ),
        "unexpected synthesis/4x4/Conv1/bias",
    ),
    "misshaped": (
        lambda: files.stylegan2(
            load(UNCOND)[0], changes=[with_("synthesis", "8x8/Conv1/mod_weight", SHORT)]
        ),
        "synthesis.b8.conv1.affine.weight has shape (3,) in our layout, wanted (20, 16)",
    ),
    "misshaped noise": (
        lambda: files.stylegan2(
            load(UNCOND)[0], changes=[with_("synthesis", "noise2", np.zeros((1, 1, 4, 4), "f4"))]
        ),
        "synthesis.b8.conv1.noise_const has shape (4, 4) in our layout, wanted (8, 8)",
    ),
    "fading": (lambda: grown(lod=np.float32(0.25)), "in the middle of growing (its lod is not 0)"),
    "PGGAN: unexpected": (
        lambda: grown(**{"8x8/Conv2/weight": SHORT}),
        "unexpected 8x8/Conv2/weight: not of TensorFlow's PGGAN",
    ),
    "PGGAN: missing": (
        lambda: grown(**{"8x8/Conv1/bias": None}),
        "missing params/b0008_conv1/bias",
    ),
    "PGGAN: no first layer": (lambda: grown(**{"4x4/Dense/weight": None}), "not those of a PGGAN"),
    "PGGAN: second": (
        lambda: grown(**{"8x8/Conv0/bias": SHORT}),
        "8x8/Conv0/bias is a second bias of its layer",
    ),
    "PGGAN: no kernel": (
        lambda: grown(**{"8x8/Conv1/weight": SHORT}),
        "8x8/Conv1/weight has shape (3,), which is no kernel",
    ),
    "PGGAN: no map": (
        lambda: grown(**{"4x4/Dense/weight": np.ones((24, 9), "f4")}),
        "4x4/Dense/weight has shape (24, 9), which makes no 4x4 map",
    ),
    "other function": (
        lambda: altered(files.pggan(load(GROWN)[0], **PGGAN), build_func_name="G_mine"),
        "a generator that is built by G_mine; known are G_paper",
    ),
    "no generator": (
        lambda: discriminator("tfutil", 2),
        "there is no generator of TensorFlow in it",
    ),
    "networks": (
        lambda: [discriminator("tfutil", 2) for _ in range(33)],
        "more than 32 networks",
    ),
    "variables": (
        lambda: plain(components={}, variables=[(str(n), SHORT) for n in range(1001)]),
        "a network of more than 1000 variables",
    ),
    "shared": (lambda: plain(variables=shared(100)), "variables that share their bytes"),
}


@pytest.mark.parametrize("name", ODD)
def test_other_network_is_refused(name, write):
    make, message = ODD[name]
    assert message in refusal(write, make())


THEANO = {"resolution": 64}


@pytest.mark.parametrize(
    ("spec", "change", "message"),
    [
        ({"label_size": 10}, {}, "a generator of Theano whose label_size is not 0"),
        ({"use_wscale": False}, {}, "a generator of Theano whose use_wscale is not True"),
        ({"use_batchnorm": True}, {}, "a generator of Theano whose use_batchnorm is not False"),
        ({"tanh_at_end": 1.0}, {}, "a generator of Theano whose tanh_at_end is not None"),
        ({"use_pixelnorm": False}, {}, "use_pixelnorm is False; ours is True"),
        ({"resolution": 48}, {}, "a generator of Theano without a proper resolution"),
        ({"resolution": 32}, {}, "a generator of Theano without 36 parameters"),
        ({"func": "G_mnist_mode_recovery"}, {}, "there is no generator of TensorFlow in it"),
        ({}, {0: SHORT}, "4x4/Dense has shape (3,), which is no kernel"),
        ({}, {1: SHORT}, "the scale of 4x4/Dense is no single number"),
        ({}, {2: "bias"}, "a parameter that is no array"),
        ({}, {"cur_lod": np.ones((), "f4")}, "in the middle of growing (its lod is not 0)"),
    ],
)
def test_other_network_of_theano_is_refused(spec, change, message, write):
    net = files.theano_pggan(load(GROWN)[0], lod=change.pop("cur_lod", 0.0), **{**THEANO, **spec})
    for i, value in change.items():
        net.state["param_values"][i] = value
    assert message in refusal(write, files.dump(net, 2, python2=True))


def test_parameters_of_theano_that_share_their_bytes_are_refused(write):
    net = files.theano_pggan(load(GROWN)[0], **THEANO)
    values = net.state["param_values"]
    values[: len(values) : 3] = [np.ones((64, 64, 3, 3), np.float32)] * (len(values) // 3)
    assert "parameters that share their bytes" in refusal(write, net)


# Files that want to do harm


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.made_of = function, args

    def __reduce__(self):
        return self.made_of


PLACES = {
    "source": lambda evil: plain(build_module_src=evil),
    "settings": lambda evil: files.stylegan2(load(UNCOND)[0], resample_kernel=evil),
    "variables": lambda evil: plain(variables=[("lod", evil)]),
    "name": lambda evil: plain(name=evil),
    "component": lambda evil: plain(components={"mapping": plain(), "synthesis": evil}),
    "after": lambda evil: (plain(), evil),
    "Python 2": lambda evil: files.theano_pggan({**load(GROWN)[0]}, **THEANO, label_size=evil),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("protocol", [1, 2, 4])
def test_code_is_refused_and_never_run(place, protocol, write, tmp_path):
    canary = tmp_path / "canary"
    raw = files.dump(PLACES[place](Call(os.system, f"touch {canary}")), protocol)
    assert tensorflow_pickles.is_tensorflow(raw)
    message = refusal(write, raw)
    assert "posix.system is not a name that a checkpoint needs" in message
    assert not canary.exists()
    with files.published_classes():
        pickle.loads(raw)
    assert canary.exists()  # else this would prove nothing


def test_only_objects_of_known_classes_are_reconstructed(write):
    head = b"cdnnlib.tflib.network\nNetwork\n0ccopy_reg\n_reconstructor\n"
    for kind in (b"c__builtin__\nobject\n", b"cnumpy\ndtype\n", b"N"):
        raw = head + b"(" + kind + b"c__builtin__\nobject\nNtR."
        assert "an object of an unknown class" in refusal(write, raw)


def test_dictionaries_of_python_2_spend_the_budget(write):
    """One list of pairs, made a dictionary again and again."""
    head = b"cdnnlib.tflib.network\nNetwork\n0ccollections\nOrderedDict\np0\n0(lp1\n"
    pairs = b"(I1\nI2\ntp2\na" + b"g2\na" * 999
    again = b"0g0\n(g1\ntR" * 1000
    assert "the same part of the file again" in refusal(write, head + pairs + again + b".")


@functools.cache
def damaged_sources():
    return {kind: published(kind, 2, kind == "theano")[0] for kind in ("ada", "pggan", "theano")}


def outcome(path, raw):
    """Loaded, or the one line of the refusal; anything else is raised."""
    path.write_bytes(raw)
    try:
        return importers.read(path).config["resolution"]
    except WeightsError as refused:
        return str(refused)


@pytest.mark.parametrize("kind", ["ada", "pggan", "theano"])
def test_truncated_file_is_refused(kind, tmp_path):
    raw = damaged_sources()[kind]
    for part in range(64):
        found = outcome(tmp_path / "file", raw[: len(raw) * part // 64])
        assert isinstance(found, str), part
        assert "\n" not in found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ada", "pggan", "theano"])
def test_flipped_bytes_load_strictly_or_are_refused(kind, tmp_path):
    raw, rng = damaged_sources()[kind], np.random.default_rng(0)
    (tmp_path / "whole").write_bytes(raw)
    resolution = importers.read(tmp_path / "whole").config["resolution"]
    starts = [m.start() for m in re.finditer(b"static_kwargs|variables|build_func_spec", raw)]
    places = [*rng.integers(len(raw), size=40)]
    places += [rng.choice(starts) + rng.integers(400) for _ in range(60)]  # names and settings
    found = []
    for place in places:
        damaged = bytearray(raw)
        damaged[place] ^= 1 << rng.integers(8)
        found.append(outcome(tmp_path / "file", bytes(damaged)))
    assert {f for f in found if not isinstance(f, str)} <= {resolution}
    assert any(isinstance(f, str) for f in found)
    assert all("\n" not in f for f in found if isinstance(f, str))
