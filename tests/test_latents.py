"""A sample depends on its seed and index, and on nothing else."""

import jax.numpy as jnp
import numpy as np

from ganfail_jax.latents import latents
from tests.tiny import CONFIG, models


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
