"""Every file is read by one road: regular ones alone, bounded, as data; anything else is a line."""

import ast
import io
import os
import threading
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganfail_jax import files, npz
from ganfail_jax.errors import InputError, one_line
from ganfail_jax.files import FileError
from tests.test_shape import ROOT, SOURCES

READS = ("open", "read_bytes", "read_text", "fromfile", "memmap", "loadtxt", "genfromtxt")
PARSERS = (
    *("np.load", "json.load", "json.loads", "csv.reader", "csv.DictReader", "zipfile.ZipFile"),
    *("gzip.open", "gzip.decompress", "pickle.load", "pickle.loads", "ast.literal_eval"),
    *("np.lib.format.read_array", "npy.read_array"),
)
ROADS = {  # the only calls that open or parse a file -> why
    "files.py: open": "the road",
    "files.py: os.open": "the road",
    "files.py: json.loads": "the road",
    "npz.py: zipfile.ZipFile": "the road",
    "npz.py: opened.open": "an entry of an archive in memory",
    "data/pictures.py: Image.open": "what files.opened gave, or an entry of an archive",
    "data/zip_source.py: zipfile.ZipFile": "pictures, which may be more than memory holds",
    "data/zip_source.py: archive.open": "an entry of it, of bounded size",
    "data/label_table.py: csv.DictReader": "what files.read gave, of bounded length",
    "data/mnist.py: gzip.decompress": "bytes of a known MD5",
    "data/label_store.py: os.open": "locks, and the folder to sync",
    "data/label_store.py: open": "to write",
    "metrics/feature_cache.py: new.open": "to write",
    "metrics/feature_cache.py: np.load": "the header of our own file",
    "memory.py: file.read_text": "the kernel's, of limits",
    "cli/main.py: os.open": "the null device",
    "hosts.py: open": "the null device",
    "cli/index.py: (folder / f'{name}.py').read_text": "our own sources",
    "labelling/server.py: (PAGE / name).read_bytes": "our own page",
    "results.py: json.loads": "what was just written",
    "results.py: path.open": "what was just written, to hash",
    "writing.py: os.open": "locks",
    "training/classifier.py: json.loads": "what was just written",
}


def calls(path: Path) -> set[str]:
    called = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))
    names = {ast.unparse(node.func) for node in called}
    return {n for n in names if n in PARSERS or n.rpartition(".")[2] in READS}


def test_nothing_is_read_by_another_road():
    roads = {
        f"{path.relative_to(ROOT / 'ganfail_jax')}: {name}"
        for path in SOURCES
        for name in calls(path)
    }
    assert roads == {*ROADS}


def refusal(path, act):
    with pytest.raises(InputError) as refused, files.refusals(path, InputError):
        act(path)
    assert str(refused.value).isprintable()
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "absent cannot be read: No such file or directory"),
        ("", "cannot be read: Is a directory"),
        ("loop", "loop cannot be read: Too many levels of symbolic links"),
        ("pipe", "pipe: not a regular file"),
        ("device", "device: not a regular file"),
        ("long" * 100, "cannot be read: File name too long"),
        ("nu\0ll", "nu\\x00ll: embedded null byte"),
        ("line\n\x1b[2Jbreak", "line \\x1b[2Jbreak cannot be read: No such file or directory"),
        ("surro\ud800gate", "surro\\ud800gate: 'utf-8' codec can't encode character"),
        ("large", "large: 4,294,967,297 bytes, more than the 4,294,967,296 that are read"),
    ],
)
def test_paths_that_are_not_regular_files(name, message, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "device").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(files.LARGEST + 1)
    rescue = threading.Timer(5, (tmp_path / "pipe").write_bytes, [b""])  # of one that waits
    rescue.start()
    assert message in refusal(tmp_path / name, files.read)
    rescue.cancel()


def test_contents_of_a_regular_file(tmp_path):
    (tmp_path / "file").write_bytes(b"\0\1\2")
    (tmp_path / "link").symlink_to("file")
    assert files.read(tmp_path / "link") == b"\0\1\2"


def test_errors_and_warnings_within(tmp_path):
    def long(_):
        raise KeyError("a\nb" + "c" * 10_000)

    def warn(_):
        warnings.warn("shown", stacklevel=1)
        np.multiply(np.float32(1e30), np.float32(1e30))
        raise FileError("no weights")

    assert refusal(tmp_path, long).startswith(f"{tmp_path}: 'a\\nbccc")
    assert len(refusal(tmp_path, long)) < 1_000
    assert refusal(tmp_path, warn) == f"{tmp_path}: no weights"


BAD_JSON = [
    (b"", "not JSON: Expecting value"),
    (b'{"a": 1', "not JSON"),
    (b'{"a": 1, "b": {"x": 1, "x": 1}}', "JSON with two values of x"),
    (b"[" * 101 + b"]" * 101, "JSON that nests more than 100 deep"),
    (b'{"a":' * 101 + b"1" + b"}" * 101, "JSON that nests more than 100 deep"),
    (b"[" * 10**6, "JSON that nests more than 100 deep"),
    (b'{"a": "\\ud800"}', "not JSON: 'utf-8' codec can't encode"),
    (b'{"\\ud800": 1}', "not JSON: 'utf-8' codec can't encode"),
    (b'"\xff"', "not JSON: 'utf-8' codec can't decode"),
    (b"9" * 5_000, "not JSON: Exceeds the limit"),
]


@pytest.mark.parametrize(("content", "message"), BAD_JSON, ids=range(len(BAD_JSON)))
def test_json_that_is_refused(content, message, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(FileError, match=message):
        files.read_json(tmp_path / "a.json")


def test_json_that_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(("\ufeff" + "[" * 100 + '"\u2192"' + "]" * 100).encode())
    content = files.read_json(tmp_path / "a.json")
    for _ in range(100):
        (content,) = content
    assert content == "\u2192"


ARRAYS = {  # names as numpy's savez has them
    "float": np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big_endian": np.arange(5, dtype=">i4"),
    "text": np.array([["a", "\u2192\U0001f600"], ["", "abc"]]),
    "scalar": np.asarray(3),
    "switch": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float16),
    "no text": np.zeros(0, "U3"),
    "complex": np.ones(2, np.complex64),
    "nested/name": np.arange(3, dtype=np.uint8),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_reads_them(save):
    written = io.BytesIO()
    save(written, allow_pickle=False, **ARRAYS)
    arrays = npz.read(written.getvalue(), len(written.getvalue()) + 10_000)
    assert arrays.keys() == ARRAYS.keys()
    for name, wanted in np.load(io.BytesIO(written.getvalue())).items():
        np.testing.assert_array_equal(arrays[name], wanted, strict=True)
        assert arrays[name].flags.writeable
        assert arrays[name].flags.f_contiguous == wanted.flags.f_contiguous


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_an_array_of_each_version_is_read(version, tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, ARRAYS["float"], version)
    np.testing.assert_array_equal(npz.read_array(tmp_path / "a.npy"), ARRAYS["float"])


def header(text, body=b"", version=b"\1\0"):
    length = len(text).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + length + text + body


PLAIN = b"{'descr': '%b', 'fortran_order': False, 'shape': (%b), }\n"
BAD_ARRAYS = [
    (b"", "something else than an array in numpy's format"),
    (b"PK\3\4", "something else than an array in numpy's format"),
    (header(PLAIN % (b"<f4", b"2,"), bytes(8), b"\3\0"), "in numpy's format"),
    (header(PLAIN % (b"<f4", b"2,"), bytes(7)), "data do not match its shape and type"),
    (header(PLAIN % (b"<f4", b"2,"), bytes(9)), "data do not match its shape and type"),
    (header(PLAIN % (b"<f4", b"9" * 30), bytes(8)), "data do not match its shape and type"),
    (header(PLAIN % (b"<U99999999", b"9" * 9)), "data do not match its shape and type"),
    (header(PLAIN % (b"<f4", b"0," * 99)), "truncated or damaged: "),
    (header(PLAIN % (b"<f4", b"0, " + b"9" * 30)), "truncated or damaged: "),
    (header(PLAIN % (b"<f3", b"1,"), bytes(3)), "truncated or damaged: "),
    (header(PLAIN % (b"|O", b"1,"), bytes(8)), "something else than plain numbers or text"),
    (header(PLAIN % (b"|V4", b"1,"), bytes(4)), "something else than plain numbers or text"),
    (header(PLAIN % (b"<f4", b"-1,"), bytes(4)), "something else than plain numbers or text"),
    (header(PLAIN.replace(b"'%b'", b"[('a', '%b')]") % (b"<f4", b"1,")), "something else than"),
    (header(b"(" * 9_000), "something else than plain numbers or text"),
    (header(b"{'descr': '<f4", bytes(9)), "something else than plain numbers or text"),
    (header(b"x" * 70_000, version=b"\2\0"), "something else than plain numbers or text"),
    (header(PLAIN % (b"<U1", b"1,"), b"\0\0\x11\0"), "text that is not Unicode"),
    (header(PLAIN % (b"<U1", b"1,"), b"\0\xd8\0\0"), "text that is not Unicode"),
    (header(PLAIN % (b">U1", b"1,"), b"\0\x11\0\0"), "text that is not Unicode"),
]


@pytest.mark.parametrize(("content", "message"), BAD_ARRAYS, ids=range(len(BAD_ARRAYS)))
def test_arrays_that_are_refused(content, message, tmp_path):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FileError, match=message):
        npz.read_array(tmp_path / "a.npy")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("a.npy", content)
    with pytest.raises(FileError, match=message):
        npz.read(archive.getvalue(), 10**6)


def bomb(size, claimed=None):
    """An npz of zeros, 1,000 times smaller than they are; it may claim another size."""
    archive, claimed = io.BytesIO(), size if claimed is None else claimed
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("a.npy", header(PLAIN % (b"|u1", b"%d," % claimed), bytes(size)))
    return archive.getvalue()


def test_memory_is_bounded_before_anything_is_unpacked():
    raw = bomb(2**24)
    tracemalloc.start()
    with pytest.raises(FileError, match=r"its arrays claim 16,777,\d+ bytes, of at most 1,048,576"):
        npz.read(raw, 2**20)
    with pytest.raises(FileError, match="do not match"):
        npz.read(bomb(2**10, 2**30), 2**40)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert npz.read(raw, 2**24 + 4_096)["a"].nbytes == 2**24


def test_entries_that_claim_less_than_they_unpack_to_are_refused():
    raw = bytearray(bomb(2**20))
    at = raw.index(b"PK\1\2")
    for place in (at + 24, 22):  # uncompressed size in the directory, and before the entry
        raw[place : place + 4] = (2**10).to_bytes(4, "little")
    with pytest.raises(FileError):
        npz.read(bytes(raw), 2**30)


def test_archives_that_contradict_themselves_are_refused():
    def archive(*entries, compression=zipfile.ZIP_STORED):
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", compression) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two entries of one name
            for name in entries:
                file.writestr(name, header(PLAIN % (b"<f4", b"2,"), bytes(8)))
        return written.getvalue()

    for names in (("a.npy", "a.npy"), ("a", "a.npy")):
        with pytest.raises(FileError, match="two arrays of one name"):
            npz.read(archive(*names), 10**6)
    with pytest.raises(FileError, match="numpy did not compress"):
        npz.read(archive("a.npy", compression=zipfile.ZIP_LZMA), 10**6)
    raw = bytearray(archive("a.npy"))
    raw[raw.index(b"\n") + 1] ^= 1
    with pytest.raises(FileError, match="truncated or damaged: Bad CRC-32"):
        npz.read(bytes(raw), 10**6)


def test_directories_of_archives_are_bounded():
    """Every entry would become an object; fields of 64 kB take zipfile 8 ms each."""

    def written(extra):
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w") as archive:
            for i in range(40):
                entry = zipfile.ZipInfo(f"{i}.npy")
                entry.extra = b"\x99\x99\0\0" * (extra // 4)
                archive.writestr(entry, b"")
        return raw.getvalue()

    assert npz.is_npz(written(40_000))
    assert not npz.is_npz(written(60_000))
    with pytest.raises(FileError, match="a zip archive whose directory has 2402070 bytes"):
        npz.read(written(60_000), 2**30)


def test_what_is_laid_out_otherwise_is_one_line(tmp_path):
    def use(content):
        with files.expected(tmp_path):
            return content["score"] + 1

    assert use({"score": 1}) == 2
    with pytest.raises(InputError, match=f"{tmp_path} does not hold what is expected: no 'score'"):
        use({})
    with pytest.raises(InputError, match="does not hold what is expected: "):
        use({"score": None})
    with pytest.raises(FileError, match=r"^cut off$"), files.expected(tmp_path):
        raise FileError("cut off")


def test_a_message_is_one_printable_line():
    assert one_line(ValueError("a\n\x1b[31mb")) == "a \\x1b[31mb"
    assert one_line(KeyError()) == "KeyError"
