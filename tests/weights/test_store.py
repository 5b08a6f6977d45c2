"""Our own weights folder: exact, strict, and never code."""

import jax
import numpy as np
import pytest

from ganfail_jax.nn import stylegan2
from ganfail_jax.weights import store
from ganfail_jax.weights.errors import WeightsError
from tests.tiny import CONFIG, random_variables


@pytest.fixture
def folder(tmp_path):
    variables = random_variables(CONFIG)
    about = {"class_names": ["a", "b", "c"]}
    store.save(tmp_path / "weights", "stylegan2", CONFIG.to_dict(), variables, about)
    return tmp_path / "weights"


def template():
    return jax.eval_shape(lambda: stylegan2.init(CONFIG, jax.random.key(0)))


def test_weights_come_back_exactly(folder):
    stored = store.load(folder)
    assert stylegan2.StyleGAN2Config(**stored.config) == CONFIG
    jax.tree.map(
        np.testing.assert_array_equal,
        store.assign(stored, template()),
        random_variables(CONFIG),
    )


def test_misfits_are_reported_together(folder):
    stored = store.load(folder)
    del stored.arrays["params/mapping/fc0/bias"]
    stored.arrays["params/extra"] = np.zeros(1)
    stored.arrays["buffers/w_avg"] = np.zeros(3)
    with pytest.raises(WeightsError, match=r"3 faults: missing .*fc0/bias; unexpected .*\(3,\)"):
        store.assign(stored, template())


@pytest.mark.parametrize("eighth", range(8))
def test_a_truncated_file_is_one_clear_error(folder, eighth):
    file = folder / store.ARRAYS
    raw = file.read_bytes()
    file.write_bytes(raw[: len(raw) * eighth // 8])
    with pytest.raises(WeightsError, match=r"weights\.npz: truncated or damaged: ") as caught:
        store.load(folder)
    assert "\n" not in str(caught.value)


def test_pickled_arrays_are_refused(folder):
    np.savez(folder / store.ARRAYS, evil=np.asarray([object()], dtype=object))
    with pytest.raises(WeightsError, match="something else than plain numbers or text"):
        store.load(folder)


def test_arrays_that_claim_more_than_their_file_holds_are_refused(folder):
    """np.savez_compressed shrinks zeros a thousand times."""
    variables = {name: np.zeros(2**20, np.float32) for name in "abcde"}
    np.savez_compressed(folder / store.ARRAYS, allow_pickle=False, **variables)
    with pytest.raises(WeightsError, match=r"its arrays claim 20,972,\d+ bytes, of at most"):
        store.load(folder)


@pytest.mark.parametrize("values", [["1"], [1j], [True]])
def test_arrays_of_other_than_real_numbers_are_refused(values, folder):
    np.savez(folder / store.ARRAYS, a=np.asarray(values))
    with pytest.raises(WeightsError, match=r"weights\.npz: a holds .*, not numbers"):
        store.load(folder)


def test_a_damaged_configuration_is_one_clear_error(folder):
    (folder / store.CONFIG).write_text('{"kind": "stylegan2"')
    with pytest.raises(WeightsError, match=r"config\.json: not JSON: "):
        store.load(folder)
