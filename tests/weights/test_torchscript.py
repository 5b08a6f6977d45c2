"""TorchScript modules are read as data: attributes by dotted names, nothing run."""

import pickle

import numpy as np
import pytest

from ganfail_jax.weights import pretrained, torch_files, torchscript
from ganfail_jax.weights.errors import WeightsError
from tests.weights.torch_saved import save, script

ONE, TWO = np.asarray([[1, 2], [3, 4]], np.float32), np.asarray([5], np.float32)


def test_tensors_have_the_names_of_the_state_dict():
    module = {"training": False, "a": {"weight": ONE, "b": {"bias": TWO}}, "hook": None}
    raw = script(module)
    assert torchscript.is_script(torch_files.read(raw))
    found = pretrained.torch_arrays(raw)
    assert found.keys() == {"a.weight", "a.b.bias"}
    np.testing.assert_array_equal(found["a.weight"], ONE)
    np.testing.assert_array_equal(found["a.b.bias"], TWO)


def test_modules_within_themselves_are_read_once():
    module = {"weight": ONE}
    module["again"] = module  # pyright: ignore[reportArgumentType]
    assert pretrained.torch_arrays(script(module)).keys() == {"weight"}


def test_deep_modules_are_refused():
    module = {"weight": ONE}
    for _ in range(40):
        module = {"inner": module}
    with pytest.raises(WeightsError, match="more, deeper or longer named modules than a network"):
        pretrained.torch_arrays(script(module))


def test_long_names_are_refused():
    with pytest.raises(WeightsError, match="more, deeper or longer named modules than a network"):
        pretrained.torch_arrays(script({"x" * 101: {"weight": ONE}}))


class Evil:
    ran = False

    def __reduce__(self):
        return (setattr, (Evil, "ran", True))


@pytest.mark.parametrize("write", [save, script])
def test_nothing_in_a_file_is_run(write):
    raw = write({"weight": ONE, "training": Evil()})
    with pytest.raises(WeightsError, match="setattr is not a name that a checkpoint needs"):
        pretrained.torch_arrays(raw)
    assert not Evil.ran
    pickle.loads(pickle.dumps(Evil()))  # the class would have run
    assert Evil.ran
    Evil.ran = False


def test_only_code_may_be_compressed():
    raw = script({"weight": ONE})
    assert b"\x08\x00" in raw  # the method of the code's entry
    moved = raw.replace(b"archive/code/", b"archive/data/")
    with pytest.raises(WeightsError, match="compressed entries, which torch does not write"):
        pretrained.torch_arrays(moved)


def test_damaged_files_are_refused_or_unchanged():
    raw = script({"weight": ONE, "a": {"bias": TWO}})
    wanted = pretrained.torch_arrays(raw)
    for place in range(0, len(raw), 7):
        with pytest.raises(WeightsError):
            pretrained.torch_arrays(raw[:place])
        flipped = raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :]
        try:
            found = pretrained.torch_arrays(flipped)
        except WeightsError:
            continue
        assert found.keys() == wanted.keys()  # such as a byte of the code, which is not read
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array)
