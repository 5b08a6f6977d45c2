"""Hostile files of feature networks are refused with one line, in bounded time and memory."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from ganfail_jax.nn import frozen, imagenet
from ganfail_jax.weights import (
    inception_names,
    pickles,
    pretrained,
    resnet_names,
    torchscript,
    vgg_names,
)
from ganfail_jax.weights.errors import WeightsError
from tests.weights.torch_saved import STORAGES, save, script

ONE = np.ones(1, np.float32)


def refusal(read, raw, tmp_path):
    """The line after the name of a file with these bytes."""
    path = tmp_path / "file.pt"
    path.write_bytes(raw)
    with pytest.raises(WeightsError) as refused:
        pretrained.load(path, inception_names.CARRIER, read)
    text = str(refused.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    return text.removeprefix(f"{path}: ")


def layer_of(name):
    """A reader of one tensor."""

    def read(raw):
        taken = pretrained.take(pretrained.torch_arrays(raw), {name: (1,)})[name]
        return {"conv": frozen.Folded(taken.reshape(1, 1, 1, 1), taken)}

    return read


@pytest.mark.parametrize("load", [inception_names.load, vgg_names.load, resnet_names.load])
@pytest.mark.parametrize("raw", [b"", b"\x80", b"hello", b"\0" * 100, b"PK\3\4", b"\x80\x02]."])
def test_small_files_of_something_else(load, raw, tmp_path):
    path = tmp_path / "a\nb.pt"
    path.write_bytes(raw)
    with pytest.raises(WeightsError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{tmp_path}/a b.pt: ")
    assert str(refused.value).isprintable()


def test_neither_of_torch_nor_a_pickle(tmp_path):
    message = "this is no file of torch.save or torch.jit.save"
    assert refusal(pretrained.torch_arrays, b"hello", tmp_path) == message
    message = "this is neither a file of torch.save nor a pickle of arrays"
    assert refusal(vgg_names.read, b"hello", tmp_path) == message


def archive(pickled):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as file:
        file.writestr("archive/data.pkl", pickled)
    return raw.getvalue()


def text(value):
    return b"X" + len(value).to_bytes(4, "little") + value


@pytest.mark.parametrize("long", ["module", "attribute"])
def test_names_joined_from_the_memo_are_short(long, tmp_path):
    """A long text of the memo would be copied by every opcode that makes a name of it."""
    module = b"__torch__." + b"x" * (500 * (long == "module"))
    parts = text(module) + b"q\1" + text(b"y" * (500 * (long == "attribute"))) + b"q\2"
    raw = archive(b"\x80\x02" + parts + b"h\1h\2\x93" * 10 + b".")
    message = "a name longer than any that a checkpoint needs"
    assert message in refusal(pretrained.torch_arrays, raw, tmp_path)


@pytest.mark.parametrize("damage", [b"h\x07.", b"h\x070.", b"00.", b"s.", b"\x85.", b"t."])
def test_values_that_are_not_there(damage, tmp_path):
    found = refusal(pretrained.torch_arrays, archive(b"\x80\x02" + damage), tmp_path)
    assert "refused at byte 2: " in found
    assert "a value that is not there" in found or "no mark" in found


def test_attributes_that_modules_share_are_read_once():
    """Else a few thousand modules would take as many times longer."""

    class Counted(dict):
        looks = 0

        def items(self):
            Counted.looks += 1
            return super().items()

    shared = Counted(a=1)
    modules = [pickles.Opaque("__torch__.Module") for _ in range(9)]
    for module in modules:
        module.state = shared
    root = pickles.Opaque("__torch__.Module")
    root.state = {str(i): module for i, module in enumerate(modules)}
    assert not list(torchscript.named_tensors(root))
    assert Counted.looks == 1


def test_dictionaries_that_occur_twice_are_refused(tmp_path):
    """Of dictionaries of dictionaries a small file can make any number of paths."""
    level = {}
    for _ in range(3):
        level = {str(i): level for i in range(300)}
    message = "an array or a dictionary that occurs twice"
    assert refusal(vgg_names.read, pickle.dumps(level, 3), tmp_path) == message
    level["0"] = level
    assert refusal(vgg_names.read, pickle.dumps(level, 3), tmp_path) == message


def shared_bytes():
    """Two arrays of one byte string, as pickles can be written."""
    value = np.ones(900, np.float32)
    raw = pickle.dumps({"a": value, "b": value.copy()}, 3)
    data = b"B" + (3600).to_bytes(4, "little") + value.tobytes()  # BINBYTES
    assert raw.count(data) == 2
    before, between, after = raw.split(data)
    return before + data + b"r\xff\0\0\0" + between + b"j\xff\0\0\0" + after  # LONG_BINPUT, _BINGET


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a/b": ONE, "a": {"b": ONE.copy()}}, "an array or a dictionary that occurs twice"),
        ({"a": ONE, "b": ONE}, "an array or a dictionary that occurs twice"),
        ({"a": np.ones(1, int)}, "a holds int64, no floats"),
        ({"a": np.ones(1, bool)}, "a holds bool, no floats"),
        ({"a" * 201: ONE}, "something else than arrays in nested dictionaries"),
        ({"a" * 100: {"b" * 100: {"c": ONE}}}, "something else than arrays in nested dictionaries"),
    ],
)
def test_pickles_of_other_arrays_are_refused(value, message, tmp_path):
    assert refusal(vgg_names.read, pickle.dumps(value, 3), tmp_path) == message


def test_arrays_that_share_their_bytes_are_refused(tmp_path):
    raw = shared_bytes()
    assert refusal(vgg_names.read, raw, tmp_path) == "arrays that share their bytes"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (save({"a": ONE, "module.a": ONE}), "names with and without the prefix module."),
        (script({"a": {"b": ONE}, "a.b": ONE}), "two tensors called a.b"),
    ],
)
def test_names_that_mean_the_same_are_refused(value, message, tmp_path):
    assert refusal(pretrained.torch_arrays, value, tmp_path) == message


def test_a_module_around_some_of_the_names_is_refused():
    message = r"names with and without the prefix net\."
    with pytest.raises(WeightsError, match=message):
        inception_names.assign({"net.layers.conv.beta": ONE, "layers.conv.beta": ONE})
    with pytest.raises(WeightsError, match=r"names with and without the prefix a\."):
        resnet_names.assign({"a.bn1.running_mean": ONE, "a.conv1.weight": ONE, "conv1.weight": ONE})


def test_counters_of_batches_are_left_out_of_scripts_too(monkeypatch):
    monkeypatch.setitem(STORAGES, "int64", "LongStorage")
    for write in (save, script):
        raw = write({"a": ONE, "num_batches_tracked": np.ones(1, np.int64)})
        found = pretrained.torch_arrays(raw)
        assert found.keys() == {"a"}


@pytest.mark.parametrize("value", [1e300, -np.inf, np.nan])
def test_numbers_beyond_float32_are_refused_without_a_warning(value, tmp_path):
    raw = save({"a": np.full(1, value)})
    assert refusal(layer_of("a"), raw, tmp_path) == "1 faults: a is not finite"


@pytest.mark.parametrize("variance", [-1.0, 0.0])
def test_what_batch_norm_makes_infinite_is_refused(variance, tmp_path):
    def read(raw):
        kernel, moment = np.full((1, 1, 1, 1), 3e38, np.float32), np.zeros(1, np.float32)
        folded = frozen.fold_batch_norm(kernel, moment, moment + variance, 1.0, moment, 1e-5)
        return {"conv": folded}, imagenet.TORCHVISION

    message = "conv is not finite once its batch norm is folded in"
    assert refusal(read, b"", tmp_path) == message


def test_truncated_pickles_are_refused(tmp_path):
    value = {"VGG16_0": {"Conv_0": {"kernel": np.ones((3, 3, 1, 2), np.float32)}}}
    whole = pickle.dumps(value, 3)
    assert "27 faults" not in refusal(vgg_names.read, whole, tmp_path)
    for length in range(0, len(whole), 3):
        refusal(vgg_names.read, whole[:length], tmp_path)
