"""TF-Hub's progan as a TensorFlow.js folder, in the structure of the published one (at 128 px)."""

import json
import math
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.weights import importers
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import deviation

SCOPE = "module_apply_default/"
ONES = {"list": {"i": ["1", "1", "1", "1"]}}


def random_arrays(colours=3, widths=(6, 6, 4), z=5):
    """By the names of TF-Hub's npz; 4, 8 and 16 px."""
    rng, inputs, found = np.random.default_rng(1), z, {}
    for i, width in enumerate(widths):
        for j in (0, 1):
            size = 4 if i == j == 0 else 3
            found[f"res_{i}/conv{j}/kernel"] = rng.normal(size=(size, size, inputs, width)) / 3
            found[f"res_{i}/conv{j}/bias"] = rng.normal(size=width)
            inputs = width
    found["to_rgb/kernel"] = rng.normal(size=(1, 1, inputs, colours)) / 9
    found["to_rgb/bias"] = 0.5 + rng.normal(size=colours) / 9
    return {name: array.astype(np.float32) for name, array in found.items()}


class Writer:
    """The graph node by node, with the names that the converter gave them."""

    def __init__(self):
        self.nodes, self.weights, self.counts = [], {}, {}

    def number(self, name):
        """TensorFlow's names: add, add_1, add_2."""
        count = self.counts[name] = self.counts.get(name, -1) + 1
        return f"{SCOPE}{name}_{count}" if count else f"{SCOPE}{name}"

    def const(self, name, value, dtype: Any = np.float32):
        self.weights[name] = np.asarray(value, dtype)
        self.nodes.append({"name": name, "op": "Const"})
        return name

    def op(self, op, name, *inputs, **attr):
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attr})
        return name

    def norm(self, x):
        square = self.op("Square", self.number("Square"), x)
        name = self.number("Mean")
        axis = self.const(f"{name}/reduction_indices", [-1], np.int32)
        mean = self.op("Mean", name, square, axis, keep_dims={"b": True})
        name = self.number("add")
        total = self.op("Add", name, mean, self.const(f"{name}/y", 1e-8))
        return self.op("Mul", self.number("mul"), x, self.op("Rsqrt", self.number("Rsqrt"), total))

    def convolve(self, x, kernel, bias, bias_name, padding="U0FNRQ=="):
        attr = {"strides": ONES, "dilations": ONES, "padding": {"s": padding}}
        merged = self.const(f"{self.number('Conv2D')}/merged_input", kernel)
        x = self.op("Conv2D", self.number("mul"), x, merged, data_format={"s": "TkhXQw=="}, **attr)
        return self.op("Add", self.number("add"), x, self.const(bias_name, bias))

    def network(self, arrays):
        x = self.op("Placeholder", "latent_vector")
        z = arrays["res_0/conv0/kernel"].shape[2]
        for n in range((len(arrays) - 2) // 2):
            layer = f"res_{n // 2}/conv{n % 2}"
            x, padding = self.norm(x), "U0FNRQ=="
            if n == 0:
                shape = self.const(f"{SCOPE}Reshape/shape", [-1, 1, 1, z], np.int32)
                x = self.op("Reshape", f"{SCOPE}Reshape", x, shape)
                pads = self.const(f"{SCOPE}Pad/pads", [[0, 0], [3, 3], [3, 3], [0, 0]], np.int32)
                x, padding = self.op("Pad", f"{SCOPE}Pad", x, pads), "VkFMSUQ="
            elif n % 2 == 0:
                name = self.number("Tile")
                times = self.const(f"{name}/multiples", [4, 1, 1, 1], np.int32)
                x = self.op("Tile", name, x, times)
                name = self.number("BatchToSpaceND")
                block = self.const(f"{name}/block_shape", [2, 2], np.int32)
                crops = self.const(f"{name}/crops", np.zeros((2, 2)), np.int32)
                x = self.op("BatchToSpaceND", name, x, block, crops)
            kernel, bias = arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]
            x = self.convolve(x, kernel, bias, f"module/g_model/{layer}/bias", padding)
            name = self.number("LeakyRelu")
            scaled = self.op("Mul", f"{name}/mul", self.const(f"{name}/alpha", 0.2), x)
            x = self.op("Maximum", f"{name}/Maximum", scaled, x)
        name = f"{SCOPE}to_rgb"
        x = self.convolve(self.norm(x), arrays["to_rgb/kernel"], arrays["to_rgb/bias"], name)
        name = f"{SCOPE}clip_by_value_1"
        x = self.op("Minimum", f"{name}/Minimum", x, self.const(f"{name}/Minimum/y", 1.0))
        return self.op("Maximum", name, x, self.const(f"{name}/y", 0.0))


def write(folder, arrays=None, size=1000, edit=lambda model, writer: None):
    """The folder of a graph, in shards of `size` bytes."""
    writer = Writer()
    output = writer.network(random_arrays() if arrays is None else arrays)
    manifest = {"paths": [], "weights": []}
    model = {
        "format": "graph-model",
        "generatedBy": "2.4.0",
        "convertedBy": "TensorFlow.js Converter v2.8.3",
        "signature": {"outputs": {f"{output}:0": {"name": f"{output}:0", "dtype": "DT_FLOAT"}}},
        "modelTopology": {"node": writer.nodes, "library": {}, "versions": {}},
        "weightsManifest": [manifest],
    }
    edit(model, writer)
    for name, value in writer.weights.items():
        array, rule = value if isinstance(value, tuple) else (value, None)
        entry = {"name": name, "shape": list(array.shape), "dtype": "float32"}
        if array.dtype == np.int32:
            entry["dtype"] = "int32"
        manifest["weights"].append(entry | ({"quantization": rule} if rule else {}))
        writer.weights[name] = array
    data = b"".join(array.tobytes() for array in writer.weights.values())
    shards = [data[at : at + size] for at in range(0, len(data), size)]
    folder.mkdir(exist_ok=True)
    for n, shard in enumerate(shards, 1):
        manifest["paths"].append(f"group1-shard{n}of{len(shards)}.bin")
        (folder / manifest["paths"][-1]).write_bytes(shard)
    (folder / "model.json").write_text(json.dumps(model))
    return folder, model, writer


def npz(folder, arrays):
    np.savez(folder / "reference.npz", allow_pickle=False, **arrays)
    return importers.read(folder / "reference.npz")


@pytest.mark.parametrize(
    ("colours", "widths", "z", "size"),
    [(3, (6, 6, 4), 5, 1000), (1, (8, 8, 8, 8), 3, 10**9), (3, (4, 2), 7, 7)],
)
def test_it_is_the_network_of_the_npz(colours, widths, z, size, tmp_path):
    arrays = random_arrays(colours, widths, z)
    folder, _, _ = write(tmp_path / "progan", arrays, size)
    found, wanted = importers.read(folder / "model.json"), npz(tmp_path, arrays)
    assert found.config == wanted.config
    assert found.config["resolution"] == 4 * 2 ** (len(widths) - 1)
    assert found.about["format"] == "TF-Hub progan in TensorFlow.js"
    assert found.arrays.keys() == wanted.arrays.keys()
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def evaluate(model, weights, z):
    """The graph by TensorFlow's definitions, in float64."""

    def batch_to_space(x, block, _):
        rows, columns = block
        batch, h, w, c = len(x) // (rows * columns), *x.shape[1:]
        x = x.reshape(rows, columns, batch, h, w, c).transpose(2, 3, 0, 4, 1, 5)
        return x.reshape(batch, h * rows, w * columns, c)

    def conv(inputs, attr):
        x, kernel = inputs
        if attr["padding"]["s"] == "U0FNRQ==":
            half = kernel.shape[0] // 2
            x = np.pad(x, [(0, 0), (half, half), (half, half), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))
        return np.einsum("bhwiyx,yxio->bhwo", windows, kernel)

    functions: dict[str, Any] = {
        "Square": np.square,
        "Mean": lambda x, axis: np.mean(x, tuple(axis), keepdims=True),
        "Rsqrt": lambda x: 1 / np.sqrt(x),
        "Reshape": lambda x, shape: x.reshape(shape),
        "BatchToSpaceND": batch_to_space,
        **{"Add": np.add, "Mul": np.multiply, "Pad": np.pad, "Tile": np.tile},
        **{"Maximum": np.maximum, "Minimum": np.minimum},
    }
    values = {"latent_vector": z.astype(np.float64)}
    for node in model["modelTopology"]["node"]:
        name, inputs = node["name"], [values[i] for i in node.get("input", ())]
        if node["op"] == "Conv2D":
            values[name] = conv(inputs, node["attr"])
        elif node["op"] == "Const":
            values[name] = weights[name]
        elif node["op"] != "Placeholder":
            values[name] = functions[node["op"]](*inputs)
    return values


def test_the_network_computes_what_the_graph_computes(tmp_path):
    folder, model, writer = write(tmp_path / "progan")
    z = np.random.default_rng(3).normal(size=(2, 5)).astype(np.float32)
    values = evaluate(model, writer.weights, z)
    generator, params = zoo.load_generator(str(folder))
    image, taps = jax.jit(generator.synthesize)(params, generator.styles(params, jnp.asarray(z)))
    wanted = values[f"{SCOPE}clip_by_value_1"]
    assert 0 < np.mean((wanted == 0) | (wanted == 1)) < 0.5  # some are clipped, most are not
    assert deviation(np.clip((np.asarray(image) + 1) / 2, 0, 1), wanted) < 1e-4
    for n, name in enumerate(generator.layers):
        wanted = values[f"{SCOPE}LeakyRelu{f'_{n}' if n else ''}/Maximum"]
        assert deviation(np.asarray(taps[name]), wanted) < 1e-4, name


def test_quantised_arrays_are_the_numbers_that_they_stand_for(tmp_path):
    arrays = random_arrays()
    rules = {}

    def edit(model, writer):
        for name, array in writer.weights.items():
            if array.ndim == 4:
                code = ("uint8", "uint16", "float16")[len(rules) % 3]
                rule = {"dtype": code, "original_dtype": "float32"}
                steps = {"uint8": 255, "uint16": 65535, "float16": None}[code]
                if steps:
                    low, span = float(array.min()), float(np.ptp(array))
                    rule |= {"min": low, "scale": span / steps}
                    array = np.round((array - low) / span * steps)
                rules[name] = rule
                writer.weights[name] = array.astype(code), rule

    folder, _, _ = write(tmp_path / "progan", arrays, edit=edit)
    found, wanted = importers.read(folder / "model.json"), npz(tmp_path, arrays)
    assert len(rules) == 7
    coarse = {"uint8": 255, "uint16": 65535, "float16": 2000}
    kernels = [name for name in wanted.arrays if name.endswith("weight")]
    for name, rule in zip(kernels, rules.values(), strict=True):
        exact = wanted.arrays[name]
        error = np.abs(found.arrays[name] - exact).max() / np.ptp(exact)
        assert 0 < error < 0.51 / coarse[rule["dtype"]], name


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


def test_numbers_beyond_float32_become_infinite_without_a_warning(tmp_path):
    """In the npz, which may hold float64."""
    arrays = random_arrays()
    for name in ("res_0/conv0/bias", "res_0/conv1/kernel", "to_rgb/bias"):
        arrays[name] = np.full(arrays[name].shape, 1e300)
    found = npz(tmp_path, arrays).arrays
    for name in ("b0004_conv0/bias", "b0004_conv1/weight", "b0016_torgb/bias"):
        assert np.all(found[f"params/{name}"] == np.inf)


def test_half_precision_is_converted_before_anything_is_subtracted(tmp_path):
    arrays = random_arrays()
    arrays["to_rgb/bias"][:] = 0.01, 0.1, 3  # 2 * 0.01 - 1 has more digits than float16
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    exact = {name: array.astype(np.float32) for name, array in half.items()}
    found, wanted = npz(tmp_path, half), npz(tmp_path, exact)
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def test_second_name_of_an_array_is_refused(tmp_path):
    arrays = random_arrays()
    arrays["res_00/conv0/bias"] = arrays["res_0/conv0/bias"] + 1
    with pytest.raises(WeightsError, match="unexpected res_00/conv0/bias: not of TF-Hub's progan"):
        npz(tmp_path, arrays)


def test_folder_and_its_file_are_the_same_generator_and_read_anew_when_a_shard_changes(tmp_path):
    folder, model, _ = write(tmp_path / "progan")
    first = zoo.read_generator(str(folder))
    assert zoo.read_generator(str(folder / "model.json")) is first
    path = folder / model["weightsManifest"][0]["paths"][-1]
    data = path.read_bytes()
    path.write_bytes(data[:-8] + np.float32(0.25).tobytes() + data[-4:])
    os.utime(path, ns=(1, 1))
    with pytest.raises(WeightsError, match="its graph is not that of progan at"):
        zoo.read_generator(str(folder))
    path.write_bytes(data)
    again = zoo.read_generator(str(folder))
    assert again is not first
    assert again.sha256 == first.sha256
    kernel = folder / model["weightsManifest"][0]["paths"][0]
    kernel.write_bytes(kernel.read_bytes()[::-1])
    with pytest.raises(WeightsError, match="its graph is not that of progan at"):
        zoo.read_generator(str(folder))


def linked(folder):
    """To it from a folder without shards."""
    link = folder.parent / "link"
    link.mkdir()
    (link / "model.json").symlink_to(folder / "model.json")
    return link


def renamed(folder):
    return (folder / "model.json").rename(folder / "progan.json")


@pytest.mark.parametrize("reached", [linked, renamed])
def test_model_reached_in_another_way_is_read_anew_when_a_shard_changes(reached, tmp_path):
    arrays = random_arrays()
    folder, model, _ = write(tmp_path / "progan", arrays)
    arrays["res_1/conv1/bias"] = arrays["res_1/conv1/bias"] + 1
    changed, _, _ = write(tmp_path / "changed", arrays)
    path = str(reached(folder))
    first = zoo.read_generator(path)
    assert zoo.read_generator(path) is first
    for shard in paths(model):
        (changed / shard).replace(folder / shard)
    name = "params/b0008_conv1/bias"
    again = zoo.read_generator(path)
    np.testing.assert_array_equal(again.arrays[name], arrays["res_1/conv1/bias"])
    assert again.sha256 != first.sha256


def test_links_beside_the_shards_do_not_matter(tmp_path):
    folder, _, _ = write(tmp_path / "progan")
    (folder / "long").symlink_to("a" * 300)
    (folder / "loop").symlink_to("loop")
    (folder / "nowhere").symlink_to("nothing")
    assert zoo.read_generator(str(folder)).kind == "pggan"


def test_hash_is_of_every_shard(tmp_path):
    arrays = random_arrays()
    first = importers.read(write(tmp_path / "a", arrays)[0] / "model.json").sha256
    assert importers.read(write(tmp_path / "b", arrays)[0] / "model.json").sha256 == first
    arrays["res_1/conv1/bias"] = arrays["res_1/conv1/bias"] + 1
    assert importers.read(write(tmp_path / "c", arrays)[0] / "model.json").sha256 != first


def test_a_folder_of_something_else_says_what_it_lacks(tmp_path):
    with pytest.raises(WeightsError, match="is no generator: neither it nor its best/ or latest/"):
        zoo.load_generator(str(tmp_path))
    folder, _, _ = write(tmp_path / "progan")
    with pytest.raises(WeightsError, match="is no classifier: neither it nor its best/"):
        zoo.load_classifier(str(folder))


def refused(folder):
    with pytest.raises(WeightsError) as found:
        importers.read(folder / "model.json")
    assert "\n" not in str(found.value)
    return str(found.value)


def rewrite(folder, change):
    model = json.loads((folder / "model.json").read_text())
    change(model)
    (folder / "model.json").write_text(json.dumps(model))


def paths(model):
    return model["weightsManifest"][0]["paths"]


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


def weights(model):
    return model["weightsManifest"][0]["weights"]


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
    path.write_bytes(b"{" + b" " * 2**22)
    assert "more than 4194304 bytes of JSON" in refused(tmp_path)


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
