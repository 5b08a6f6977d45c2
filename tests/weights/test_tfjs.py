"""TF-Hub's progan as a TensorFlow.js folder computes what the npz and the graph compute."""

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
from tests.weights.tfjs_files import SCOPE, npz, paths, random_arrays, write


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
