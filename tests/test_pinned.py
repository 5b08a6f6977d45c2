"""The same bits whatever JAX's settings are, or one line that says what must go."""

import contextlib

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.linen import Dense

from ganfail_jax import pinned, zoo
from ganfail_jax.analysis import ranking
from ganfail_jax.errors import InputError
from ganfail_jax.jobs import Job, Run
from ganfail_jax.labelling.pictures import pictures
from ganfail_jax.latents import latents
from tests.analyze import commands
from tests.tiny import models

SEEDS = (0, 1, 12345, 2**31 - 1)
AMBIENT = {  # of JAX, as the environment or a notebook may set them
    "jax_enable_x64": True,
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_random_seed_offset": 5,
    "jax_default_matmul_precision": "bfloat16",
    "jax_softmax_custom_jvp": True,
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_disable_jit": True,
}


@contextlib.contextmanager
def ambient(*names):
    """These settings for all threads."""
    models()  # made before
    before = {name: getattr(jax.config, name) for name in names}
    try:
        for name in names:
            jax.config.update(name, AMBIENT[name])
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


def run(folder, batch_size=8, num_samples=12):
    """A job that ranks and draws z, on one of the tiny networks."""

    def compute(sweep):
        ranked = ranking.rank(models(), num_samples, sweep, replicates=2)
        z = latents(models().generator, 3, jnp.arange(4)).z
        start = Dense(2).init(pinned.key(1), z)["params"]["kernel"]
        return {}, {"z": z, "score": ranked.score, "share": ranked.top_share, "start": start}

    settings = Run(batch_size, str(folder))
    return Job(folder, {}, "tiny", compute, lambda *_: (), lambda _: (), settings).run().arrays


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return run(tmp_path_factory.mktemp("plain"))


def test_keys_are_those_of_the_defaults_of_jax():
    for seed in SEEDS:
        theirs = jax.random.key_data(jax.random.key(seed))
        for own in (pinned.key(seed), jax.jit(pinned.key)(seed), pinned.key(jnp.uint32(seed))):
            np.testing.assert_array_equal(jax.random.key_data(own), theirs)


def test_the_first_latent_is_that_of_every_result_so_far():
    """As measured before keys were pinned; the shipped labels are of these samples."""
    z = latents(models().generator, 0, jnp.arange(1)).z
    np.testing.assert_array_equal(z[0, 0], np.float32(1.0040143))


def test_jobs_do_not_depend_on_settings(expected, tmp_path):
    with ambient(*AMBIENT), flax.config.temp_flip_flag("fix_rng_separator", True):
        arrays = run(tmp_path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_jobs_do_not_depend_on_contexts_or_the_batch(expected, tmp_path):
    with jax.enable_x64(True), jax.default_prng_impl("unsafe_rbg"):
        arrays = run(tmp_path, batch_size=5)
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(arrays["z"], expected["z"])


@pytest.mark.parametrize("name", AMBIENT)
def test_latents_outside_of_a_job_are_the_same_or_refused(name, expected):
    with ambient(name):
        if name == "jax_threefry_partitionable":
            with pytest.raises(InputError, match="jax_threefry_partitionable is off"):
                latents(models().generator, 3, jnp.arange(4))
            return
        z = latents(models().generator, 3, jnp.arange(4)).z
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z, expected["z"])


def test_models_load_and_pictures_to_label_are_the_same():
    def png():
        with pictures(models().generator, models().generator_params, 0) as picture:
            return picture(5)  # rendered by another thread

    plain = png()
    with ambient("jax_enable_x64", "jax_threefry_partitionable"):
        assert png() == plain
        _, params = zoo.load_generator("mnist_c")
    assert {x.dtype for x in jax.tree.leaves(params)} == {np.dtype(np.float32)}


FAST = [
    "--xla_cpu_enable_fast_math=true",
    "--xla_dump_to=/x --xla_cpu_enable_fast_math",
    "--xla_gpu_enable_fast_min_max=1",
    "--xla_cpu_enable_fast_math=false --xla_cpu_enable_fast_math=True",
]
SLOW = [
    "",
    "--xla_cpu_enable_fast_math=false",
    "--xla_cpu_enable_fast_math=true --xla_cpu_enable_fast_math=0",
    "--xla_backend_optimization_level=0 --xla_cpu_fast_math_honor_nans=true",
    "a file that is not there",
]


@pytest.mark.parametrize("flags", FAST)
def test_fast_maths_are_refused_in_one_line(flags, tmp_path, monkeypatch):
    monkeypatch.setitem(commands.ENVIRONMENT, "XLA_FLAGS", flags)
    done = commands.run("rank", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: XLA_FLAGS has --xla_")
    file = tmp_path / "flags"  # XLA reads a file of this name
    file.write_text(flags)
    monkeypatch.setenv("XLA_FLAGS", str(file))
    with pytest.raises(InputError, match="XLA_FLAGS has"):
        run(tmp_path)
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize("flags", SLOW)
def test_other_flags_are_not(flags, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", flags)
    with pinned.settings():
        assert not jax.config.jax_enable_x64  # pyright: ignore
