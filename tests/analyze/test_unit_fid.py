"""The FID of units read back from a result."""

import numpy as np
import pytest

from ganfail_jax import results
from ganfail_jax.errors import InputError
from ganfail_jax.studies import unit_fid
from ganfail_jax.studies.unit_fid import FID

MADE = {"generator": "g", "generator_sha256": "abc", "seed": 3, "num_samples": 9, "fid_top": 2}
VALUES = {"b0004/conv1": np.asarray([2.0, 1.0]), "b0008/conv0": np.asarray([0.5])}
OWN = {"generator_sha256": "abc"}  # of the study that reads


@pytest.fixture
def folder(tmp_path):
    arrays = {FID + layer: values for layer, values in VALUES.items()}
    results.save(tmp_path / "units", {}, results.provenance(MADE), arrays)
    return str(tmp_path / "units")


def test_requested_layers_in_that_order(folder):
    distances = unit_fid.read(folder, OWN, {"b0008/conv0": 1, "b0004/conv1": 2})
    assert list(distances.fid) == ["b0008/conv0", "b0004/conv1"]
    for layer, values in VALUES.items():
        np.testing.assert_array_equal(distances.fid[layer], values)
    assert list(unit_fid.read(folder, OWN, {"b0008/conv0": 1}).fid) == ["b0008/conv0"]


def test_what_distinguishes_them(folder):
    identity = unit_fid.read(folder, OWN, {}).identity
    known = {"seed": 3, "num_samples": 9, "fid_top": 2, "noise": "const"}
    assert identity == known | {"measure": None, "features": None, "reference": None}


def test_another_generator(folder):
    with pytest.raises(InputError, match=r"units are of another generator: g$"):
        unit_fid.read(folder, {"generator_sha256": "abd"}, {"b0004/conv1": 2})


def test_a_layer_that_is_not_there(folder):
    message = r"units lacks b0016/conv0; give analyze.units these --layers$"
    with pytest.raises(InputError, match=message):
        unit_fid.read(folder, OWN, {"b0004/conv1": 2, "b0016/conv0": 2})


def test_another_result(tmp_path):
    results.save(tmp_path, {}, results.provenance(MADE), {"score": np.zeros(2)})
    with pytest.raises(InputError, match=r"has no FID of units; analyze.units makes a result that"):
        unit_fid.read(str(tmp_path), OWN, {"b0004/conv1": 2})


def test_distances_that_do_not_fit(folder, tmp_path):
    with pytest.raises(
        InputError, match=r"b0008/conv0 has the shape \(1,\), these models need \(4,"
    ):
        unit_fid.read(folder, OWN, {"b0008/conv0": 4})
    results.save(tmp_path, {}, results.provenance(MADE), {f"{FID}x": np.asarray([1, np.nan])})
    with pytest.raises(InputError, match="x has other than finite numbers; make the result anew"):
        unit_fid.read(str(tmp_path), OWN, {"x": 2})
