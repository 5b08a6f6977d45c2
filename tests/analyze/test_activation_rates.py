"""Rates given by --rates: those of the result, if they are of this generator and these layers."""

import re

import numpy as np
import pytest

from ganfail_jax import results, runtime
from ganfail_jax.analysis.rates import Rates
from ganfail_jax.errors import InputError
from ganfail_jax.studies.activation_rates import read
from ganfail_jax.studies.subject import GeneratorSubject
from tests import tiny

FIRST = np.arange(96).reshape(4, 4, 6) % 41
SECOND = np.arange(256).reshape(8, 8, 4) % 41
MADE = {
    "generator": "faces",
    "generator_sha256": "abc",
    "num_samples": 40,
    "seed": 7,
    "published": [],
    "layers": ["b0004/conv1", "b0008/conv0"],
    "threshold": 0.3,
}


def read_rates(folder, sha256, layers):
    models = tiny.models()
    identity = {"generator_sha256": sha256}
    return read(
        folder, GeneratorSubject(models.generator, models.generator_params, identity), layers
    )


@pytest.fixture
def counted(tmp_path):
    given = Rates({"b0004/conv1": FIRST, "b0008/conv0": SECOND}, 40)
    results.save(tmp_path, {}, results.provenance(MADE), given.arrays())
    return str(tmp_path)


def test_rates_are_those_of_the_result(counted, tmp_path):
    source = read_rates(counted, "abc", ["b0008/conv0"])
    of_result = {"num_samples": 40, "seed": 7, "published": []}
    assert source.identity == of_result | {"noise": "const"}  # from before results recorded it
    assert source.num_samples == 40
    assert source.layers == ["b0008/conv0"]
    rates = source.rates(runtime.Sweep(1, runtime.data_mesh(), tmp_path / "not made"))
    assert list(rates.counts) == ["b0008/conv0"]
    np.testing.assert_array_equal(rates.counts["b0008/conv0"], SECOND)
    assert rates.num_samples == 40


def test_rates_of_other_noise_are_others(counted):
    given = results.load(counted)
    made = MADE | {"noise": "random"}
    results.save(counted, {}, results.provenance(made), given.arrays)
    assert read_rates(counted, "abc", []).identity["noise"] == "random"


@pytest.mark.parametrize(
    ("sha256", "layers", "message"),
    [
        ("abd", ["b0004/conv1"], "are of another generator: faces"),
        ("abc", ["b0004/conv1", "b0016/conv0"], "lack b0016/conv0; give analyze.rates these"),
    ],
)
def test_rates_that_do_not_fit_are_refused(counted, sha256, layers, message):
    with pytest.raises(InputError, match=f"^the rates in {re.escape(counted)} {message}"):
        read_rates(counted, sha256, layers)


@pytest.mark.parametrize(
    "counts",
    [FIRST[:3], FIRST.T, FIRST / 40, FIRST - 1, FIRST + 1, FIRST.astype("U2")],
)
def test_what_cannot_be_counts_of_the_layer_is_refused(counts, counted):
    given = Rates({"b0004/conv1": counts}, 40)
    results.save(counted, {}, results.provenance(MADE), given.arrays())
    with pytest.raises(InputError, match="are not counts of this generator's neurons"):
        read_rates(counted, "abc", ["b0004/conv1"])


def test_an_identity_of_another_form_is_one_line(counted):
    arrays = results.load(counted).arrays
    results.save(counted, {}, {"identity": {"generators": 5}}, arrays)
    with pytest.raises(InputError, match=f"^{re.escape(counted)} does not hold what is expected: "):
        read_rates(counted, "abc", [])


def test_a_folder_without_rates_is_refused(tmp_path):
    with pytest.raises(InputError, match="no readable result in"):
        read_rates(str(tmp_path), "abc", [])
    results.save(tmp_path, {}, results.provenance(MADE), {"realism": FIRST})
    with pytest.raises(InputError, match=r"has no activation rates; analyze\.rates makes one"):
        read_rates(str(tmp_path), "abc", [])
