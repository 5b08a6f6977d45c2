"""Writes TF-Hub's progan as a TensorFlow.js folder, in the structure of the published one."""

import json
from typing import Any

import numpy as np
import pytest

from ganfail_jax.weights import importers
from ganfail_jax.weights.errors import WeightsError

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


def weights(model):
    return model["weightsManifest"][0]["weights"]
