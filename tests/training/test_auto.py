"""The presets `auto` against NVIDIA's numbers and the presets that were tried."""

from dataclasses import replace

import pytest

from ganfail_jax.errors import InputError
from ganfail_jax.training import auto, pggan_step, stylegan2_run
from ganfail_jax.training.auto import Situation

DIGITS = Situation((32, 32, 1), 10)
NVIDIA = [  # side, GPUs -> mb, mbstd, fmaps, lrate, gamma, ema of train.py, computed by hand
    ((32, 1), (32, 4, 0.5, 0.0025, 0.0064, 10)),
    ((32, 128), (128, 1, 0.5, 0.0025, 0.0016, 40)),
    ((64, 2), (64, 4, 0.5, 0.0025, 0.0128, 20)),
    ((256, 1), (16, 4, 0.5, 0.0025, 0.8192, 5)),
    ((512, 8), (64, 4, 1, 0.0025, 0.8192, 20)),
    ((1024, 1), (4, 4, 1, 0.002, 52.4288, 1.25)),
    ((1024, 8), (32, 4, 1, 0.002, 6.5536, 10)),
]


@pytest.mark.parametrize(("given", "numbers"), NVIDIA)
def test_nvidias_numbers(given, numbers):
    side, gpus = given
    config = auto.stylegan2(Situation((side, side, 3), 0, gpus, cpu=False))
    batch, group, fmaps, rate, gamma, ema = numbers
    assert (config.batch_size, config.discriminator.group_size) == (batch, group)
    assert (config.learning_rate, config.ema_kimg) == (rate, ema)
    assert config.r1_gamma == pytest.approx(gamma)
    for network in (config.generator, config.discriminator):
        assert (network.channel_base, network.channel_max) == (int(fmaps * 32768), 512)
        assert (network.resolution, network.img_channels, network.num_classes) == (side, 3, 0)
    assert (config.generator.mapping_layers, config.discriminator.mapping_layers) == (2, 8)


def test_the_papers_run_is_nvidias_on_four_devices():
    assert auto.stylegan2(DIGITS._replace(devices=4, cpu=False)) == stylegan2_run.PRESETS["paper32"]


def test_on_a_cpu_it_is_the_digits_preset_but_for_what_was_tuned_to_them():
    config, preset = auto.stylegan2(DIGITS), stylegan2_run.PRESETS["mnist_c"]
    assert preset.r1_gamma == pytest.approx(config.r1_gamma)
    untuned = replace(
        preset,
        augment=True,
        view_images=False,
        class_weight=0.0,
        r1_gamma=config.r1_gamma,
        discriminator=replace(preset.discriminator, class_head=False),
    )
    assert config == untuned
    assert auto.pggan(DIGITS) == pggan_step.PRESETS["mnist_c"]
    assert auto.pggan(DIGITS._replace(cpu=False)) == pggan_step.PRESETS["paper32"]


@pytest.mark.parametrize("side", [32, 64, 256])
@pytest.mark.parametrize("make", [auto.stylegan2, auto.pggan])
def test_no_resolution_has_fewer_than_16_channels_on_a_cpu(make, side):
    config = make(Situation((side, side, 3), 37))
    for network in (config.generator, config.discriminator):
        assert network.channels(side) >= 16
        assert network.num_classes == 37


@pytest.mark.parametrize("devices", [1, 2, 3, 5, 8, 48])
@pytest.mark.parametrize("make", [auto.stylegan2, auto.pggan])
def test_batches_divide_over_any_number_of_devices(make, devices):
    config = make(Situation((32, 32, 3), 2, devices, cpu=False))
    assert config.batch_size % devices == 0
    assert config.batch_size <= max(64, devices)


@pytest.mark.parametrize("make", [auto.stylegan2, auto.pggan])
def test_less_memory_makes_smaller_batches_and_what_follows_them(make):
    plenty = make(Situation((256, 256, 3), 0, memory=10**12))
    some = make(Situation((256, 256, 3), 0, memory=2 * auto.bytes_needed(plenty, 1) - 2))
    assert some.batch_size == plenty.batch_size // 2
    assert some.ema_kimg == pytest.approx(plenty.ema_kimg / 2)
    if make is auto.stylegan2:
        assert some.r1_gamma == pytest.approx(plenty.r1_gamma * 2)
    assert make(Situation((256, 256, 3), 0, memory=1)).batch_size == 4  # one group


@pytest.mark.parametrize("shape", [(48, 48, 3), (32, 64, 3), (2, 2, 1)])
@pytest.mark.parametrize("make", [auto.stylegan2, auto.pggan])
def test_other_shapes_are_one_line(make, shape):
    line = f"images are {shape[1]}x{shape[0]}, but GANs make squares of 4, 8, 16, 32, .* --resol"
    with pytest.raises(InputError, match=line):
        make(Situation(shape, 3))


def test_one_class_is_none():
    assert auto.stylegan2(DIGITS._replace(num_classes=1)).generator.num_classes == 0
