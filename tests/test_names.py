"""Names of files that are not UTF-8 can be printed, saved and drawn."""

import os

import pytest

from ganfail_jax import names


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.pkl", "b.pkl"),
        ("a/ü€", "ü€"),
        (os.fsdecode(b"a/g\xff"), "g\\udcff"),
        ("a/\ud800", "\\ud800"),
    ],
)
def test_last_part(path, name):
    assert names.last_part(path) == name
    name.encode()
