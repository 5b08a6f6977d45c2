"""A tally counts every sample once, in integers that do not wrap, however often it is stopped."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import runtime
from ganfail_jax.errors import InputError
from ganfail_jax.tally import CHUNK, LARGEST, compile_counter, tally

FILE = "unfinished-counting.npz"
BITS = np.arange(30, dtype=np.int32)


def count(params, indices, mask):
    """How many of the indices have each bit; `params` inverts them."""
    bits = (indices[:, None] >> BITS) & 1
    return {"bits": jnp.sum(jnp.where(mask[:, None], bits ^ params, 0), 0), "all": jnp.sum(mask)}


def plain(first, last):
    """The same in numpy, for params 0."""
    bits = (np.arange(first, last)[:, None] >> BITS) & 1
    return {"bits": bits.sum(0), "all": np.asarray(last - first)}


@pytest.fixture(scope="module")
def counter():
    return compile_counter(count, runtime.data_mesh())


def run(counter, first=32, last=203, batch_size=20, folder=None, seed=0, every=20):
    params = runtime.replicate(counter.mesh, np.int32(0))
    sweep = runtime.Sweep(batch_size, counter.mesh, folder, {"seed": seed}, "counting")
    return tally(counter, params, first, last, sweep, every=every)


def assert_same(found, expected):
    for name, wanted in expected.items():
        assert found[name].dtype == np.int64
        np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize("batch_size", [1, 16, 17, 171, 10**12])
def test_every_sample_counts_once(counter, batch_size):
    assert_same(run(counter, batch_size=batch_size), plain(32, 203))


def test_indices_do_not_wrap_at_the_largest(counter):
    first = LARGEST - 5 * CHUNK
    assert_same(run(counter, first, LARGEST), plain(first, LARGEST))
    message = f"samples are numbered to {LARGEST:,} at most, not to {LARGEST + 1:,}"
    with pytest.raises(InputError, match=message):
        run(counter, first, LARGEST + 1)


def test_counts_do_not_wrap_on_the_devices(counter):
    """The most that a device can have counted, and one chunk more."""
    params = runtime.replicate(counter.mesh, np.int32(0))
    most = jax.tree.map(lambda x: x + np.int32(LARGEST), counter.zeros(params))
    rows = counter.advance(params, most, np.int32(CHUNK), np.int32(0), np.int32(1))
    assert int(counter.total(rows)["all"]) == LARGEST + CHUNK


def stopped(counter, name, at, error: type[BaseException] = KeyboardInterrupt):
    """A counter whose `name` fails at the given call, and where its calls started."""
    calls = []

    def stop(*args):
        calls.append(int(args[3]) if name == "advance" else 0)
        if len(calls) == at:
            raise error
        return getattr(counter, name)(*args)

    return counter._replace(**{name: stop}), calls


@pytest.mark.parametrize("every", [3, 50])
def test_an_interrupted_tally_loses_nothing(counter, tmp_path, every):
    options = {"folder": tmp_path, "every": every}
    cut, starts = stopped(counter, "advance", at=5)
    with pytest.raises(KeyboardInterrupt):
        run(cut, **options)
    assert starts == [32, 64, 96, 128, 160]
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    whole, starts = stopped(counter, "advance", at=99)
    assert_same(run(whole, **options), plain(32, 203))
    assert starts == [160, 192]
    starts.clear()
    assert_same(run(whole, **options), plain(32, 203))
    assert starts == []


@pytest.mark.parametrize("at", [1, 2])
def test_an_interrupt_while_devices_add_up_loses_nothing(counter, tmp_path, at):
    options = {"folder": tmp_path, "every": 2}
    cut, _ = stopped(counter, "total", at)
    with pytest.raises(KeyboardInterrupt):
        run(cut, **options)
    whole, starts = stopped(counter, "advance", at=99)
    assert_same(run(whole, **options), plain(32, 203))
    assert starts[0] == 32 + at * 2 * 32


@pytest.mark.parametrize("every", [1, 2])
def test_a_killed_tally_goes_on_from_its_last_checkpoint(counter, tmp_path, every):
    options = {"folder": tmp_path, "every": every}
    cut, _ = stopped(counter, "advance", at=4, error=SystemExit)
    with pytest.raises(SystemExit):
        run(cut, **options)
    whole, starts = stopped(counter, "advance", at=99)
    assert_same(run(whole, **options), plain(32, 203))
    assert starts[0] == {1: 128, 2: 96}[every]


def test_sums_go_beyond_32_bits(counter, tmp_path):
    file = tmp_path / FILE
    cut, _ = stopped(counter, "advance", at=3)
    with pytest.raises(KeyboardInterrupt):
        run(cut, folder=tmp_path)
    arrays = dict(np.load(file))
    leaves = {name: x + 2**40 for name, x in arrays.items() if name.startswith("leaf")}
    np.savez(file, allow_pickle=False, **(arrays | leaves))
    found = run(counter, folder=tmp_path)
    assert_same(found, {name: x + 2**40 for name, x in plain(32, 203).items()})


@pytest.mark.parametrize("other", ["identity", "range", "truncated", "empty"])
def test_a_checkpoint_of_something_else_is_not_used(counter, tmp_path, other):
    file = tmp_path / FILE
    last = 100 if other == "range" else 203
    run(counter, last=last, folder=tmp_path, seed=int(other == "identity"))
    if other in ("truncated", "empty"):
        file.write_bytes(file.read_bytes()[: 300 * (other == "truncated")])
    whole, starts = stopped(counter, "advance", at=99)
    assert_same(run(whole, folder=tmp_path), plain(32, 203))
    assert starts[0] == 32


def test_nothing_to_count_and_broken_chunks_are_refused(counter):
    for first, last, batch_size in [(32, 32, 10), (64, 32, 10), (0, 10, 0)]:
        message = f"nothing to count in samples {first} to {last} by {batch_size}"
        with pytest.raises(InputError, match=re.escape(message)):
            run(counter, first, last, batch_size)
    with pytest.raises(ValueError, match="starts at a multiple of 16, not at 8"):
        run(counter, 8, 20)
