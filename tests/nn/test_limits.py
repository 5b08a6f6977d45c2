"""Configurations of any origin are checked before a network is built of them."""

import json
import math
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ganfail_jax import zoo
from ganfail_jax.errors import InputError
from ganfail_jax.nn import limits
from ganfail_jax.nn.classifiers import CNNConfig
from ganfail_jax.nn.pggan import PGGANConfig
from ganfail_jax.nn.pggan_discriminator import PGGANDiscriminatorConfig
from ganfail_jax.nn.small_resnet import SmallResNetConfig
from ganfail_jax.nn.stylegan2 import DTYPES, StyleGAN2Config
from ganfail_jax.nn.stylegan2_discriminator import StyleGAN2DiscriminatorConfig
from ganfail_jax.weights import store
from ganfail_jax.weights.errors import WeightsError
from tests.tiny import CONFIG, random_variables

BAD = [  # settings that no network of any kind has, and the limits that the line names
    ({"resolution": 8192}, "resolution is 8192, but must be a whole number from 4 to 4,096"),
    ({"resolution": 2}, "resolution is 2, but must be a whole number from 4 to 4,096"),
    ({"resolution": 24}, "resolution is 24, but must be a power of two"),
    ({"resolution": 32.0}, "resolution is 32.0, but must be a whole number"),
    ({"img_channels": 0}, "img_channels is 0, but must be a whole number from 1 to 64"),
    ({"num_classes": -1}, "num_classes is -1, but must be a whole number from 0 to 100,000"),
    ({"num_classes": True}, "num_classes is True, but must be a whole number"),
    ({"channel_base": 16}, "channel_base is 16, but must be at least the resolution, 32"),
    ({"channel_max": 10**9}, "channel_max is 1000000000, but must be a whole number from 1 to 16,"),
    ({"channel_max": None}, "channel_max is None, but must be a whole number"),
    ({"channel_max": "x" * 10**5}, "channel_max is x{50}, but must be a whole number"),
]
STYLEGAN2 = [
    ({"mapping_layers": 10**7}, "mapping_layers is 10000000, but must be .* from 1 to 64"),
    ({"conv_clamp": math.nan}, "conv_clamp is nan, but must be null or a number above 0"),
    ({"conv_clamp": -1}, "conv_clamp is -1, but must be null or a number above 0"),
    ({"conv_clamp": "1"}, "conv_clamp is 1, but must be null or a number above 0"),
]
OWN = [
    *((StyleGAN2Config, *case) for case in STYLEGAN2),
    *((StyleGAN2DiscriminatorConfig, *case) for case in STYLEGAN2),
    (StyleGAN2Config, {"w_dim": 10**6}, "w_dim is 1000000, but must be .* from 1 to 16,384"),
    (StyleGAN2Config, {"joint_norm": 1}, "joint_norm is 1, but must be true or false"),
    (PGGANConfig, {"z_dim": 0}, "z_dim is 0, but must be a whole number from 1 to 16,384"),
    (PGGANDiscriminatorConfig, {"group_size": 0}, "group_size is 0, but must be .* from 1 to 16"),
    (CNNConfig, {"convs": 10**6}, "convs is 1000000, but must be a whole number from 1 to 64"),
    (CNNConfig, {"crop": 0}, "crop is 0, but must be a whole number from 1 to 4,096"),
    (CNNConfig, {"widths": ()}, r"widths is \(\), but must be 1 to 12 whole numbers from 1 to"),
    (CNNConfig, {"widths": (8,) * 13}, "widths is .*, but must be 1 to 12 whole numbers"),
    (CNNConfig, {"widths": (8, 10**6)}, "widths is .*, but must be 1 to 12 whole numbers"),
    (CNNConfig, {"image_shape": (32, 32)}, r"image_shape is \(32, 32\), but must be 3 whole"),
    (CNNConfig, {"image_shape": 32}, "image_shape is 32, but must be 3 whole numbers from 1"),
]
GANS = (StyleGAN2Config, StyleGAN2DiscriminatorConfig, PGGANConfig, PGGANDiscriminatorConfig)


@pytest.mark.parametrize(
    ("config", "changes", "message"), [*((gan, *case) for gan in GANS for case in BAD), *OWN]
)
def test_numbers_beyond_their_limits_are_refused(config, changes, message):
    """Without the constructor, whose types tests check before it runs."""
    settings = SimpleNamespace(**config().to_dict() | changes)
    with pytest.raises(InputError, match=message):
        limits.check(settings)


@pytest.mark.parametrize("config", [*GANS, CNNConfig, SmallResNetConfig])
def test_every_configuration_is_checked(config):
    with pytest.raises(InputError, match="num_classes is -1, but must be a whole number from 0"):
        config(num_classes=-1)


@pytest.mark.parametrize(
    "config",
    [
        StyleGAN2Config(1024, 3, 0, conv_clamp=256.0),  # config F
        StyleGAN2Config(4, 1, 0, mapping_layers=1, channel_base=4, channel_max=1),
        StyleGAN2Config(4096, 4, 100_000, z_dim=16_384, w_dim=16_384, mapping_layers=64),
        PGGANConfig(1024, 3, 0, channel_base=8192),
    ],
)
def test_networks_of_every_published_size_are_within_the_limits(config):
    assert replace(config).to_dict() == config.to_dict()


@pytest.mark.parametrize("value", ["int8", [], None])
def test_other_choices_are_refused(value):
    with pytest.raises(InputError, match=r"dtype is .*, but must be one of float32, bfloat16, fl"):
        limits.check_choice("dtype", value, DTYPES)
    if isinstance(value, str):
        with pytest.raises(InputError, match=r"dtype is .*, but must be one of float32"):
            StyleGAN2DiscriminatorConfig(dtype=value)


def test_a_folder_whose_settings_are_beyond_them_is_one_line_at_once(tmp_path):
    store.save(tmp_path, "stylegan2", CONFIG.to_dict(), random_variables(CONFIG), {})
    text = json.loads((tmp_path / store.CONFIG).read_text())
    assert zoo.load_generator(str(tmp_path))[0].z_dim == CONFIG.z_dim
    text["config"]["mapping_layers"] = 10**7
    (tmp_path / store.CONFIG).write_text(json.dumps(text))
    started = time.process_time()
    with pytest.raises(WeightsError, match="does not fit: mapping_layers is 10000000, but must be"):
        zoo.load_generator(str(tmp_path))
    assert time.process_time() - started < 5
