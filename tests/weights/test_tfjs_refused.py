"""TensorFlow.js folders that are damaged, or are not TF-Hub's progan."""

import math

import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.weights import importers
from ganfail_jax.weights.errors import WeightsError
from tests.weights.tfjs_files import (
    SCOPE,
    npz,
    paths,
    random_arrays,
    refused,
    rewrite,
    weights,
    write,
)


def test_a_folder_of_something_else_says_what_it_lacks(tmp_path):
    with pytest.raises(WeightsError, match="is no generator: neither it nor its best/ or latest/"):
        zoo.load_generator(str(tmp_path))
    folder, _, _ = write(tmp_path / "progan")
    with pytest.raises(WeightsError, match="is no classifier: neither it nor its best/"):
        zoo.load_classifier(str(folder))


def test_second_name_of_an_array_is_refused(tmp_path):
    arrays = random_arrays()
    arrays["res_00/conv0/bias"] = arrays["res_0/conv0/bias"] + 1
    with pytest.raises(WeightsError, match="unexpected res_00/conv0/bias: not of TF-Hub's progan"):
        npz(tmp_path, arrays)


def quantised(**rule):
    """One bias as bytes."""

    def edit(model, writer):
        name = "module/g_model/res_1/conv1/bias"
        numbers = np.arange(writer.weights[name].size, dtype=np.uint8)
        writer.weights[name] = numbers, {"dtype": "uint8", "scale": 0.5, "min": 0} | rule

    return edit


NO_NUMBERS = [[0.5] * 6, [[[1]]], None, "2.5", True, math.inf, math.nan, 1e300, -1e300, 10**400]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:8])
@pytest.mark.parametrize("name", ["scale", "min"])
def test_what_quantises_is_a_number(name, value, tmp_path):
    folder, _, _ = write(tmp_path / "progan", edit=quantised(**{name: value}))
    assert "an array whose scale and min are no numbers" in refused(folder)


def test_quantised_integers_are_refused(tmp_path):
    """TensorFlow.js would round what they stand for."""
    folder, _, _ = write(tmp_path / "progan", edit=quantised())
    stored = importers.read(folder / "model.json")
    np.testing.assert_array_equal(stored.arrays["params/b0008_conv1/bias"], 0.5 * np.arange(6))

    def change(model):
        next(w for w in weights(model) if "quantization" in w).update(dtype="int32")

    rewrite(folder, change)
    assert "conv1/bias is quantised, but of type int32, not float32" in refused(folder)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/secret", "link", ".", "..", ""])
def test_shards_outside_the_folder_are_not_opened(name, tmp_path):
    folder, model, _ = write(tmp_path / "progan")
    data = (folder / paths(model)[0]).read_bytes()
    (folder / paths(model)[0]).unlink()
    (folder / "sub").mkdir()
    for place in (tmp_path / "secret", folder / "sub" / "secret"):
        place.write_bytes(data)
    (folder / "link").symlink_to(tmp_path / "secret")
    rewrite(folder, lambda model: paths(model).__setitem__(0, name))
    assert f"its shard {name!r} is not a file in the folder itself" in refused(folder)


def test_absolute_path_into_the_folder_is_taken_for_what_it_is(tmp_path):
    folder, model, _ = write(tmp_path / "progan")
    absolute = str(folder / paths(model)[0])
    rewrite(folder, lambda model: paths(model).__setitem__(0, absolute))
    assert "is not a file in the folder itself" in refused(folder)


def node(model, name):
    return next(n for n in model["modelTopology"]["node"] if n["name"] == SCOPE + name)


DAMAGE = {
    "missing": (lambda m: paths(m).append("more.bin"), "its shard 'more.bin' is missing"),
    "directory": (lambda m: paths(m).append("folder"), "its shard 'folder' is missing"),
    "twice": (lambda m: paths(m).append(paths(m)[0]), "a shard that is named twice"),
    "short": (lambda m: paths(m).pop(), "is named twice, or its shards are too short"),
    "long": (lambda m: weights(m).pop(), "bytes, its arrays only"),
    "large": (lambda m: weights(m)[3].update(shape=[2**60, 2**60]), "has no proper shape"),
    "negative": (lambda m: weights(m)[3].update(shape=[-1, -4]), "has no proper shape"),
    "text": (lambda m: weights(m)[3].update(dtype="string"), "is of type string; known are float"),
    "name": (lambda m: weights(m)[3].update(name="x"), "is no constant, other than in progan"),
    "no model": (lambda m: m.update(format="layers-model"), "no TensorFlow.js graph model"),
    "outputs": (lambda m: m["signature"]["outputs"].update(a={}), "a graph with 2 outputs"),
    "no output": (lambda m: m["signature"].update(outputs={}), "a graph with 0 outputs"),
    "valid": (
        lambda m: node(m, "mul_3")["attr"].update(padding={"s": "VkFMSUQ="}),
        "its graph is not that of progan at module_apply_default/mul_3",
    ),
    "strides": (
        lambda m: node(m, "mul_3")["attr"].update(strides={"list": {"i": ["1", "2", "2", "1"]}}),
        "its graph is not that of progan at module_apply_default/mul_3",
    ),
    "mean": (lambda m: node(m, "Mean_2").update(attr={}), "progan at module_apply_default/Mean_2"),
    "operation": (
        lambda m: node(m, "Rsqrt_1").update(op="Sqrt"),
        "its graph is not that of progan at module_apply_default/Rsqrt_1",
    ),
    "other input": (
        lambda m: node(m, "Square_2").update(input=["latent_vector"]),
        "its graph is not that of progan at latent_vector",
    ),
    "circle": (
        lambda m: node(m, "LeakyRelu/mul")["input"].__setitem__(1, f"{SCOPE}LeakyRelu/Maximum"),
        "its graph is not that of progan at",
    ),
    "no start": (
        lambda m: m["modelTopology"]["node"][0].update(op="Const"),
        "its graph is not that of progan: it does not start at z",
    ),
    "no list": (lambda m: m.update(weightsManifest=3), "no TensorFlow.js graph model"),
    "number as a node": (lambda m: m["modelTopology"].update(node=[3]), "model.json: "),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_or_computes_something_else_is_refused(name, tmp_path):
    change, message = DAMAGE[name]
    folder, _, _ = write(tmp_path / "progan")
    (folder / "folder").mkdir()
    rewrite(folder, change)
    assert message in refused(folder)


def without_doubling(model, writer):
    """A network whose last block is as large as the one before."""
    writer.nodes[:] = [n for n in writer.nodes if n["op"] not in ("Tile", "BatchToSpaceND")]
    for n in writer.nodes:
        n["input"] = [f"{SCOPE}{SAME[i]}" if i in SAME else i for i in n.get("input", [])]
    for name in [n for n in writer.weights if "Tile" in n or "Batch" in n]:
        del writer.weights[name]


SAME = {f"{SCOPE}BatchToSpaceND": "mul_4", f"{SCOPE}BatchToSpaceND_1": "mul_8"}
CONSTANTS = [
    ("LeakyRelu_2/alpha", 0.1),
    ("add_2/y", 2e-8),
    ("Mean_1/reduction_indices", np.asarray([1], np.int32)),
    ("Tile/multiples", np.asarray([1, 1, 1, 4], np.int32)),
    ("BatchToSpaceND_1/crops", np.asarray([[0, 1], [0, 0]], np.int32)),
    ("Pad/pads", np.asarray([[0, 0], [3, 3], [3, 4], [0, 0]], np.int32)),
    ("Reshape/shape", np.asarray([-1, 1, 5, 1], np.int32)),
    ("clip_by_value_1/Minimum/y", 2.0),
]


@pytest.mark.parametrize(("name", "value"), CONSTANTS, ids=[name for name, _ in CONSTANTS])
def test_every_constant_of_the_graph_counts(name, value, tmp_path):
    def edit(model, writer):
        kept = writer.weights[SCOPE + name]
        writer.weights[SCOPE + name] = np.asarray(value, kept.dtype)

    folder, _, _ = write(tmp_path / "progan", edit=edit)
    assert f"its graph is not that of progan at {SCOPE}{name}" in refused(folder)


def test_other_layers_may_not_double_the_resolution(tmp_path):
    folder, _, _ = write(tmp_path / "progan", edit=without_doubling)
    assert "its graph is not that of progan: other layers double" in refused(folder)


@pytest.mark.parametrize("kind", ["merged_input", "bias"])
def test_layers_that_share_an_array_are_refused(kind, tmp_path):
    """A small file of many such layers would become a network of any size."""

    def edit(model, writer):
        kept, gone = [n for n in writer.weights if n.endswith(kind)][1:3]
        del writer.weights[gone]
        for n in writer.nodes:
            n["input"] = [kept if name == gone else name for name in n.get("input", [])]

    folder, _, _ = write(tmp_path / "progan", random_arrays(widths=(5, 5, 5)), edit=edit)
    assert "its graph is not that of progan: layers share an array" in refused(folder)


def test_unused_array_is_refused(tmp_path):
    def edit(model, writer):
        writer.const("style", np.ones(3))

    folder, _, _ = write(tmp_path / "progan", edit=edit)
    assert "its graph is not that of progan: style is not used" in refused(folder)


def test_graph_without_end_is_refused(tmp_path):
    arrays = random_arrays(widths=(2,) * 12)
    folder, _, _ = write(tmp_path / "progan", arrays)
    assert "not that of progan: more than 22 layers" in refused(folder)


def test_truncated_files_are_refused(tmp_path):
    folder, model, _ = write(tmp_path / "progan", size=10**9)
    for name in ("model.json", paths(model)[0]):
        raw = (folder / name).read_bytes()
        for part in range(64):
            (folder / name).write_bytes(raw[: len(raw) * part // 64])
            refused(folder)
        (folder / name).write_bytes(raw)


def test_deep_or_long_json_is_refused(tmp_path):
    path = tmp_path / "model.json"
    path.write_text('{"a":' + "[" * 10**6)
    refused(tmp_path)
    path.write_bytes(b"{" + b" " * 2**24)
    assert "16,777,217 bytes, more than the 16,777,216 that are read" in refused(tmp_path)


def test_flipped_bytes_load_strictly_or_are_refused(tmp_path):
    folder, _, _ = write(tmp_path / "progan")
    raw, rng = (folder / "model.json").read_bytes(), np.random.default_rng(0)
    found = set()
    for _ in range(60):
        damaged = bytearray(raw)
        damaged[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        (folder / "model.json").write_bytes(bytes(damaged))
        try:
            found.add(importers.read(folder / "model.json").config["resolution"])
        except WeightsError as error:
            found.add(str(error))
    assert {f for f in found if not isinstance(f, str)} <= {16}
    assert any(isinstance(f, str) for f in found)
