"""TensorFlow's and Theano's pickles of other networks, and files that do harm."""

import functools
import os
import pickle
import re

import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.weights import importers, tensorflow_pickles
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import load
from tests.weights import tensorflow_files as files
from tests.weights.tensorflow_published import (
    ADA,
    COND,
    GROWN,
    PGGAN,
    STYLEGAN2,
    UNCOND,
    discriminator,
    published,
    with_,
)
from tests.weights.test_importers import outcome


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
