"""Published formats against the reference's own outputs, and files that want to do harm.

Tolerances: 1e-4 standard deviations, float32 sums in another order (genforce's StyleGAN2 scales its
weights before the demodulation's epsilon, which shows below 1e-5).
"""

import io
import os
import pickle
import re
import threading
import zipfile
from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganfail_jax import zoo
from ganfail_jax.nn import stylegan2
from ganfail_jax.weights import importers, numpy_pickles, nvidia, pickles, torch_files
from ganfail_jax.weights.errors import WeightsError
from tests.goldens import FOLDER, deviation, load, nhwc, our_name

ADA = FOLDER / "stylegan2_ada_cond_gray32.pkl"
GENFORCE = FOLDER / "genforce_stylegan2_rgb64.pth"
PGGAN = FOLDER / "genforce_pggan_rgb64.pth"
FILES = (ADA, GENFORCE, PGGAN)


def activations(arrays):
    """The reference's activations of convolutions, in forward order."""
    chosen = [name for name in arrays if re.fullmatch(r"activation/.*(layer|conv)\d+", name)]
    return [nhwc(arrays[name]) for name in chosen]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_activation_and_the_image_match_the_reference(path):
    generator, params = zoo.load_generator(str(path))
    _, arrays = load(path.stem)
    label = jnp.asarray(arrays["c"]) if "c" in arrays else None
    assert generator.num_classes == (0 if label is None else label.shape[1])

    @jax.jit
    def run(params, z):
        styles = generator.styles(params, z, label)
        return styles, *generator.synthesize(params, styles)

    styles, image, taps = run(params, jnp.asarray(arrays["z"]))
    assert deviation(image, nhwc(arrays["image"])) < 1e-4
    reference = activations(arrays)
    assert len(reference) == len(generator.layers)
    for name, values in zip(generator.layers, reference, strict=True):
        assert deviation(taps[name], values) < 1e-4, name
    for name, values in arrays.items():
        if name.endswith(".affine") and name.startswith("style/"):
            assert deviation(styles[our_name(name[6:])], values) < 1e-4


def test_checkpoint_of_genforces_trainer_is_the_same_generator(tmp_path):
    """It has one more level: {"models": {"generator_smooth": ...}, ...}."""
    path = tmp_path / "checkpoint.pth"
    with zipfile.ZipFile(PGGAN) as archive, zipfile.ZipFile(path, "w") as wrapped:
        for name in archive.namelist():
            data = archive.read(name)
            if name.endswith("data.pkl"):
                assert data[:2] == b"\x80\x02"
                data = b"\x80\x02}X\x06\0\0\0models" + data[2:-1] + b"s."
            wrapped.writestr(name, data)
    found, wanted = importers.read(path), importers.read(PGGAN)
    assert found.config == wanted.config
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array)


@pytest.mark.parametrize("name", ["G_ema", "ema_G"])
def test_a_snapshot_without_the_average_is_told(name, tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes(ADA.read_bytes().replace(b"\x05G_ema", b"\x05" + name.encode()))
    remark = f"network {name}, which is not called an average; in the file: {name}"
    assert importers.read(path).about.get("remarks") == (None if name == "G_ema" else remark)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_containers_are_read_in_every_protocol(protocol):
    wanted = {"a": set(), "b": {1, 2}, "c": [1.5, None, (True, b"x")], "d": OrderedDict(e=2**40)}
    raw = pickle.dumps(wanted, protocol)
    budget = pickles.Budget(len(raw))
    assert pickles.read(io.BytesIO(raw), torch_files.table(budget), budget) == wanted


def test_arrays_of_numpy_are_read_in_every_protocol():
    for array in (np.arange(6.0).reshape(2, 3), np.asfortranarray(np.ones((2, 3), ">i4"))):
        for protocol in (2, 3, 4, 5):
            raw = pickle.dumps(array, protocol)
            budget = pickles.Budget(len(raw))
            found = pickles.read(io.BytesIO(raw), numpy_pickles.table(budget), budget)
            np.testing.assert_array_equal(found.values, array)


@pytest.mark.parametrize("state", ["<<" + "x" * 100, (3, "<", *[None] * 100), (3,)])
def test_dtype_of_another_state_is_refused(state):
    """A state that is read a thousand times costs its length each time."""
    raw = pickle.dumps(WithState(state, np.dtype, "f4"), 2)
    budget = pickles.Budget(len(raw))
    with pytest.raises(WeightsError, match="a dtype without a proper state"):
        pickles.read(io.BytesIO(raw), numpy_pickles.table(budget), budget)


def test_file_is_read_anew_when_it_changes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(PGGAN.read_bytes())
    assert zoo.read_generator(str(path)).kind == "pggan"
    path.write_bytes(ADA.read_bytes())
    assert zoo.read_generator(str(path)).kind == "stylegan2"


def test_truncation_of_genforce_is_ours():
    generator, params = zoo.load_generator(str(GENFORCE))
    _, arrays = load(GENFORCE.stem)
    styles = generator.styles(params, jnp.asarray(arrays["z"]), None, 0.7, 4)  # pyright: ignore
    image, _ = jax.jit(generator.synthesize)(params, styles)
    assert deviation(image, nhwc(arrays["image_psi0.7_layers4"])) < 1e-4


def reference_arrays(variables):
    """Zeros by NVIDIA's names and in its layout (out, in, ...), without memory of their own."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        name = ".".join(key.key for key in path[1:])
        name = "mapping.w_avg" if name == "w_avg" else re.sub(r"\bb0*(\d)", r"b\1", name)
        shape = leaf.shape[-1:] + leaf.shape[-2:-1] + leaf.shape[:-2]
        found[name] = np.broadcast_to(np.float32(0), shape)
    return found


@pytest.mark.parametrize(
    ("resolution", "base", "widest", "classes", "layers"),
    [(1024, 32768, 512, 0, 8), (256, 16384, 512, 7, 2), (8, 64, 8, 3, 1), (4, 20, 5, 0, 4)],
)
def test_architecture_is_read_from_names_and_shapes(resolution, base, widest, classes, layers):
    wanted = stylegan2.StyleGAN2Config(
        *(resolution, 3, classes, 48, 64, layers),
        channel_base=base,
        channel_max=widest,
        conv_clamp=256.0,
    )
    variables = jax.eval_shape(lambda: stylegan2.init(wanted, jax.random.key(0)))
    found = nvidia.infer_config(reference_arrays(variables), 256.0)
    sizes = [found.channels(r) for r in found.resolutions]
    assert sizes == [wanted.channels(r) for r in wanted.resolutions]
    for name in ("resolution", "img_channels", "num_classes", "z_dim", "w_dim", "mapping_layers"):
        assert getattr(found, name) == getattr(wanted, name), name


# Files that want to do harm


class Call:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.made_of = function, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self.made_of


class WithState(Call):
    def __init__(self, state, function, *args):
        super().__init__(function, *args)
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        return (*self.made_of, self.state)


def zipped(payload, **entries):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
        for name, data in entries.items():
            archive.writestr(name, data)
    return raw.getvalue()


def blob(payload):
    """A pickle whose nested torch blob is the payload."""
    head = b"\x80\x02ctorch.storage\n_load_from_bytes\n"
    return head + b"B" + len(payload).to_bytes(4, "little") + payload + b"\x85R."


def harmful(canary):
    shell = pickle.dumps(Call(os.system, f"touch {canary}"))
    with_state = pickle.dumps(WithState({"state": 1}, os.system, f"touch {canary}"))
    code = pickle.dumps(Call(eval, f"open({str(canary)!r}, 'w')"))
    return {
        "os.system": (shell, "posix.system is not a name that a checkpoint needs"),
        "eval": (code, "builtins.eval is not a name"),
        "state": (with_state, "posix.system is not"),
        "text pickle": (b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR.", "no known"),
        "nested": (blob(shell), "is not a name"),
        "nested twice": (blob(blob(code)), "torch.storage._load_from_bytes is not a name"),
        "legacy": (torch_files.LEGACY_START + b"\x80\x02K\x01.\x80\x02}." + shell, "posix.system"),
        "zip": (zipped(shell), "posix.system is not"),
        "getattr": (b"\x80\x02c__builtin__\ngetattr\n.", "__builtin__.getattr is not a name"),
        "persistent id": (b"\x80\x02X\x01\0\0\0aQ.", "a persistent id, but this kind of file"),
        "extension": (b"\x80\x02\x82\x01.", "the opcode EXT1"),
        "long": (b"\x80\x02\x8b\xff\xff\xff\x7f\x01.", "refused at byte 2"),
        "bytes": (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0fa.", "refused at byte 2"),
        "memo": (b"\x80\x02Nr\xff\xff\xff\x7f.", "no StyleGAN2 generator"),
        "compressed": (compressed_bomb(), "compressed entries"),
        "colliding keys": (colliding_keys(), "a key that is no short text or number"),
        "huge number": (
            b"\x80\x02\x8b" + (10**6).to_bytes(4, "little") + b"\1" * 10**6 + b".",
            "a number",
        ),
        "one blob a thousand times": (repeated_blob(), "the same part of the file again and again"),
        "opcodes": (b"\x80\x02" + b"N0" * 10**5 + b"N.", "more opcodes than a checkpoint"),
        "line break": (zipped(pickle.dumps({"generator": {"a\nb": 1}})), "a b is no tensor"),
        "escape": (
            zipped(b"\x80\x02}.", **{"../../escaped": b"x"}),
            "there is no generator_smooth, g_ema, ",
        ),
    }


def colliding_keys():
    """Integers with one hash: a dictionary of n of them would take n ** 2 steps."""
    numbers = (k * (2**61 - 1) for k in range(1, 9))
    keys = (b"\x8a\x09" + n.to_bytes(9, "little") for n in numbers)
    return b"\x80\x02}(" + b"".join(key + b"N" for key in keys) + b"u."


def repeated_blob():
    """A blob kept in the memo and read a thousand times."""
    empty = torch_files.LEGACY_START + b"\x80\x02K\x01.\x80\x02}.\x80\x02}.\x80\x02]."
    empty += b"\0" * 10_000
    head = b"\x80\x02ctorch.storage\n_load_from_bytes\nq\0B" + len(empty).to_bytes(4, "little")
    return head + empty + b"q\x01" + b"h\0h\x01\x85R0" * 1_000 + b"."


def compressed_bomb():
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**7)
    return raw.getvalue()


NAMES = list(harmful("canary"))


@pytest.mark.parametrize("name", NAMES)
def test_harmful_file_is_refused_in_one_line_and_never_run(name, tmp_path):
    canary = tmp_path / "canary"
    raw, message = harmful(canary)[name]
    path = tmp_path / "folder" / "file.pkl"
    path.parent.mkdir()
    path.write_bytes(raw)
    with pytest.raises(WeightsError) as refused:
        zoo.load_generator(str(path))
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == [path.parent, path]


def test_the_payload_would_have_run(tmp_path):
    """Else the tests above would prove nothing."""
    pickle.loads(harmful(tmp_path / "canary")["os.system"][0])
    assert (tmp_path / "canary").exists()


def outcome(path, raw):
    """Loaded, or the one line of the refusal; anything else is raised."""
    path.write_bytes(raw)
    try:
        return importers.read(path).config["resolution"]
    except WeightsError as refused:
        return str(refused)


@pytest.mark.parametrize("source", FILES, ids=lambda path: path.stem)
def test_truncated_file_is_refused(source, tmp_path):
    raw = source.read_bytes()
    for part in range(64):
        found = outcome(tmp_path / "file", raw[: len(raw) * part // 64])
        assert isinstance(found, str), part
        assert "\n" not in found


@pytest.mark.slow
@pytest.mark.parametrize("source", FILES, ids=lambda path: path.stem)
def test_flipped_bytes_load_strictly_or_are_refused(source, tmp_path):
    raw, rng = source.read_bytes(), np.random.default_rng(0)
    resolution = importers.read(source).config["resolution"]
    found = []
    for _ in range(60):
        damaged = bytearray(raw)
        damaged[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        found.append(outcome(tmp_path / "file", bytes(damaged)))
    assert {f for f in found if not isinstance(f, str)} <= {resolution}
    assert any(isinstance(f, str) for f in found)


def test_damaged_entry_of_a_zip_archive_is_named(tmp_path):
    raw = GENFORCE.read_bytes()
    with zipfile.ZipFile(GENFORCE) as archive:
        storages = [info for info in archive.infolist() if "/data/" in info.filename]
    entry = max(storages, key=lambda info: info.file_size)
    within = bytearray(raw)
    within[entry.header_offset + entry.file_size // 2] ^= 1
    found = outcome(tmp_path / "file", bytes(within))
    assert found.endswith(f"a zip archive whose entry {entry.filename} is damaged")
    before = bytearray(raw)
    before[entry.header_offset] ^= 1
    found = outcome(tmp_path / "file", bytes(before))
    assert found.endswith(f"a zip archive without its entry {entry.filename}")


@pytest.mark.parametrize("source", FILES, ids=lambda path: path.stem)
def test_what_is_kept_does_not_keep_the_files_bytes(source):
    for name, array in importers.read(source).arrays.items():
        assert array.flags.owndata, name
        assert array.flags.c_contiguous, name
        assert array.dtype == np.float32, name


def test_unknown_file_says_what_is_known(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"GIF89a")
    with pytest.raises(WeightsError, match="no known format; known are NVIDIA's"):
        importers.read(path)
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        importers.read(tmp_path / "nothing")


@pytest.fixture
def pipe(tmp_path):
    """One whose other end nobody holds; a reader that waits for it gets nothing after a while."""
    path = tmp_path / "pipe.pkl"
    os.mkfifo(path)
    rescue = threading.Timer(5, path.write_bytes, [b""])
    rescue.start()
    yield path
    rescue.cancel()


def test_pipes_and_devices_are_no_files(pipe, tmp_path):
    device = tmp_path / "device.pkl"
    device.symlink_to("/dev/null")  # others, such as /dev/zero, would never end
    for path in (pipe, device):
        with pytest.raises(WeightsError, match=f"{path}: not a regular file"):
            importers.read(path)


def test_name_of_a_file_is_printable_in_messages(tmp_path):
    path = tmp_path / "evil\n\x1b[31mname.pkl"
    for message in (" cannot be read: No such file", ": no known format; known are"):
        with pytest.raises(WeightsError) as refused:
            importers.read(path)
        assert f"evil \\x1b[31mname.pkl{message}" in str(refused.value)
        assert str(refused.value).isprintable()
        path.write_bytes(b"GIF89a")
