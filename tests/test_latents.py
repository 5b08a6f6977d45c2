"""A sample depends on its seed and index, and on nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.edits import zero_activated
from ganfail_jax.latents import generate, latents, noise_keys, sample_labels
from ganfail_jax.nn import pggan
from ganfail_jax.types import NOISES, Noise
from tests.tiny import CONFIG, models

FIRST = (1.0040143, -0.9063372, -0.7481722)  # z of sample 0, seed 0


def test_samples_do_not_depend_on_their_batch():
    generator = models().generator
    together = latents(generator, 3, jnp.arange(10))
    alone = latents(generator, 3, jnp.asarray([7]))
    np.testing.assert_array_equal(together.z[7], alone.z[0])
    assert together.z.shape == (10, CONFIG.z_dim)


def test_seeds_and_indices_differ_and_z_is_standard_normal():
    generator = models().generator
    z = np.asarray(latents(generator, 0, jnp.arange(4000)).z)
    assert len(np.unique(z.round(6), axis=0)) == 4000
    assert not np.array_equal(z[:5], latents(generator, 1, jnp.arange(5)).z)
    tolerance = 5 / np.sqrt(4000)
    assert np.abs(z.mean(0)).max() < tolerance
    assert np.abs(z.std(0) - 1).max() < tolerance


def test_classes_are_balanced_and_unconditional_has_none():
    generator = models().generator
    drawn = latents(generator, 0, jnp.arange(9))
    assert drawn.labels is not None
    assert drawn.one_hot is not None
    np.testing.assert_array_equal(np.bincount(drawn.labels), [3, 3, 3])
    np.testing.assert_array_equal(np.argmax(drawn.one_hot, 1), drawn.labels)
    assert latents(generator._replace(num_classes=0), 0, jnp.arange(2)).labels is None


@pytest.mark.parametrize("shares", [(0.5, 0.25, 0.25), (0.9, 0.1, 0.0), (0.0, 1.0, 0.0)])
def test_classes_have_their_shares_in_every_stretch_of_samples(shares):
    generator = models().generator._replace(label_shares=shares)
    indices = np.arange(1_000)
    labels = sample_labels(generator, indices)
    np.testing.assert_array_equal(labels, latents(generator, 5, jnp.asarray(indices)).labels)
    for first, last in ((0, 1_000), (0, 100), (437, 637), (2, 31)):
        counts = np.bincount(labels[first:last], minlength=3)
        assert np.abs(counts - (last - first) * np.asarray(shares)).max() < 5
    late = sample_labels(generator, np.array([2**31 - 1]))
    np.testing.assert_array_equal(late, sample_labels(generator, jnp.asarray([2**31 - 1])))


def test_the_first_latents_stay_what_they_were():
    """Labels and results name samples by their index: pinned before noise had keys."""
    for noise in NOISES:
        generator = models().generator.with_noise(noise)
        z = np.asarray(latents(generator, 0, jnp.arange(2)).z)
        np.testing.assert_allclose(z[0, :3], FIRST, rtol=1e-6)
        assert latents(generator, 0, jnp.arange(2)).z.shape == (2, CONFIG.z_dim)


def images_of(indices, noise: Noise = "random", edits=None, seed=4):
    tiny = models()
    generator = tiny.generator.with_noise(noise)
    made = jax.jit(lambda p, i, e: generate(generator, p, seed, i, e))
    return jax.device_get(made(tiny.generator_params, jnp.asarray(indices), edits))


def test_noise_is_drawn_from_the_samples_own_keys():
    generator = models().generator.with_noise("random")
    keys = noise_keys(generator, 7, jnp.asarray([3, 0]))
    assert keys is not None
    for index, key in ((3, keys[0]), (0, keys[1])):
        own = jax.random.fold_in(jax.random.fold_in(jax.random.key(7), index), 0x4E4F49)
        np.testing.assert_array_equal(jax.random.key_data(key), jax.random.key_data(own))
    for noise in NOISES[1:]:
        assert noise_keys(generator.with_noise(noise), 7, jnp.asarray([3, 0])) is None


def test_an_image_with_its_own_noise_does_not_depend_on_its_batch():
    images, taps = images_of(np.arange(8))
    order = np.asarray([5, 2, 7])
    shuffled, again = images_of(order)
    np.testing.assert_allclose(shuffled, images[order], atol=0.01)  # a level
    for name, values in again.items():
        np.testing.assert_allclose(values, taps[name][order], rtol=1e-4, atol=1e-4)
    noiseless = images_of(np.arange(8), "none")[1]["b0004/conv1"]
    const = images_of(np.arange(8), "const")[1]["b0004/conv1"]
    # of the linear part of the leaky ReLU: what noise adds, by sample
    both = (noiseless > 0) & (taps["b0004/conv1"] > 0) & (const > 0)
    added = {"random": taps["b0004/conv1"] - noiseless, "const": const - noiseless}
    spread = {k: np.std(x, axis=0)[both.all(axis=0)].max(initial=0) for k, x in added.items()}
    assert spread["const"] < 1e-4 < 0.1 < spread["random"]


def test_an_edited_sample_keeps_its_noise():
    """Zeroing units of the last layer leaves every other activation as it was."""
    mask = np.zeros(CONFIG.channels(8), bool)
    mask[1] = True
    edits = {"b0008/conv1": zero_activated(mask)}
    (plain, taps), (edited, after) = images_of([0, 6]), images_of([0, 6], edits=edits)
    assert (plain != edited).any()
    for name in ("b0004/conv1", "b0008/conv0"):
        np.testing.assert_allclose(after[name], taps[name], rtol=1e-5, atol=1e-5)
    kept = taps["b0008/conv1"][..., ~mask]
    np.testing.assert_allclose(after["b0008/conv1"][..., ~mask], kept, rtol=1e-5, atol=1e-5)


def test_a_generator_without_noise_inputs_stays_as_it_is():
    generator = pggan.build(pggan.PGGANConfig(resolution=8, z_dim=4, num_classes=0))
    for noise in NOISES:
        assert generator.with_noise(noise) is generator
    assert generator.noise == "none"
