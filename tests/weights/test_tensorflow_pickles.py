"""TensorFlow's and Theano's pickles against the reference's own outputs.

No published file is at hand: `tensorflow_files` writes their structure with the goldens' weights.
Tolerance: 1e-4 standard deviations, float32 sums in another order.
"""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.nn import ops, pggan, stylegan2
from ganfail_jax.nn.resampling import upsample2d
from ganfail_jax.weights import importers, tensorflow_pickles
from tests.goldens import FOLDER, deviation, load, nhwc, our_name
from tests.weights import tensorflow_files as files
from tests.weights.tensorflow_published import (
    ADA,
    COND,
    GROWN,
    KINDS,
    PGGAN,
    STYLEGAN2,
    UNCOND,
    published,
    triple,
    with_,
)
from tests.weights.test_importers import reference_arrays


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
        psi = generator.styles(params, jnp.asarray(arrays["z"]), label, 0.5, 4)  # pyright: ignore
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
        assert "remarks" not in stored.about
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


@pytest.mark.parametrize(
    ("pack", "remark"),
    [
        (lambda g, d, gs: (g, d), "network G, which is not called an average; in the file: G"),
        (lambda g, d, gs: (g, gs, files.Net(gs.module, gs.state)), "Gs; in the file: G, Gs, Gs"),
    ],
)
def test_another_choice_than_of_the_one_average_is_told(pack, remark, write):
    root = pack(*triple(files.pggan, load(GROWN)[0], **PGGAN))
    assert importers.read(write(files.dump(root))).about["remarks"].endswith(remark)


# Conventions against the definitions of TensorFlow's operations


def test_up_convolution_is_an_upsampling_then_a_cross_correlation(write):
    """As `upsample_conv_2d` of dnnlib is documented; only at the border its padding differs."""
    weights, _ = load(UNCOND)
    theirs = files.stylegan2_variables(weights)["synthesis"]["8x8/Conv0_up/weight"]
    stored = importers.read(write(published("stylegan2")[0]))
    x = jax.random.normal(jax.random.key(0), (1, 6, 6, theirs.shape[2]))
    found = ops.conv2d_up(x, jnp.asarray(stored.arrays["params/synthesis/b0008/conv0/weight"]))
    wanted = ops.conv2d(upsample2d(x), jnp.asarray(theirs))
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
