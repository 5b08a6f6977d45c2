"""ONNX files of strangers: each ends in one line that names the file, or is read correctly."""

import contextlib
import os
import time
import tracemalloc

import numpy as np
import pytest

from ganfail_jax.nn import onnx_graph
from ganfail_jax.weights import onnx_files, protobuf
from ganfail_jax.weights.errors import WeightsError
from tests.nn.onnx_cases import files
from tests.weights.onnx_written import (
    dense,
    encode,
    model,
    node,
    piece,
    tensor,
    value,
    varint,
)

W = tensor("W", np.ones((4, 3)))
BIG = 2**31 - 1
MEGABYTES = 64  # of Python and numpy objects, for files of less than 100 KB


def refusal(folder, content):
    """The line that a file ends in, soon and in little memory."""
    path = folder / "a.onnx"
    path.write_bytes(content if isinstance(content, bytes) else encode(content))
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError) as refused:
            onnx_graph.read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < 700
    assert peak < MEGABYTES * 2**20
    assert time.process_time() - start < 8
    return message.removeprefix(f"{path}: ")


def ints(name, *numbers):
    return tensor(name, np.array(numbers, np.int64))


def limits(end, step):
    return ints("a", 0), ints("b", end), ints("c", step)


def after(operator, inputs, *arrays, opset=18, **attributes):
    """A network that begins with this operator."""
    nodes = [node(operator, inputs, "z", **attributes), node("MatMul", "z W", "y")]
    return model(nodes, [W, *arrays], opset=opset)


STRUCTURE = {
    "empty": (b"", "not an ONNX model"),
    "text": (b"these are no weights, but words" * 9, "damaged"),
    "zip": (b"PK\x03\x04" + bytes(99), "damaged"),
    "no opset": ({"graph": dense()["graph"]}, "no version of its operators"),
    "opset 6": (model([node("Relu", "x", "y")], opset=6), "operators of version 6; known are 7"),
    "opset 99": (model([node("Relu", "x", "y")], opset=99), "operators of version 99"),
    "4 GB of a graph": (varint(7 << 3 | 2) + varint(2**32), "truncated: 4294967296 bytes"),
    "endless number": (b"\x38" + b"\xff" * 99, "a number does not end"),
    "two graphs": (encode(dense()) + piece(7, b""), "two values of graph"),
    "unknown operator": (
        model([node("Secret", "x", "y", domain="com.evil")]),
        "node 'y' (com.evil.Secret) is not one of the known operators",
    ),
    "control flow": (model([node("Loop", "x", "y")]), "node 'y' (Loop) is not one of the known"),
    "cycle": (
        model([node("Add", "x b", "a"), node("Add", "a x", "b"), node("MatMul", "b W", "y")], [W]),
        "node 'a' (Add) uses b, which is not computed before it",
    ),
    "own input": (model([node("Add", "x y", "y")]), "node 'y' (Add) uses y, which is not"),
    "nowhere": (model([node("Add", "x q", "y")]), "node 'y' (Add) uses q, which is not"),
    "computed twice": (
        model([node("Relu", "x", "y"), node("Relu", "x", "y")]),
        "y is computed by node 'y' (Relu), but defined elsewhere",
    ),
    "no such output": (model([node("Relu", "x", "z")]), "the output y is computed by no node"),
    "two outputs": (
        model(
            [node("MatMul", "x W", "y"), node("Relu", "y", "z")],
            [W],
            outputs=[value("y", (1, 3)), value("z", (1, 3))],
        ),
        "which of its 2 outputs is the logits? y, z",
    ),
    "two inputs": (
        model([node("Add", "x u", "y")], inputs=[value("x", (1, 4)), value("u", (1, 4))]),
        "one input, not 2: x, u",
    ),
    "no input": (model([node("Relu", "W", "y")], [W]), "one input, not 0"),
    "whole numbers": (
        model([node("Relu", "x", "y")], inputs=[value("x", (1, 4), 7)]),
        "the input x takes int64, not floats",
    ),
    "no image": (
        model([node("Relu", "x", "y")], inputs=[value("x", (4,))]),
        "the input x is not a batch of images",
    ),
    "a map for logits": (
        model([node("Relu", "x", "y")], inputs=[value("x", (1, 3, 2, 2))]),
        "the output has shape (1, 3, 2, 2), not one number for each class",
    ),
    "unknown attribute": (after("Relu", "x", slope=1), "node 'z' (Relu): the attribute slope"),
    "attribute of another type": (
        after("Softmax", "x", axis="1"),
        "node 'z' (Softmax): attribute axis is of another type",
    ),
    "training": (
        model(
            [node("BatchNormalization", "x s s s s", "y", training_mode=1)],
            [tensor("s", np.ones(4))],
        ),
        "training_mode=1 is not supported",
    ),
    "one number for four channels": (
        model(
            [node("BatchNormalization", "x s b b s", "y")],
            [tensor("s", np.ones(4)), tensor("b", np.ones(1))],
        ),
        "node 'y' (BatchNormalization): an array of shape (1,) for 4 channels",
    ),
    "slope larger than the image": (
        model([node("PRelu", "x s", "y")], [tensor("s", np.ones((3, 4)))]),
        "node 'y' (PRelu): a slope of shape (3, 4) for (1, 4)",
    ),
    "mask of Dropout": (
        model([node("Dropout", "x", "d m"), node("Where", "m x d", "y")]),
        "node 'y' (Where): m is an output that is not supported",
    ),
    "outputs without number": (
        model([node("Relu", "x", "y")], outputs=[value("y", (1, 4))] * 65),
        "more than 64 outputs",
    ),
    "negative variance": (
        model(
            [node("BatchNormalization", "x s s s v", "y")],
            [tensor("s", np.ones(4)), tensor("v", [1.0, -1, 1, 1])],
        ),
        "v has negative variances",
    ),
}
ARRAYS = {
    "shape beyond its bytes": (dense(dims=[BIG, BIG]), "W has 12 elements, but shape"),
    "too few bytes": (dense(raw_data=b"\0" * 40), "W has 10 elements, but shape (4, 3)"),
    "half a number": (dense(raw_data=b"\0" * 47), "W has 47 bytes"),
    "negative dimension": (dense(dims=[-4, -3]), "W has shape (-4, -3)"),
    "many dimensions": (dense(dims=[1] * 40), "W has shape (1, 1"),
    "unread type": (dense(data_type=17), "W is of a type that is not read (ONNX data type 17)"),
    "texts": (
        dense(data_type=8, string_data=[b"a"] * 12),
        "W holds texts",
    ),
    "nan": (dense(raw_data=np.full(12, np.nan, "<f4").tobytes()), "W is not finite"),
    "infinite": (dense(raw_data=np.full(12, -np.inf, "<f4").tobytes()), "W is not finite"),
    "one nan": (
        after("Add", "x n", tensor("n", np.array(np.nan))),
        "n is not finite",
    ),
    "nan constant": (
        model([node("Constant", "", "c", value=tensor("", [np.nan] * 4)), node("Add", "x c", "y")]),
        "c is not finite",
    ),
    "twice": (model([node("MatMul", "x W", "y")], [W, W]), "two arrays called W"),
    "wrong shape": (
        model([node("MatMul", "x W", "y")], [tensor("W", np.ones((5, 3)))]),
        "node 'y' (MatMul): ",
    ),
}
SIZES = {  # networks of a few hundred bytes that would make huge arrays
    "ConstantOfShape": after("ConstantOfShape", "s", ints("s", BIG, BIG)),
    "Expand": after("Expand", "x s", ints("s", BIG, BIG, 1, 4)),
    "Tile": after("Tile", "x s", ints("s", BIG, BIG)),
    "Range": after("Range", "a b c", *limits(2**50, 1)),
    "Range without end": after("Range", "a b c", *limits(9, 0)),
    "Pad": after("Pad", "x s", ints("s", 0, 2**40, 0, 2**40)),
    "cut": after("Pad", "x s", ints("s", 0, 2**40, 0, -(2**40))),
    "Resize": after("Resize", "x r r s", ints("s", 2**20, 2**30), tensor("r", np.zeros(0))),
    "scales": after("Resize", "x r s", tensor("s", [1.0, 1e30]), tensor("r", np.zeros(0))),
    "Add": model(
        [
            node("Range", "a b c", "r"),
            node("Unsqueeze", "r c", "u"),
            node("Mul", "r u", "m"),
            node("ReduceSum", "m", "t"),
            node("Cast", "t", "f", to=1),
            node("Add", "x f", "y"),
        ],
        limits(2**23, 1),
    ),
    "Concat": model(
        [node("Concat", f"v{i} " * 9, f"v{i + 1}", axis=0) for i in range(40)]
        + [node("ReduceSum", "v40", "t"), node("Add", "x t", "y")],
        [tensor("v0", np.ones(4))],
    ),
    "many": model(
        [node("ConstantOfShape", "s", f"v{i}") for i in range(100)]
        + [node("Sum", " ".join(f"v{i}" for i in range(100)), "t"), node("MatMul", "t x", "y")],
        [ints("s", 3, 2**20)],
    ),
    "Einsum": after("Einsum", "x x x x x", equation="ab,cd,ef,gh,ij->abcdefghij"),
    "MaxPool": model(
        [node("MaxPool", "x", "y", kernel_shape=[2**30, 1], pads=[2**30, 0, 2**30, 0])],
        inputs=[value("x", (1, 3, 4, 4))],
    ),
    "AveragePool": model(
        [node("AveragePool", "x", "y", kernel_shape=[1, 1], strides=[1, 0])],
        inputs=[value("x", (1, 3, 4, 4))],
    ),
    "Conv": model(
        [node("Conv", "x K", "y", pads=[2**40, 0, 0, 0])],
        [tensor("K", np.ones((3, 3, 1, 1)))],
        inputs=[value("x", (1, 3, 4, 4))],
    ),
    "ConvTranspose": model(
        [node("ConvTranspose", "x K", "y", strides=[2**30, 2**30])],
        [tensor("K", np.ones((3, 3, 1, 1)))],
        inputs=[value("x", (1, 3, 4, 4))],
    ),
    "input": model([node("Relu", "x", "y")], inputs=[value("x", (1, BIG, BIG))]),
    "batch": model([node("MatMul", "x W", "y")], [W], inputs=[value("x", (BIG, 4))]),
    "Split": model([node("Split", "x", "y z", split=[2**40, 4 - 2**40], axis=1)], opset=11),
    "DepthToSpace": model(
        [node("DepthToSpace", "x", "y", blocksize=0)], inputs=[value("x", (1, 3, 4, 4))]
    ),
    "LRN": model([node("LRN", "x", "y", size=2**40)], inputs=[value("x", (1, 3, 4, 4))]),
    "Gather": after("Gather", "x i", ints("i", *range(9)), axis=1),
    "Reshape": after("Reshape", "x s", ints("s", 2**40, 2**40)),
}


@pytest.mark.parametrize("name", [*STRUCTURE, *ARRAYS])
def test_what_is_wrong_is_said(name, tmp_path):
    content, message = {**STRUCTURE, **ARRAYS}[name]
    assert message in refusal(tmp_path, content)


@pytest.mark.parametrize("name", SIZES)
def test_no_file_makes_arrays_larger_than_a_network_has(name, tmp_path):
    refusal(tmp_path, SIZES[name])


def test_a_million_nodes_are_not_even_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 2_000)  # 200,000 take a second, without checks
    million = {"opset": dense()["opset"]}, piece(7, piece(1, b"") * 1_000_000)
    assert "more fields than a network has" in refusal(tmp_path, encode(million[0]) + million[1])
    monkeypatch.setattr(onnx_files, "MOST_NODES", 20)
    many = model([node("Relu", "x", "y")] * 21)
    assert "21 nodes; at most 20 are read" in refusal(tmp_path, many)


def external(location, **entries):
    pairs = {"location": location, **entries}
    data = [{"key": key, "value": text} for key, text in pairs.items()]
    changed = dense(data_location=1, external_data=data)
    del changed["graph"]["initializer"][0]["raw_data"]
    return changed


EXTERNAL = {
    "absolute": ({"location": "/etc/passwd"}, "outside of the file's folder: /etc/passwd"),
    "above": ({"location": "../secret"}, "outside of the file's folder: ../secret"),
    "around": ({"location": "sub/../../secret"}, "outside of the file's folder"),
    "link": ({"location": "link"}, "outside of the file's folder: link"),
    "linked folder": ({"location": "up/secret"}, "outside of the file's folder"),
    "missing": ({"location": "absent"}, "external data absent: No such file"),
    "pipe": ({"location": "pipe"}, "not a regular file"),
    "folder": ({"location": "."}, "Is a directory"),
    "no name": ({"location": ""}, "Is a directory"),
    "beyond": ({"location": "data", "offset": "8"}, "W has 11 elements"),
    "long": ({"location": "data", "length": "4294967296"}, "has 52 bytes, fewer than are used"),
    "far": ({"location": "data", "offset": str(2**60), "length": "48"}, "has 52 bytes, fewer"),
    "negative": ({"location": "data", "offset": "-4"}, "is not a number"),
    "no number": ({"location": "data", "offset": "9" * 5000}, "is not a number"),
}


@pytest.mark.parametrize("name", EXTERNAL)
def test_external_data_stays_within_the_folder(name, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(48))
    (folder / "data").write_bytes(bytes(52))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    entries, message = EXTERNAL[name]
    assert message in refusal(folder, external(**entries))


def test_external_data_is_read_and_counted_once(tmp_path):
    weights = np.arange(12, dtype="<f4")
    (tmp_path / "data").write_bytes(b"before!!" + weights.tobytes())
    (tmp_path / "a.onnx").write_bytes(encode(external("data", offset="8", length="48")))
    network = onnx_graph.read(tmp_path / "a.onnx")
    np.testing.assert_array_equal(network.params["W"], weights.reshape(4, 3))
    shared = external("data", offset="8", length="48")
    again = {**shared["graph"]["initializer"][0], "name": "V"}
    shared["graph"]["initializer"].append(again)
    assert "fewer than are used" in refusal(tmp_path, shared)


def test_truncated_and_damaged_files(tmp_path):
    """Every 1/64 of three files is refused; of 90 files with a wrong byte none does harm."""
    rng = np.random.default_rng(0)
    path = tmp_path / "a.onnx"
    nets = files("onnx_nets", "nets")
    for name in ("group_norm_torchscript_one", "residual_dynamo_one", "views_torchscript_any"):
        raw = nets[name]
        for part in range(1, 64):
            path.write_bytes(raw[: len(raw) * part // 64])
            with pytest.raises(WeightsError):
                onnx_graph.read(path)
        for _ in range(30):
            damaged = bytearray(raw)
            damaged[rng.integers(len(raw))] = rng.integers(256)
            path.write_bytes(damaged)
            with contextlib.suppress(WeightsError):
                onnx_graph.read(path)


def test_numbers_in_every_form(tmp_path):
    """Packed, one by one, in raw bytes: the same array."""
    numbers = np.array([0, 1, -1, 127, 128, 2**40, -(2**63), 2**63 - 1])
    decoder = protobuf.Decoder()
    schema = {7: protobuf.Field("n", "ints"), 4: protobuf.Field("f", "floats")}
    packed = piece(7, b"".join(varint(int(n)) for n in numbers))
    single = b"".join(varint(7 << 3) + varint(int(n)) for n in numbers)
    for raw in (packed, single, packed[:0] + packed):
        np.testing.assert_array_equal(decoder.message(memoryview(raw), schema)["n"], numbers)
    floats = np.array([0.5, -3], "<f4")
    single = b"".join(varint(4 << 3 | 5) + f.tobytes() for f in floats)
    for raw in (piece(4, floats.tobytes()), single):
        np.testing.assert_array_equal(decoder.message(memoryview(raw), schema)["f"], floats)
