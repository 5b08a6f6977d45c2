"""Whatever a path or a file leads to ends in one printable line that names the file."""

import io
import os
import threading
import warnings
import zipfile

import numpy as np
import pytest

from ganfail_jax.weights import npz_files, torch_files, untrusted
from ganfail_jax.weights.errors import WeightsError


def refusal(path, act):
    with pytest.raises(WeightsError) as refused, untrusted.refusals(path):
        act(path)
    assert str(refused.value).isprintable()
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "absent cannot be read: No such file or directory"),
        ("", "cannot be read: Is a directory"),
        ("loop", "loop cannot be read: Too many levels of symbolic links"),
        ("pipe", "pipe: no plain file"),
        ("device", "device: no plain file"),
        ("long" * 100, "cannot be read: File name too long"),
        ("nu\0ll", "nu\\x00ll: embedded null byte"),
        ("line\n\x1b[2Jbreak", "line \\x1b[2Jbreak cannot be read: No such file or directory"),
        ("surro\ud800gate", "surro\\ud800gate: 'utf-8' codec can't encode character"),
    ],
)
def test_paths_that_are_no_files(name, message, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "device").symlink_to("/dev/null")  # others, such as /dev/zero, would never end
    os.mkfifo(tmp_path / "pipe")
    rescue = threading.Timer(5, (tmp_path / "pipe").write_bytes, [b""])  # of one that waits
    rescue.start()
    assert message in refusal(tmp_path / name, untrusted.contents)
    rescue.cancel()


def test_contents_of_a_plain_file(tmp_path):
    (tmp_path / "file").write_bytes(b"\0\1\2")
    (tmp_path / "link").symlink_to("file")
    assert untrusted.contents(tmp_path / "link") == b"\0\1\2"


def test_errors_and_warnings_within(tmp_path):
    def long(_):
        raise KeyError("a\nb" + "c" * 10_000)

    def warn(_):
        warnings.warn("shown", stacklevel=1)
        np.multiply(np.float32(1e30), np.float32(1e30))
        raise WeightsError("no weights")

    assert refusal(tmp_path, long).startswith(f"{tmp_path}: 'a\\nbccc")
    assert len(refusal(tmp_path, long)) < 1_000
    assert refusal(tmp_path, warn) == f"{tmp_path}: no weights"


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

    assert npz_files.is_npz(written(40_000))
    assert not npz_files.is_npz(written(60_000))
    with pytest.raises(WeightsError, match="a zip archive whose directory has 2402070 bytes"):
        torch_files.read(written(60_000))
